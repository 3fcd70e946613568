// The broker inside edgecore: opened when EventBus first connects to it, so that a port that is taken is tried again as a
// broker that is away is; shows the certificate that is in the files, also when that was renewed.
import { explain } from '@kedge/core/errors';
import { abortError } from '@kedge/core/flow';
import type { Log, Secret } from '@kedge/core/log';
import type {
  Files,
  Mqtt,
  MqttBroker,
  MqttBrokerLimits,
  MqttBrokerMemory,
  MqttBrokerOptions,
  MqttBrokers,
} from '@kedge/core/ports';
import { type Clock, minutes } from '@kedge/core/time';
import { eventBusErrors } from './errors.ts';

export interface InsideBrokerConfig {
  readonly address: string;
  readonly port: number;
  readonly credentials: { readonly username: string; readonly password: Secret<string> } | undefined;
  /** Paths of PEM files. */
  readonly tls:
    | { readonly certificate: string; readonly key: string; readonly clientCa: string | undefined }
    | undefined;
  /** What EventBus publishes is retained. */
  readonly retain: boolean;
  readonly limits: MqttBrokerLimits;
}

export interface InsideBrokerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly files: Files;
  readonly brokers: MqttBrokers;
  readonly memory: MqttBrokerMemory;
}

export interface InsideBroker extends Mqtt {
  /** Looks after the certificate until aborted, then closes the broker. */
  run(signal: AbortSignal): Promise<void>;
}

const lookEvery = minutes(10);

export function createInsideBroker(
  { clock, log, files, brokers, memory }: InsideBrokerDeps,
  { address, port, credentials, tls: paths, limits }: InsideBrokerConfig,
): InsideBroker {
  let broker: MqttBroker | undefined;
  let shown: MqttBrokerOptions['tls'];

  async function read(path: string): Promise<string> {
    const text = await files.readText(path);
    if (text === undefined) throw eventBusErrors.NO_FILE({ path });
    return text;
  }
  async function readTls(): Promise<MqttBrokerOptions['tls']> {
    if (!paths) return undefined;
    const [certificate, key] = [await read(paths.certificate), await read(paths.key)];
    return { certificate, key, ...(paths.clientCa === undefined ? {} : { clientCa: await read(paths.clientCa) }) };
  }
  async function opened(signal: AbortSignal | undefined): Promise<MqttBroker> {
    if (broker) return broker;
    shown = await readTls();
    const opening = await brokers.open({
      address,
      port,
      limits,
      memory,
      ...(credentials ? { credentials } : {}),
      ...(shown ? { tls: shown } : {}),
    });
    // Whoever would close it has gone by.
    if (signal?.aborted) {
      await opening.close();
      throw abortError(signal);
    }
    broker = opening;
    log.info('the MQTT broker listens', { address, port: broker.port });
    return broker;
  }
  async function renew(): Promise<void> {
    const now = await readTls();
    const isSame =
      now?.certificate === shown?.certificate && now?.key === shown?.key && now?.clientCa === shown?.clientCa;
    if (!broker || !now || isSame) return;
    broker.renew(now);
    shown = now;
    log.info('the MQTT broker has new certificates');
  }

  return {
    async connect(options) {
      const open = await opened(options.signal);
      return open.connect({ ...options, url: open.url });
    },
    async run(signal) {
      while (!signal.aborted) {
        await clock.sleep('look at the certificate of the MQTT broker', lookEvery, signal).catch(() => undefined);
        if (signal.aborted) break;
        await renew().catch((error: unknown) =>
          log.warn('the MQTT broker keeps its certificates', { reason: explain(error) }),
        );
      }
      await broker?.close();
    },
  };
}
