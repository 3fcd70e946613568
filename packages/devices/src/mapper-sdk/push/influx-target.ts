// InfluxDB 2: line protocol over HTTP, many points in a request. The token is TOKEN in the environment. A server of 1.x that
// does not know that way yet (before 1.8) gets the same lines the old way: the bucket is its database.
import type { DmiPushMethod } from '@kedge/wire/dmi';
import type { PushDeps, PushTarget } from './target.ts';
import { ask, basic, textOrError } from './request.ts';

type Config = NonNullable<NonNullable<DmiPushMethod['dbMethod']>['influxdb2']>;

export function influxTarget({ influxdb2ClientConfig, influxdb2DataConfig }: Config, deps: PushDeps): PushTarget {
  const { url = '', org = '', bucket = '' } = influxdb2ClientConfig ?? {};
  const { measurement = '', tag = {}, fieldKey = '' } = influxdb2DataConfig ?? {};
  const root = url.replace(/\/$/, '');
  const places = {
    v2: `${root}/api/v2/write?${new URLSearchParams({ org, bucket, precision: 'ms' }).toString()}`,
    v1: `${root}/write?${new URLSearchParams({ db: bucket, precision: 'ms' }).toString()}`,
  };
  const tags = Object.entries(tag)
    .map(([key, value]) => [escape(key), escape(value)])
    // A point with an empty tag is refused.
    .filter(([key, value]) => key !== '' && value !== '')
    .map(([key, value]) => `,${key}=${value}`)
    .join('');
  const authorization = (version: keyof typeof places): Record<string, string> => {
    const { TOKEN: token, USERNAME: user, PASSWORD: password } = deps.env;
    if (version === 'v2') return token ? { authorization: `Token ${token}` } : {};
    return user && password ? { authorization: basic(user, password) } : {};
  };
  let version: keyof typeof places = 'v2';
  const write = (body: string, signal: AbortSignal) =>
    ask(deps, {
      method: 'POST',
      url: places[version],
      headers: { 'content-type': 'text/plain; charset=utf-8', ...authorization(version) },
      body,
      signal,
    });
  return {
    name: `influxdb2 ${url}`,
    async push(samples, signal) {
      const lines = samples.map(({ property, value, at }) => {
        const series = `${escape(measurement || property).replaceAll('\\=', '=')}${tags}`;
        return `${series} ${escape(fieldKey || property)}="${value.replace(/["\\]/g, (c) => `\\${c}`)}" ${at}`;
      });
      const body = lines.join('\n');
      let answer = await write(body, signal);
      if (version === 'v2' && answer.status === 404 && answer.headers['x-influxdb-version']?.startsWith('1.')) {
        version = 'v1';
        answer = await write(body, signal);
      }
      textOrError(url, answer.status, answer.text);
    },
    close: async () => undefined,
  };
}

/** A backslash stands for itself unless something follows that it would escape; at the end there can be none. */
const escape = (text: string): string =>
  text
    .replace(/\\+$/, '')
    .replace(/\\(?=[ ,=])/g, '\\\\')
    .replace(/[ ,=]/g, (c) => `\\${c}`)
    .replace(/\n/g, '\\n');
