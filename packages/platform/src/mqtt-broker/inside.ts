// Connections to the broker from within its own process: no socket, no packets, otherwise as any client's.
import { abortError } from '@kedge/core/flow';
import { type Mqtt, type MqttConnection, type MqttConnectOptions, mqttErrors } from '@kedge/core/ports';
import type { Aedes, AedesPublishPacket, PublishPacket } from 'aedes';
import type { Sessions } from './sessions.ts';

export interface InsideDeps {
  readonly url: string;
  readonly aedes: Aedes;
  readonly sessions: Pick<Sessions, 'accept' | 'retainedFor'>;
  readonly onSubscribed: () => void;
  readonly isMember: (user: {
    readonly username: string | undefined;
    readonly password: string | undefined;
  }) => boolean;
}

/** Messages that wait for a slow reader before whoever publishes has to. */
const readAhead = 64;

export function createInside({ url, aedes, sessions, onSubscribed, isMember }: InsideDeps) {
  const open = new Map<string, (reason: string) => void>();

  const connect: Mqtt['connect'] = async (options) => {
    const { clientId, credentials, signal } = options;
    if (signal?.aborted) throw abortError(signal);
    if (options.url !== url) throw mqttErrors.BAD_URL({ url: options.url });
    if (aedes.closed) throw mqttErrors.CONNECT_FAILED({ url, reason: 'the broker has ended' });
    if (!isMember({ username: credentials?.username, password: credentials?.password.reveal() })) {
      throw mqttErrors.REFUSED({ url, reason: 'wrong user name or password' });
    }
    open.get(clientId)?.('another client has taken over its id');
    const { connection, end } = openConnection(options);
    open.set(clientId, end);
    return connection;
  };

  function openConnection({ clientId, onMessage }: MqttConnectOptions): {
    connection: MqttConnection;
    end: (reason: string) => void;
  } {
    const closed = Promise.withResolvers<string>();
    const subscriptions = new Map<string, (packet: AedesPublishPacket, done: () => void) => void>();
    let why: string | undefined;
    let inbox: Promise<void> = Promise.resolve();
    let waiting = 0;
    /** Messages are numbered; one that two filters match comes once. */
    let newest = 0;

    function hand({ topic, payload }: { topic: string; payload: string | Uint8Array }): Promise<void> {
      const message = { topic, payload: typeof payload === 'string' ? Buffer.from(payload) : payload };
      waiting += 1;
      inbox = inbox.then(async () => {
        if (why === undefined) await onMessage(message).catch(() => undefined);
        waiting -= 1;
      });
      return inbox;
    }
    function receive(packet: AedesPublishPacket, done: () => void): void {
      if (packet.brokerCounter <= newest) return done();
      newest = packet.brokerCounter;
      const handed = hand(packet);
      if (waiting <= readAhead) done();
      else void handed.finally(done);
    }
    function end(reason: string): void {
      if (why !== undefined) return;
      why = reason;
      for (const [filter, deliver] of subscriptions) aedes.unsubscribe(filter, deliver, () => undefined);
      subscriptions.clear();
      if (open.get(clientId) === end) open.delete(clientId);
      closed.resolve(reason);
    }
    const check = (): void => {
      if (why !== undefined) throw mqttErrors.CONNECTION_LOST({ url, reason: why });
    };
    const connection: MqttConnection = {
      closed: closed.promise,
      async subscribe(filters) {
        check();
        for (const filter of filters) {
          if (!subscriptions.has(filter)) {
            const isWild = /^[+#]/.test(filter);
            // What begins with a dollar is not meant by a wildcard.
            const deliver: typeof receive = (packet, done) =>
              isWild && packet.topic.startsWith('$') ? done() : receive(packet, done);
            subscriptions.set(filter, deliver);
            await new Promise<void>((resolve) => aedes.subscribe(filter, deliver, resolve));
          }
        }
        for (const message of sessions.retainedFor(filters)) void hand(message);
        onSubscribed();
      },
      async unsubscribe(filters) {
        check();
        for (const filter of filters) {
          const deliver = subscriptions.get(filter);
          if (!deliver) continue;
          subscriptions.delete(filter);
          await new Promise<void>((resolve) => aedes.unsubscribe(filter, deliver, resolve));
        }
      },
      async publish({ topic, payload, qos, retain = false }) {
        check();
        const body = typeof payload === 'string' ? payload : Buffer.from(payload);
        const packet: PublishPacket = { cmd: 'publish', topic, payload: body, qos, retain, dup: false };
        // Whoever publishes from here has it in memory anyway: it is on disk a little later.
        sessions.accept(packet, undefined);
        await new Promise<void>((resolve, reject) =>
          aedes.publish(packet, (error) =>
            error ? reject(mqttErrors.CONNECTION_LOST({ url, reason: error.message }, error)) : resolve(),
          ),
        );
      },
      async close() {
        end('closed by us');
      },
    };
    return { connection, end };
  }

  return {
    connect,
    has: (clientId: string): boolean => open.has(clientId),
    end(reason: string): void {
      for (const finish of open.values()) finish(reason);
    },
  };
}
