// The REST API of a mapper, as KubeEdge's mapper framework has it: paths, answers and errors are the same. Beside it
// /healthz and /metrics.
import type { Metrics } from '@kedge/core/metrics';
import type { HttpHandler, ServerRequest } from '@kedge/core/ports';
import { type Clock, toTime } from '@kedge/core/time';
import type { DmiModel } from '@kedge/wire/dmi';
import type { DeviceRunner } from './device-runner.ts';
import { describeFault, mapperErrors } from './sdk-errors.ts';
import { fromText } from './values.ts';

export interface RestApiDeps {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly runners: ReadonlyMap<string, Runner>;
  readonly models: ReadonlyMap<string, DmiModel>;
  readonly isHealthy: () => boolean;
}

type Runner = Pick<DeviceRunner<never, never>, 'settings' | 'state' | 'readNow' | 'writeNow' | 'call'>;

/** What an answer has beside version, status and time. */
type Fields = Readonly<Record<string, unknown>>;

export function createRestApi(deps: RestApiDeps): HttpHandler {
  const { clock, metrics, runners, models, isHealthy } = deps;

  const runnerOf = (namespace: string, name: string): Runner => {
    const runner = runners.get(`${namespace}/${name}`);
    if (!runner) throw mapperErrors.NOT_THERE({ what: `device ${namespace}/${name}` });
    return runner;
  };

  async function readProperty(
    [namespace = '', name = '', property = '']: readonly string[],
    signal: AbortSignal,
  ): Promise<Fields> {
    const { value, type, at } = await runnerOf(namespace, name).readNow(property, signal);
    const data = {
      DeviceName: name,
      PropertyName: property,
      Namespace: namespace,
      Value: value,
      Type: type,
      TimeStamp: at,
    };
    return { Data: data };
  }

  async function listMethods([namespace = '', name = '']: readonly string[]): Promise<Fields> {
    const { methods, properties } = runnerOf(namespace, name).settings;
    const types = new Map(properties.map((property) => [property.name, property.type.toLowerCase()]));
    const Methods = methods.map((method) => ({
      Name: method.name,
      Path: `/api/v1/devicemethod/${namespace}/${name}/${method.name}/{propertyName}/{data}`,
      Parameters: method.properties.map((property) => ({
        PropertyName: property,
        ValueType: types.get(property) ?? '',
      })),
    }));
    return { Data: { Methods } };
  }

  async function callMethod(
    [namespace = '', name = '', method = '', property = '', text = '']: readonly string[],
    signal: AbortSignal,
  ): Promise<Fields> {
    const runner = runnerOf(namespace, name);
    const described = runner.settings.methods.find((one) => one.name === method);
    if (!described) throw mapperErrors.NOT_THERE({ what: `method "${method}" of device ${namespace}/${name}` });
    if (!described.properties.includes(property)) {
      throw mapperErrors.NOT_THERE({ what: `property "${property}" in method "${method}"` });
    }
    const settings = runner.settings.properties.find((one) => one.name === property);
    if (!settings) throw mapperErrors.NOT_THERE({ what: `property "${property}" of device ${namespace}/${name}` });
    const called = await runner.call(method, { [property]: fromText(text, settings) }, signal);
    if (!called) await runner.writeNow(property, text, signal);
    const result = called?.result === undefined ? {} : { Data: String(called.result) };
    return { Message: `method "${method}" of device ${namespace}/${name} was called`, ...result };
  }

  async function describeModel([namespace = '', name = '']: readonly string[]): Promise<Fields> {
    const { model: reference } = runnerOf(namespace, name).settings;
    const model = models.get(`${namespace}/${reference}`);
    if (!model) throw mapperErrors.NOT_THERE({ what: `model ${namespace}/${reference}` });
    return {
      Data: {
        id: `${namespace}/${reference}`,
        name: reference,
        namespace,
        description: '',
        properties: (model.spec?.properties ?? []).map(({ type, ...property }) => ({ ...property, dataType: type })),
      },
    };
  }

  async function route(request: ServerRequest, parts: readonly string[]): Promise<Fields | undefined> {
    const [what = '', ...rest] = parts;
    if (what === 'ping') return { Message: 'This is v1 API, the server is running normally.' };
    if (what === 'device' && rest.length === 3) return readProperty(rest, request.signal);
    if (what === 'devicemethod' && rest.length === 2) return listMethods(rest);
    if (what === 'devicemethod' && rest.length === 5) return callMethod(rest, request.signal);
    if (what === 'meta' && rest[0] === 'model' && rest.length === 3) return describeModel(rest.slice(1));
    return undefined;
  }

  return async (request, response) => {
    const text = (status: number, body: string): void =>
      response.send(status, { 'content-type': 'text/plain; charset=utf-8' }, body);
    if (request.path === '/healthz')
      return text(isHealthy() ? 200 : 503, isHealthy() ? 'ok' : 'not registered with edgecore');
    if (request.path === '/metrics') {
      return response.send(200, { 'content-type': 'text/plain; version=0.0.4' }, metrics.format());
    }
    if (!request.path.startsWith('/api/v1/')) return text(404, 'not found');
    if (request.method !== 'GET') return text(405, 'only GET');
    const correlation = request.headers['x-correlation-id'];
    const headers = {
      'content-type': 'application/json',
      ...(correlation === undefined ? {} : { 'x-correlation-id': correlation }),
    };
    try {
      const parts = request.path.slice('/api/v1/'.length).split('/').map(decodeURIComponent);
      if (parts[0] === 'database') return text(503, 'this mapper reads no database');
      const fields = await route(request, parts);
      if (!fields) return text(404, 'not found');
      const body = { apiVersion: 'v1', statusCode: 200, timeStamp: toTime(clock.now()), ...fields };
      return response.send(200, headers, JSON.stringify(body));
    } catch (error) {
      // Clients of the framework look for 500 with a text.
      return text(500, describeFault(error).message);
    }
  };
}
