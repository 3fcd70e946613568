// InfluxDB 2: line protocol over HTTP, many points in a request. The token is TOKEN in the environment.
import type { DmiPushMethod } from '@kedge/wire/dmi';
import type { PushDeps, PushTarget } from './target.ts';
import { request } from './request.ts';

type Config = NonNullable<NonNullable<DmiPushMethod['dbMethod']>['influxdb2']>;

export function influxTarget({ influxdb2ClientConfig, influxdb2DataConfig }: Config, deps: PushDeps): PushTarget {
  const { url = '', org = '', bucket = '' } = influxdb2ClientConfig ?? {};
  const { measurement = '', tag = {}, fieldKey = '' } = influxdb2DataConfig ?? {};
  const place = `${url.replace(/\/$/, '')}/api/v2/write?${new URLSearchParams({ org, bucket, precision: 'ms' }).toString()}`;
  const tags = Object.entries(tag)
    .map(([key, value]) => `,${escape(key)}=${escape(value)}`)
    .join('');
  return {
    name: `influxdb2 ${url}`,
    async push(samples, signal) {
      const lines = samples.map(({ property, value, at }) => {
        const series = `${escape(measurement || property).replaceAll('\\=', '=')}${tags}`;
        return `${series} ${escape(fieldKey || property)}="${value.replace(/["\\]/g, (c) => `\\${c}`)}" ${at}`;
      });
      const token = deps.env['TOKEN'];
      await request(deps, url, {
        method: 'POST',
        url: place,
        headers: {
          'content-type': 'text/plain; charset=utf-8',
          ...(token ? { authorization: `Token ${token}` } : {}),
        },
        body: lines.join('\n'),
        signal,
      });
    },
    close: async () => undefined,
  };
}

const escape = (text: string): string => text.replace(/[ ,=\\]/g, (c) => `\\${c}`).replace(/\n/g, '\\n');
