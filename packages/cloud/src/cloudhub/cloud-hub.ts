// Accepts links: one session per node, the newest wins. Also says on the Node which cloudcore serves it.
import type { Scope } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Metrics } from '@kedge/core/metrics';
import type { Module } from '@kedge/core/module';
import type {
  HttpServers,
  Listening,
  Random,
  ServerRequest,
  Socket,
  TlsFiles,
  UpgradeDecision,
} from '@kedge/core/ports';
import type { Clock, Duration } from '@kedge/core/time';
import type { KubeApi } from '@kedge/engine/kube-client';
import type { NodeName } from '@kedge/model/k8s';
import { maxHubFrameBytes } from '@kedge/wire/hub';
import { admitUpgrade } from './admit.ts';
import type { Belongings } from './authorize.ts';
import { cloudHubErrors } from './cloud-hub-errors.ts';
import type { EdgeHandlers } from './handlers.ts';
import { type Negotiated, negotiateLink, upstreamCodec } from './link-codec.ts';
import type { Ledger } from './ledger.ts';
import { createHubMetrics } from './hub-metrics.ts';
import { markServedBy } from './mark-node.ts';
import type { Outboxes } from './outboxes.ts';
import { type Authorization, createSession, type Session, type Told } from './session.ts';

export interface CloudHubConfig {
  readonly address: string;
  readonly port: number;
  readonly nodeLimit: number;
  /** A link without a keepalive for this long is over. */
  readonly keepalive: Duration;
  /** A link that takes longer to take a message is over. */
  readonly writeTimeout: Duration;
  readonly authorization: Authorization;
  /** What nodes are told to be served by. */
  readonly ownAddress: string;
}

/** What others learn from the hub. */
export interface LinkEvents {
  /** The records about the node are to be looked at: it has just connected, or may have lost its store. */
  connected(node: NodeName, link: { wantsNode: boolean }): void;
  /** The edge may have lost its store; `connected` follows. */
  distrusted(node: NodeName): void;
  /** Renews the Lease of a node that leaves it to us. */
  alive(node: NodeName): void;
}

export interface CloudHubDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly kube: KubeApi;
  readonly servers: HttpServers;
  readonly tls: () => TlsFiles & { readonly clientCa: string };
  readonly outboxes: Outboxes;
  readonly ledger: Ledger;
  readonly handlers: EdgeHandlers;
  readonly belongings: Belongings;
  readonly events: LinkEvents;
  readonly metrics: Metrics;
}

export interface CloudHub extends Module {
  readonly connected: ReadonlySet<NodeName>;
  /** Sent once, and only to a node that is connected. */
  tell(node: NodeName, message: Told): void;
  /** Ends the session of a node that is no more. */
  dismiss(node: NodeName): void;
  /** A renewed serving certificate counts for new connections. */
  renew(tls: TlsFiles): void;
  readonly port: number;
  readonly isListening: boolean;
}

const upstreamWay: Negotiated = { codec: upstreamCodec, headers: {}, mayBeEmpty: false };

export function createCloudHub(deps: CloudHubDeps, config: CloudHubConfig): CloudHub {
  const { clock, random, outboxes, ledger, handlers, belongings, events } = deps;
  const log = deps.log.child({ module: 'cloudhub' });
  const sessions = new Map<NodeName, Session>();
  const connected = new Set<NodeName>();
  const metrics = createHubMetrics(deps.metrics);
  metrics.sessions.set(0);
  let listening: Listening | undefined;

  function upgrade(request: ServerRequest, scope: Scope): UpgradeDecision {
    const admission = admitUpgrade({
      headers: request.headers,
      peer: request.peer,
      liveSessions: sessions.size,
      isConnected: (node) => sessions.has(node),
      nodeLimit: config.nodeLimit,
    });
    if (!admission.admit) {
      log.warn('link refused', { address: request.remoteAddress, code: admission.status, reason: admission.say });
      return { accept: false, status: admission.status, say: admission.say };
    }
    const negotiated = negotiateLink(request.headers, () => clock.now()) ?? upstreamWay;
    return {
      accept: true,
      headers: negotiated.headers,
      maxFrameBytes: maxHubFrameBytes,
      open: (socket) =>
        scope.spawn(`session of ${admission.node}`, (signal) => serve(socket, admission.node, negotiated, signal)),
    };
  }

  async function doubt(node: NodeName, signal: AbortSignal): Promise<void> {
    log.info('edge may have lost its store; sending everything again', { node });
    await ledger.distrust(node, signal);
    events.distrusted(node);
  }

  async function serve(socket: Socket, node: NodeName, link: Negotiated, signal: AbortSignal): Promise<void> {
    const outbox = outboxes.of(node);
    const session = createSession({
      clock,
      log,
      random,
      socket,
      codec: link.codec,
      metrics,
      node,
      outbox,
      handlers,
      authorization: config.authorization,
      belongings,
      recordKept: (put) => ledger.acknowledged(node, put, put.version),
      onKeepalive: () => link.codec.renewsLease && events.alive(node),
      async prepare(signal) {
        if (link.mayBeEmpty) await doubt(node, signal);
        events.connected(node, { wantsNode: link.codec.wantsNode });
      },
      // One of ours says so in the handshake; of the others we only know that the process is new.
      async onRegistration(signal) {
        if (link !== upstreamWay) return;
        await doubt(node, signal);
        events.connected(node, { wantsNode: link.codec.wantsNode });
      },
      silenceLimit: config.keepalive,
      writeLimit: config.writeTimeout,
    });
    sessions.get(node)?.end(cloudHubErrors.REPLACED({ node }));
    sessions.set(node, session);
    connected.add(node);
    metrics.sessions.set(sessions.size);
    const silence = outboxes.onChange(node, () => session.wake());
    log.info('edge connected', { node, address: socket.remoteAddress });
    void markServedBy(deps, node, config.ownAddress, signal);
    await session.run(signal);
    silence();
    if (sessions.get(node) !== session) return;
    sessions.delete(node);
    connected.delete(node);
    metrics.sessions.set(sessions.size);
  }

  return {
    name: 'cloudhub',
    connected,
    get port() {
      return listening?.port ?? config.port;
    },
    get isListening() {
      return listening !== undefined;
    },
    tell: (node, message) => sessions.get(node)?.tell(message),
    dismiss(node) {
      sessions.get(node)?.end(cloudHubErrors.NODE_DELETED({ node }));
    },
    renew: (tls) => listening?.renew(tls),
    async start(scope) {
      const { certificate, key, clientCa } = deps.tls();
      listening = await deps.servers.listen({
        address: config.address,
        port: config.port,
        tls: { certificate, key, clientCa, clientAuth: 'require' },
        upgrade: (request) => upgrade(request, scope),
      });
      const open = listening;
      scope.defer('hub listener', () => open.close());
      log.info('hub is listening', { address: config.address, port: listening.port });
    },
  };
}
