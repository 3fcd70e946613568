// Redis: a sorted set per device, scored by time, as mappers of KubeEdge keep it. Needs the package `redis`.
import type { DmiPushMethod } from '@kedge/wire/dmi';
import { mapperErrors } from '../sdk-errors.ts';
import { keepConnection } from './kept-connection.ts';
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
  const redis = keepConnection(connect, async (client) => client.destroy());
  return {
    name: `redis ${addr}`,
    push: (samples, signal) =>
      redis.use(signal, async (client) => {
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
          try {
            await client.zAdd(device, members);
          } catch (error) {
            // Somebody else keeps something under the name of the device; other devices have nothing to do with that.
            const reason = error instanceof Error ? error.message : '';
            if (!reason.startsWith('WRONGTYPE')) throw error;
            throw mapperErrors.PUSH_REFUSED({ target: `redis ${addr}, key "${device}"`, reason }, error);
          }
        }
      }),
    close: redis.close,
  };
}
