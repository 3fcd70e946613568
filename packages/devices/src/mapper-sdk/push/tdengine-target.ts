// TDengine, through its own REST interface. Tables are made when they are missing and named as mappers of KubeEdge name them.
import type { DmiPushMethod } from '@kedge/wire/dmi';
import { mapperErrors } from '../sdk-errors.ts';
import type { PushDeps, PushTarget } from './target.ts';
import { basic, request } from './request.ts';

type Databases = NonNullable<DmiPushMethod['dbMethod']>;
type Config = NonNullable<NonNullable<Databases['tdengine']>['tdEngineClientConfig']>;

export function tdengineTarget({ addr = '', dbname = '' }: Config, deps: PushDeps): PushTarget {
  const url = `${/^https?:/.test(addr) ? addr : `http://${addr}`}/rest/sql/${encodeURIComponent(dbname)}`;
  const made = new Set<string>();
  async function run(sql: string, signal: AbortSignal): Promise<void> {
    const { USERNAME: user = 'root', PASSWORD: password = '' } = deps.env;
    const text = await request(deps, `tdengine ${addr}`, {
      method: 'POST',
      url,
      headers: { authorization: basic(user, password) },
      body: sql,
      signal,
    });
    const { code = 0, desc = '' } = JSON.parse(text) as { code?: number; desc?: string };
    if (code !== 0) throw mapperErrors.PUSH_FAILED({ target: `tdengine ${addr}`, reason: desc });
  }
  return {
    name: `tdengine ${addr}/${dbname}`,
    atOnce: 1,
    async push(samples, signal) {
      for (const { namespace, device, property, value, type, at } of samples) {
        const stable = identifier(`${namespace}/${device}`);
        const table = identifier(`${namespace}/${device}/${property}`);
        if (!made.has(stable)) {
          await run(
            `CREATE STABLE IF NOT EXISTS ${stable} (ts timestamp, deviceid binary(64), propertyname binary(64), data binary(64), type binary(64)) TAGS (location binary(64))`,
            signal,
          );
          made.add(stable);
        }
        const values = [device, property, value.slice(0, 64), type].map(quoted).join(', ');
        await run(`INSERT INTO ${table} USING ${stable} TAGS (${quoted(property)}) VALUES (${at}, ${values})`, signal);
      }
    },
    close: async () => undefined,
  };
}

const identifier = (name: string): string => `\`${name.replace(/[`]/g, '').replaceAll('-', '_')}\``;
const quoted = (text: string): string => `'${text.replace(/['\\]/g, (c) => `\\${c}`)}'`;
