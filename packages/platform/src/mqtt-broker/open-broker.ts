// A broker inside this process. aedes does MQTT; here are its listener, who may connect, and the bounds that aedes leaves to
// others: sizes, counts, and how long a slow client may hold up the rest.
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import { explain } from '@kedge/core/errors';
import type { Log } from '@kedge/core/log';
import { type MqttBroker, type MqttBrokerOptions, type MqttBrokers, mqttErrors } from '@kedge/core/ports';
import { Aedes, type AuthenticateError, type Client, type ConnectPacket, type PublishPacket } from 'aedes';
import { createInside } from './inside.ts';
import { limitPackets } from './limit-packets.ts';
import type { StoredPacket } from './queues.ts';
import { createSessions } from './sessions.ts';

/** From the first byte to the CONNECT. */
const connectMs = 10_000;
/** How long a client that does not read may hold up a message for the others. */
const stallMs = 10_000;
const longestClientId = 256;
const longestFilter = 1_024;
const largestWill = 64 << 10;
/** Handshakes beside the clients. */
const spareConnections = 16;
/** QoS 2 messages of one client that it has not released. */
const halfPublished = 16;

/** Why a client is turned away, with the code of its CONNACK. */
const refusals = {
  identifier: { code: 2, say: 'its client id is too long, or taken by edgecore' },
  unavailable: { code: 3, say: 'too many clients are connected' },
  credentials: { code: 4, say: 'wrong user name or password' },
};

interface MqttBrokersDeps {
  readonly log: Log;
  /** Unix milliseconds. */
  readonly now: () => number;
}

export const createMqttBrokers = ({ log, now }: MqttBrokersDeps): MqttBrokers => ({
  open: (options) => open(options, { log: log.child({ module: 'mqtt-broker' }), now }),
});

