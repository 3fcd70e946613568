// OpenTelemetry metrics, OTLP over HTTP in JSON: a gauge named as the property; what is no number goes as an attribute.
import type { PushDeps, PushTarget, PushedSample } from './target.ts';
import { request } from './request.ts';

export function otelTarget(endpoint: string, deps: PushDeps): PushTarget {
  const url = /\/v1\/metrics\/?$/.test(endpoint) ? endpoint : `${endpoint.replace(/\/$/, '')}/v1/metrics`;
  return {
    name: `otel ${endpoint}`,
    async push(samples, signal) {
      await request(deps, endpoint, {
        method: 'POST',
        url,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ resourceMetrics: resourcesOf(samples) }),
        signal,
      });
    },
    close: async () => undefined,
  };
}

const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } });

function resourcesOf(samples: readonly PushedSample[]): unknown[] {
  const devices = Map.groupBy(samples, ({ namespace, device }) => `${namespace}/${device}`);
  return [...devices].map(([id, own]) => ({
    resource: { attributes: [attribute('device.id', id)] },
    scopeMetrics: [
      {
        scope: { name: 'kedge-mapper' },
        metrics: [...Map.groupBy(own, ({ property }) => property)].map(([name, values]) => ({
          name,
          unit: values[0]!.unit,
          gauge: { dataPoints: values.map(toPoint) },
        })),
      },
    ],
  }));
}

function toPoint({ value, at }: PushedSample): unknown {
  const timeUnixNano = `${at}000000`;
  if (value === 'true' || value === 'false') return { timeUnixNano, asInt: value === 'true' ? '1' : '0' };
  if (/^-?\d{1,18}$/.test(value)) return { timeUnixNano, asInt: value };
  if (value !== '' && Number.isFinite(Number(value))) return { timeUnixNano, asDouble: Number(value) };
  return { timeUnixNano, asInt: '1', attributes: [attribute('value', value)] };
}
