// Redis: a sorted set per device, scored by time, as mappers of KubeEdge keep it. Needs the package `redis`.
import type { DmiPushMethod } from '@kedge/wire/dmi';
import type { PushDeps, PushTarget } from './target.ts';

interface RedisClient {
  connect(): Promise<unknown>;
  zAdd(key: string, members: readonly { score: number; value: string }[]): Promise<unknown>;
  destroy(): void;
  on(event: 'error', listener: () => void): unknown;
}
interface RedisModule {
  createClient(options: Readonly<Record<string, unknown>>): RedisClient;
}

type Databases = NonNullable<DmiPushMethod['dbMethod']>;
type Config = NonNullable<NonNullable<Databases['redis']>['redisClientConfig']>;

export function redisTarget({ addr = '', db = 0 }: Config, { load, env }: PushDeps): PushTarget {
  let client: RedisClient | undefined;
  const connect = async (): Promise<RedisClient> => {
    const { createClient } = (await load('redis')) as RedisModule;
    const password = env['PASSWORD'];
    const opened = createClient({
      url: `redis://${addr}`,
      database: db,
      disableOfflineQueue: true,
      socket: { connectTimeout: 5_000, reconnectStrategy: false },
      ...(password ? { password } : {}),
    });
    opened.on('error', () => undefined);
    await opened.connect();
    return opened;
  };
  return {
    name: `redis ${addr}`,
    async push(samples) {
      client ??= await connect();
      try {
        for (const [device, own] of Map.groupBy(samples, (sample) => sample.device)) {
          const members = own.map(({ namespace, property, value, type, at }) => ({
            score: at,
            value: JSON.stringify({
              DeviceName: device,
              PropertyName: property,
              Namespace: namespace,
              Value: value,
              Type: type,
              TimeStamp: at,
            }),
          }));
          await client.zAdd(device, members);
        }
      } catch (error) {
        client.destroy();
        client = undefined;
        throw error;
      }
    },
    async close() {
      client?.destroy();
    },
  };
}
