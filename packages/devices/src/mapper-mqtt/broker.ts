// A connection to a broker that devices share: who listens to which topic, and the last message of each.
import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import { secret } from '@kedge/core/log';
import {
  type Mqtt,
  type MqttConnection,
  type MqttConnectOptions,
  mqttErrors,
  type MqttMessage,
  type MqttPublish,
  type MqttQos,
} from '@kedge/core/ports';
import type { Clock } from '@kedge/core/time';
import { fault, mapperErrors, type SharedConnection } from '../mapper-sdk/index.ts';
import type { BrokerSettings } from './settings.ts';

export interface Heard {
  /** Empty when the message was too long to be read. */
  readonly payload: Uint8Array;
  /** In bytes, as it came. */
  readonly length: number;
  /** When it came, Unix milliseconds. */
  readonly at: number;
}

export interface Listener {
  onMessage(topic: string, message: Heard): void;
}

interface Topic {
  readonly listeners: Set<Listener>;
  readonly asked: Promise<void>;
}

/** Topics of all devices behind one connection. */
const maxTopics = 10_000;
/** Of the last messages, for devices that come to a topic later; a broker says retained ones once. */
const keptBytes = 1_048_576;

export class Broker implements SharedConnection {
  readonly lost: Promise<Error>;
  readonly #connection: MqttConnection;
  readonly #topics: Map<string, Topic>;
  readonly #last: LastMessages;
  #ended: Error | undefined;
  #gone: Error | undefined;

  private constructor(connection: MqttConnection, last: LastMessages, topics: Map<string, Topic>) {
    this.#connection = connection;
    this.#last = last;
    this.#topics = topics;
    this.lost = connection.closed.then((reason) => {
      this.#gone = this.#ended ?? fault('ConnectionLost', `the broker is lost: ${reason}`);
      return this.#gone;
    });
  }

  /** Throws a fault, or MAPPER_BAD_CONFIG for files that cannot be read. */
  static async open(
    mqtt: Mqtt,
    settings: BrokerSettings,
    clientId: string,
    clock: Clock,
    signal: AbortSignal,
    onAny: Listener['onMessage'] = () => undefined,
  ): Promise<Broker> {
    const last = new LastMessages();
    const topics = new Map<string, Topic>();
    const onMessage = async ({ topic, payload }: MqttMessage): Promise<void> => {
      const { length } = payload;
      // A copy: what the library hands over is a part of a larger buffer.
      const kept = length > settings.maxPayload ? new Uint8Array() : new Uint8Array(payload);
      const heard: Heard = { payload: kept, length, at: clock.now() };
      onAny(topic, heard);
      if (topics.has(topic)) last.put(topic, heard);
      for (const listener of topics.get(topic)?.listeners ?? []) listener.onMessage(topic, heard);
    };
    const options = await connectOptions(settings, clientId);
    try {
      const connection = await mqtt.connect({ ...options, onMessage, signal });
      return new Broker(connection, last, topics);
    } catch (error) {
      throw fault(
        reasonOf(error),
        error instanceof Error ? error.message.replace(/^\[\w+\] /, '') : String(error),
        error,
      );
    }
  }

  /** Resolves once the broker has agreed; what it has retained follows. The last message of a known topic comes at once. */
  async listen(topic: string, qos: MqttQos, listener: Listener): Promise<void> {
    let known = this.#topics.get(topic);
    if (!known) {
      if (this.#topics.size >= maxTopics) throw fault('TooManyTopics', `more than ${maxTopics} topics of one broker`);
      known = { listeners: new Set(), asked: this.#connection.subscribe([topic], qos) };
      this.#topics.set(topic, known);
      known.asked.catch(() => this.#topics.delete(topic));
    } else {
      const last = this.#last.get(topic);
      if (last) listener.onMessage(topic, last);
    }
    known.listeners.add(listener);
    try {
      await known.asked;
    } catch (error) {
      throw fault('SubscriptionRefused', `the broker does not let us listen to "${topic}"`, error);
    }
  }

  /** Whatever comes on these filters goes to `onAny`. */
  hear(filters: readonly string[]): Promise<void> {
    return this.#connection.subscribe(filters, 0);
  }

  /** The device is gone. */
  leave(listener: Listener): void {
    const unused: string[] = [];
    for (const [topic, { listeners }] of this.#topics) {
      if (!listeners.delete(listener) || listeners.size > 0) continue;
      this.#topics.delete(topic);
      this.#last.forget(topic);
      unused.push(topic);
    }
    if (!this.#ended) void this.#connection.unsubscribe(unused).catch(() => undefined);
  }

  throwIfLost(): void {
    if (this.#gone) throw this.#gone;
  }

  publish(message: MqttPublish): Promise<void> {
    return this.#connection.publish(message);
  }

  end(why: Error): void {
    if (this.#ended) return;
    this.#ended = why;
    void this.#connection.close().catch(() => undefined);
  }
}

class LastMessages {
  readonly #kept = new Map<string, Heard>();
  #bytes = 0;

  get(topic: string): Heard | undefined {
    return this.#kept.get(topic);
  }

  put(topic: string, message: Heard): void {
    this.forget(topic);
    this.#kept.set(topic, message);
    this.#bytes += message.payload.length;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= keptBytes) break;
      this.forget(oldest);
    }
  }

  forget(topic: string): void {
    this.#bytes -= this.#kept.get(topic)?.payload.length ?? 0;
    this.#kept.delete(topic);
  }
}

async function connectOptions(
  { url, username, password, passwordFile, tls, timeout }: BrokerSettings,
  clientId: string,
): Promise<Omit<MqttConnectOptions, 'onMessage'>> {
  const word =
    passwordFile === undefined ? (password ?? '') : (await read('passwordFile', passwordFile)).replace(/\r?\n$/, '');
  const certificate = tls?.certificate === undefined ? undefined : await read('certificate', tls.certificate);
  const key = tls?.key === undefined ? undefined : await read('privateKey', tls.key);
  return {
    url,
    clientId,
    timeoutMs: timeout,
    ...(username === undefined ? {} : { credentials: { username, password: secret(word) } }),
    ...(tls
      ? {
          tls: {
            ca: tls.ca === undefined ? rootCertificates.join('\n') : await read('ca', tls.ca),
            ...(certificate === undefined ? {} : { certificate }),
            ...(key === undefined ? {} : { key }),
          },
        }
      : {}),
  };
}

async function read(key: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const problem = `${key} is "${path}", which cannot be read here: ${error instanceof Error ? error.message : String(error)}`;
    throw mapperErrors.BAD_CONFIG({ where: 'spec.protocol.configData', problems: [problem] }, error);
  }
}

function reasonOf(error: unknown): string {
  if (mqttErrors.REFUSED.is(error)) return 'LoginRefused';
  if (mqttErrors.UNTRUSTED_BROKER.is(error)) return 'UntrustedBroker';
  return 'Unreachable';
}
