// Publishes each value as text on one connection that is kept, in the words of KubeEdge's mappers.
import type { DmiPushMethod } from '@kedge/wire/dmi';
import { keepConnection } from './kept-connection.ts';
import type { PushDeps, PushTarget } from './target.ts';
import { plainTime } from './request.ts';

interface MqttClient {
  publishAsync(topic: string, payload: string, options: { qos: 0 | 1 | 2; retain: boolean }): Promise<unknown>;
  endAsync(force?: boolean): Promise<void>;
  on(event: 'error', listener: () => void): unknown;
}
interface MqttModule {
  connectAsync(url: string, options: Readonly<Record<string, unknown>>): Promise<MqttClient>;
}

export function mqttTarget(
  { address = '', topic = '', qos = 0, retained = false }: NonNullable<DmiPushMethod['mqtt']>,
  { load, env }: PushDeps,
): PushTarget {
  const url = address.replace(/^tcp:/, 'mqtt:').replace(/^ssl:/, 'mqtts:');
  const quality = qos === 1 || qos === 2 ? qos : 0;
  const connect = async (): Promise<MqttClient> => {
    const { connectAsync } = (await load('mqtt')) as MqttModule;
    const [username, password] = [env['USERNAME'], env['PASSWORD']];
    const opened = await connectAsync(url, {
      connectTimeout: 5_000,
      writeCache: false,
      reconnectPeriod: 0,
      ...(username && password ? { username, password } : {}),
    });
    opened.on('error', () => undefined);
    return opened;
  };
  const broker = keepConnection(connect, (client) => client.endAsync(true));
  return {
    name: `mqtt ${url}`,
    atOnce: 1,
    push: (samples, signal) =>
      broker.use(signal, async (client) => {
        for (const { value, at } of samples) {
          const payload = `time is ${plainTime(at)}  ${topic}: ${value}`;
          await client.publishAsync(topic, payload, { qos: quality, retain: retained });
        }
      }),
    close: broker.close,
  };
}
