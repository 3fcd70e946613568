// A broker in memory: passes messages on by their topics, QoS 1 to the letter of a connection that holds. Tests stop it,
// start it again, cut its connections, and refuse users.
import {
  mqttErrors,
  type Mqtt,
  type MqttConnection,
  type MqttConnectOptions,
  type MqttMessage,
} from '@kedge/core/ports';
import { matchesFilter } from '@kedge/wire/topics';

interface Client {
  readonly options: MqttConnectOptions;
  readonly filters: Set<string>;
  readonly end: (reason: string) => void;
  /** Messages are handed over one at a time. */
  inbox: Promise<void>;
  isOpen: boolean;
}

export class FakeBroker implements Mqtt {
  readonly url = 'tcp://broker:1883';
  readonly #clients = new Set<Client>();
  readonly #retained = new Map<string, MqttMessage>();
  /** By user; undefined: everybody may. */
  passwords: ReadonlyMap<string, string> | undefined;
  isUp = true;
  /** Filters that nobody may subscribe to. */
  readonly forbidden = new Set<string>();
  /** Whoever publishes such a message is cut off, and nobody gets it. */
  isPoison: (message: MqttMessage) => boolean = () => false;
  connections = 0;

  get clients(): number {
    return this.#clients.size;
  }

  /** Breaks every connection. */
  cut(reason = 'closed by the broker'): void {
    for (const { end } of this.#clients) end(reason);
  }

  stop(): void {
    this.isUp = false;
    this.cut();
  }

  async connect(options: MqttConnectOptions): Promise<MqttConnection> {
    const { url, clientId, credentials, signal } = options;
    if (signal?.aborted) throw signal.reason;
    if (!/^(?:tcp|mqtt|ssl|tls|mqtts):\/\/./.test(url)) throw mqttErrors.BAD_URL({ url });
    if (!this.isUp || url !== this.url) throw mqttErrors.CONNECT_FAILED({ url, reason: 'nothing listens there' });
    if (
      this.passwords &&
      (!credentials || this.passwords.get(credentials.username) !== credentials.password.reveal())
    ) {
      throw mqttErrors.REFUSED({ url, reason: 'not authorized' });
    }
    for (const other of this.#clients) if (other.options.clientId === clientId) other.end('taken over');
    this.connections += 1;
    return this.#open(options);
  }

  #open(options: MqttConnectOptions): MqttConnection {
    const { url } = options;
    const closed = Promise.withResolvers<string>();
    let why = '';
    const client: Client = {
      options,
      filters: new Set(),
      inbox: Promise.resolve(),
      isOpen: true,
      end: (reason) => {
        client.isOpen = false;
        why ||= reason;
        this.#clients.delete(client);
        closed.resolve(why);
      },
    };
    this.#clients.add(client);
    const check = (): void => {
      if (!client.isOpen) throw mqttErrors.CONNECTION_LOST({ url, reason: why });
    };
    return {
      closed: closed.promise,
      subscribe: async (filters) => {
        check();
        const refused = filters.find((filter) => this.forbidden.has(filter));
        if (refused !== undefined) throw mqttErrors.SUBSCRIPTION_REFUSED({ url, filter: refused });
        for (const filter of filters) {
          client.filters.add(filter);
          for (const message of this.#retained.values()) {
            if (matchesFilter(filter, message.topic)) this.#deliver(client, message);
          }
        }
      },
      unsubscribe: async (filters) => {
        check();
        for (const filter of filters) client.filters.delete(filter);
      },
      publish: async ({ topic, payload, retain }) => {
        check();
        const message = { topic, payload: typeof payload === 'string' ? new TextEncoder().encode(payload) : payload };
        if (this.isPoison(message)) {
          client.end('closed by the broker');
          check();
        }
        if (retain && message.payload.length === 0) this.#retained.delete(topic);
        else if (retain) this.#retained.set(topic, message);
        for (const other of this.#clients) {
          if ([...other.filters].some((filter) => matchesFilter(filter, topic))) this.#deliver(other, message);
        }
      },
      close: async () => client.end('closed by us'),
    };
  }

  #deliver(client: Client, message: MqttMessage): void {
    client.inbox = client.inbox.then(() =>
      client.isOpen ? client.options.onMessage(message).catch(() => undefined) : undefined,
    );
  }
}
