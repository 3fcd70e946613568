// One MQTT connection. Everything that the library would do by itself - dial again, subscribe again, keep messages while
// it is away - is switched off: the caller decides about that, with a clock and bounds of its own.
import { createSecureContext } from 'node:tls';
import { abortError } from '@kedge/core/flow';
import { type Mqtt, type MqttConnection, type MqttConnectOptions, mqttErrors } from '@kedge/core/ports';
import { connect as dialBroker, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';

/** Both ends notice within one and a half of these that the other is gone. */
const keepaliveSeconds = 30;
/** How long a goodbye may take. */
const closeMs = 2_000;
/** The broker turned a subscription down. */
const subscriptionFailed = 128;

const schemes: Readonly<Record<string, 'mqtt' | 'mqtts'>> = {
  'tcp:': 'mqtt',
  'mqtt:': 'mqtt',
  'ssl:': 'mqtts',
  'tls:': 'mqtts',
  'mqtts:': 'mqtts',
};

export const createMqtt = (): Mqtt => ({ connect });

function connect(options: MqttConnectOptions): Promise<MqttConnection> {
  const { url, signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(abortError(signal));
    const client = open(options);
    if (client instanceof Error) return reject(client);
    let last: Error | undefined;
    let said: string | undefined;
    let isOpen = false;
    const closed = Promise.withResolvers<string>();

    const hand = async ({ topic, payload }: IPublishPacket, done: () => void): Promise<void> => {
      try {
        await options.onMessage({ topic, payload: typeof payload === 'string' ? Buffer.from(payload) : payload });
      } catch {
        // Nobody's, as the port says; the next message comes all the same.
      }
      done();
    };
    client.handleMessage = (packet, done): void => void hand(packet, done);
    const finish = (): void => signal?.removeEventListener('abort', onAbort);
    const fail = (error: Error): void => {
      finish();
      client.end(true);
      reject(error);
    };
    const onAbort = (): void => fail(abortError(signal!));
    signal?.addEventListener('abort', onAbort, { once: true });
    client.on('error', (error) => {
      last = error;
      if (!isOpen) fail(connectError(url, error));
    });
    client.on('disconnect', () => (said = 'the broker hung up'));
    client.on('close', () => {
      const reason = said ?? reasonOf(last) ?? 'closed by the broker';
      if (!isOpen) return fail(last ? connectError(url, last) : mqttErrors.CONNECT_FAILED({ url, reason }));
      client.end(true);
      closed.resolve(reason);
    });
    client.on('connect', () => {
      finish();
      isOpen = true;
      resolve(toConnection(url, client, closed.promise, () => (said = 'closed by us')));
    });
  });
}

function toConnection(url: string, client: MqttClient, closed: Promise<string>, onClose: () => void): MqttConnection {
  /** The library forgets to answer calls that a break overtakes. */
  const waiting = new Set<(error: Error) => void>();
  let gone: Error | undefined;
  void closed.then((reason) => {
    gone = mqttErrors.CONNECTION_LOST({ url, reason });
    for (const reject of waiting) reject(gone);
  });
  async function orLost<T>(ask: (resolve: (answer: T) => void, reject: (error: Error) => void) => void): Promise<T> {
    if (gone) throw gone;
    let giveUp: ((error: Error) => void) | undefined;
    try {
      return await new Promise<T>((resolve, reject) => {
        waiting.add((giveUp = reject));
        ask(resolve, (error) => reject(mqttErrors.CONNECTION_LOST({ url, reason: error.message }, error)));
      });
    } finally {
      waiting.delete(giveUp!);
    }
  }
  return {
    closed,
    async subscribe(filters, qos) {
      if (filters.length === 0) return;
      const granted = await orLost<readonly number[]>((resolve, reject) =>
        // A refusal is an error to the library; which filter it was, only the packet says.
        client.subscribe([...filters], { qos }, (error, _, packet) => {
          if (packet) resolve(packet.granted.map(Number));
          else reject(error ?? new Error('the broker did not answer the subscription'));
        }),
      );
      const refused = filters.find((_, n) => (granted[n] ?? subscriptionFailed) >= subscriptionFailed);
      if (refused !== undefined) throw mqttErrors.SUBSCRIPTION_REFUSED({ url, filter: refused });
    },
    async unsubscribe(filters) {
      if (filters.length === 0) return;
      await orLost<void>((resolve, reject) =>
        client.unsubscribe([...filters], (error) => (error ? reject(error) : resolve())),
      );
    },
    publish: ({ topic, payload, qos, retain = false }) =>
      orLost<void>((resolve, reject) =>
        client.publish(topic, typeof payload === 'string' ? payload : Buffer.from(payload), { qos, retain }, (error) =>
          error ? reject(error) : resolve(),
        ),
      ),
    async close() {
      onClose();
      // A second `end` would be ignored.
      const timer = setTimeout(() => client.stream.destroy(), closeMs);
      client.end(false);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** Opens no socket before it returns. */
function open({ url, clientId, credentials, tls, timeoutMs }: MqttConnectOptions): MqttClient | Error {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const protocol = schemes[parsed?.protocol ?? ''];
  if (!parsed || !protocol || parsed.hostname === '') return mqttErrors.BAD_URL({ url });
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = Number(parsed.port) || (protocol === 'mqtts' ? 8883 : 1883);
  const files: IClientOptions = tls
    ? {
        ca: tls.ca,
        ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
        ...(tls.key === undefined ? {} : { key: tls.key }),
      }
    : { rejectUnauthorized: false };
  try {
    if (tls) createSecureContext({ ca: tls.ca, cert: tls.certificate, key: tls.key });
  } catch (error) {
    return mqttErrors.BAD_TLS({ reason: error instanceof Error ? error.message : String(error) }, error);
  }
  return dialBroker({
    protocol,
    host,
    port,
    clientId,
    protocolVersion: 4,
    clean: true,
    keepalive: keepaliveSeconds,
    connectTimeout: timeoutMs,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    // Otherwise the library builds 65,536 buffers at start.
    writeCache: false,
    ...(credentials ? { username: credentials.username, password: credentials.password.reveal() } : {}),
    ...(protocol === 'mqtts' ? files : {}),
  });
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused: nothing listens there',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the name server does not answer',
  ETIMEDOUT: 'no answer',
  ECONNRESET: 'closed by the broker',
};
const untrusted = /^(?:CERT_|ERR_TLS_CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH)/;

const codeOfSystem = (error: Error): string | number | undefined => (error as { code?: string | number }).code;

function reasonOf(error: Error | undefined): string | undefined {
  const code = error && codeOfSystem(error);
  return error && (reasons[String(code)] ?? (error.message || String(code)));
}

function connectError(url: string, error: Error): Error {
  const code = codeOfSystem(error);
  const reason = reasonOf(error) ?? 'unknown';
  // Numbers are return codes of CONNACK: the broker speaks MQTT, and said no.
  if (typeof code === 'number' && code > 0) return mqttErrors.REFUSED({ url, reason }, error);
  if (untrusted.test(String(code))) return mqttErrors.UNTRUSTED_BROKER({ url, reason: error.message }, error);
  return mqttErrors.CONNECT_FAILED({ url, reason }, error);
}