async function open(options: MqttBrokerOptions, { log, now }: MqttBrokersDeps): Promise<MqttBroker> {
  const { limits, credentials, memory } = options;
  const expected = credentials && digest(`${credentials.username}\0${credentials.password.reveal()}`);
  /** What each client is subscribed to. */
  const allowed = new WeakMap<Client, Set<string>>();
  const isConnected = (clientId: string): boolean =>
    Object.hasOwn((aedes as unknown as { clients: object }).clients, clientId);
  const sessions = createSessions({
    log,
    limits,
    memory,
    isAllowed: (client, filter) => allowed.get(client as Client)?.has(filter) ?? false,
    isConnected,
    now,
  });

  function mayConnect(client: Client, username: string | undefined, password: Uint8Array | undefined) {
    if (client.id.length > longestClientId || inside.has(client.id)) return refusals.identifier;
    if (!matchesCredentials(username, password === undefined ? undefined : Buffer.from(password).toString())) {
      return refusals.credentials;
    }
    return aedes.connectedClients >= limits.clients && !isConnected(client.id) ? refusals.unavailable : undefined;
  }
  const matchesCredentials = (username: string | undefined, password: string | undefined): boolean =>
    !expected || timingSafeEqual(expected, digest(`${username ?? ''}\0${password ?? ''}`));

  const aedes = new Aedes({
    id: 'kedge',
    persistence: sessions,
    // Unlimited: each sender waits for its own messages, and so bounds what is under way.
    concurrency: 0,
    connectTimeout: connectMs,
    drainTimeout: stallMs,
    maxInflightInbound: halfPublished,
    preConnect(client, packet, done) {
      const { will } = packet as ConnectPacket;
      if ((will?.payload?.length ?? 0) > largestWill) return done(new Error('the will is too large'), false);
      tellLeftWills();
      done(null, true);
    },
    authenticate(client, username, password, done) {
      const refusal = mayConnect(client, username, password);
      if (refusal === undefined) return done(null, true);
      log.warn('an MQTT client was refused', { name: client.id.slice(0, longestClientId), reason: refusal.say });
      done(Object.assign(new Error(refusal.say), { returnCode: refusal.code }) as AuthenticateError, false);
    },
    // The place to wait in: right after this, aedes tells a sender that its message is accepted.
    authorizePublish(client, packet, done) {
      if (packet.topic.startsWith('$SYS/')) return done(new Error('$SYS is the broker’s own'));
      // A will is acknowledged to nobody; and this may be the last moment for it.
      const isWill = packet === willOf(client);
      const kept = sessions.accept(packet, client === null || isWill ? undefined : client);
      if (!client || isWill || !kept) return done(null);
      const answer = (): void => {
        if (client.closed) sessions.refuse(packet, client);
        done(client.closed ? new Error('the client has gone') : null);
      };
      void kept.then(answer);
    },
    authorizeSubscribe(client, subscription, done) {
      const filters = allowed.get(client) ?? new Set();
      allowed.set(client, filters);
      const { topic } = subscription;
      if (topic.length > longestFilter) return done(null, null);
      if (!filters.has(topic) && filters.size >= limits.subscriptionsPerClient) {
        log.warn('an MQTT client subscribes to too much', { name: client.id, limit: limits.subscriptionsPerClient });
        return done(null, null);
      }
      filters.add(topic);
      done(null, subscription);
    },
  });
  aedes.on('unsubscribe', (filters, client) => filters.forEach((filter) => allowed.get(client)?.delete(filter)));
  const publish = aedes.publish.bind(aedes);
  aedes.publish = (packet: PublishPacket, ...rest: never[]) =>
    sessions.handOut(packet, () => (publish as (...all: unknown[]) => void)(packet, ...rest));
  aedes.on('clientDisconnect', (client) => sessions.left(client));
  aedes.on('clientReady', (client) => {
    sessions.touch(client.id);
    // The one whose id it has taken over has taken its will away.
    const will = willOf(client);
    if (will) void sessions.putWill(client, will);
  });
  aedes.on('clientError', ({ id }, error) => log.debug('an MQTT client was lost', { name: id, reason: error.message }));
  aedes.on('connectionError', (_, error) => log.debug('an MQTT connection failed', { reason: error.message }));
  (aedes as unknown as NodeJS.EventEmitter).on('error', (error: Error) => log.warn('the MQTT broker', { err: error }));

  /** Of clients that were there when edgecore ended without a goodbye, as soon as somebody is there to hear. */
  function tellLeftWills(): void {
    for (const { clientId, will } of sessions.takeLeftWills()) {
      const packet: PublishPacket = {
        cmd: 'publish',
        dup: false,
        ...will,
        payload: Buffer.from(will.payload),
        qos: will.qos as 0 | 1 | 2,
      };
      sessions.accept(packet, undefined);
      aedes.publish(packet, () => sessions.willIsTold(clientId));
    }
  }

  const sockets = new Set<Socket>();
  const server = createServer(options);
  server.maxConnections = limits.clients + spareConnections;
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('tlsClientError', (error: Error) => log.debug('TLS handshake failed', { reason: error.message }));
  server.on(options.tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    limitPackets(socket, limits.packetBytes);
    if (aedes.closed) socket.destroy();
    else aedes.handle(socket);
  });
  const port = await listen(server, options);
  // From here on it has timers.
  await aedes.listen();
  const url = `internal://${options.address}:${port}`;
  const inside = createInside({
    url,
    aedes,
    sessions,
    onSubscribed: tellLeftWills,
    isMember: ({ username, password }) => matchesCredentials(username, password),
  });

  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    const ended = new Promise<void>((resolve) => server.close(() => resolve()));
    inside.end('the broker has ended');
    await new Promise<void>((resolve) => aedes.close(resolve));
    for (const socket of sockets) socket.destroy();
    await ended;
  }
  return {
    url,
    port,
    connect: inside.connect,
    renew: (tls) => {
      if (options.tls) usingTls(() => (server as TlsServer).setSecureContext(contextOf({ ...options.tls, ...tls })));
    },
    close: () => (closing ??= close()),
  };
}

/** As its CONNECT has it, until it is told. */
const willOf = (client: Client | null): StoredPacket | undefined => (client as { will?: StoredPacket } | null)?.will;

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

const contextOf = ({ certificate, key, clientCa }: NonNullable<MqttBrokerOptions['tls']>) => ({
  cert: certificate,
  key,
  minVersion: 'TLSv1.2' as const,
  ...(clientCa === undefined ? {} : { ca: clientCa }),
});

function createServer({ tls }: MqttBrokerOptions): Server | TlsServer {
  if (!tls) return createTcpServer();
  const asks = tls.clientCa !== undefined;
  return usingTls(() =>
    createTlsServer({ ...contextOf(tls), requestCert: asks, rejectUnauthorized: asks, handshakeTimeout: connectMs }),
  );
}

function usingTls<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw mqttErrors.BAD_TLS({ reason: explain(error) }, error);
  }
}

function listen(server: Server, { address, port }: MqttBrokerOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const onError = ({ code, message }: NodeJS.ErrnoException): void => {
      const reason = code === 'EADDRINUSE' ? 'it is in use by another program' : message;
      reject(mqttErrors.LISTEN_FAILED({ address, port, reason }));
    };
    server.once('error', onError);
    server.listen(port, address, () => {
      server.off('error', onError);
      // A listener that fails later: no file descriptors are left, for one.
      server.on('error', () => undefined);
      resolve((server.address() as { port: number }).port);
    });
  });
}
