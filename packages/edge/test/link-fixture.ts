// An edge's half of the link in one process: metamanager on a database in memory, edgehub, and a cloud that a test
// plays by hand at the other end of an in-memory link.
import { BoundedQueue, openScope } from '@kedge/core/flow';
import { silentLog, secret } from '@kedge/core/log';
import { createMetrics } from '@kedge/core/metrics';
import { type Database, type Dialer, type DialOptions, type Headers, httpErrors, type Random } from '@kedge/core/ports';
import { FakeClock } from '@kedge/core/testing';
import { seconds } from '@kedge/core/time';
import { createEdgeHub, edgeHubDefaults } from '@kedge/edge/edgehub';
import { createMetaManager, edgeMigrations } from '@kedge/edge/metamanager';
import { createLinkStatus } from '@kedge/engine/channel';
import { nodeName } from '@kedge/model/k8s';
import type { RawMessage } from '@kedge/model/messages';
import { openDatabase } from '@kedge/platform/sqlite';
import { type LinkPair, linkPair } from '@kedge/testing/link';
import { decodeEnvelope, encodeEnvelope, maxHubFrameBytes, readFrame } from '@kedge/wire/hub';

export const settle = async (): Promise<void> => {
  for (let i = 0; i < 8; i++) await new Promise((resolve) => setImmediate(resolve));
};

export const openTestDatabase = (): Database =>
  openDatabase({ path: ':memory:', migrations: edgeMigrations, durability: 'normal' });

/** Numbers its ids, so that a test can be read. */
export function countingRandom(): Random {
  let n = 0;
  return { next: () => 0.5, uuid: () => `00000000-0000-4000-8000-${String(++n).padStart(12, '0')}` };
}

/** The cloud as a test plays it: what came, in order, and a way to send. */
export interface PlayedCloud {
  readonly link: LinkPair;
  readonly received: RawMessage[];
  send(message: RawMessage | string | Uint8Array): Promise<void>;
  /** The next message that `wanted` accepts, received already or yet to come. */
  next(wanted: (message: RawMessage) => boolean): Promise<RawMessage>;
}

export interface EdgeUnderTest {
  readonly clock: FakeClock;
  readonly meta: ReturnType<typeof createMetaManager>;
  readonly hub: ReturnType<typeof createEdgeHub>;
  readonly link: ReturnType<typeof createLinkStatus>;
  readonly dialled: DialOptions[];
  /** The next connection that the edge opens. */
  accept(): Promise<PlayedCloud>;
  /** While true, dialling fails. */
  unreachable: boolean;
  renewCertificate(): void;
  /** Cuts the connection that stands. */
  cut(): void;
  /** Bytes on the connection that stands. */
  traffic(): { sent: number; received: number };
  stop(): Promise<readonly string[]>;
}

export interface EdgeOptions {
  readonly node?: string;
  readonly db?: Database;
  readonly clock?: FakeClock;
  readonly random?: Random;
  /** Where a dialled connection leads; to a cloud that the test plays when absent. */
  readonly connect?: (how: DialOptions) => { pair: LinkPair; headers: Headers };
}

export async function startEdge(options: EdgeOptions = {}): Promise<EdgeUnderTest> {
  const clock = options.clock ?? new FakeClock({ settle });
  const random = options.random ?? countingRandom();
  const node = nodeName(options.node ?? 'real-edge');
  const link = createLinkStatus();
  const meta = createMetaManager({ db: options.db ?? openTestDatabase(), clock, log: silentLog, random, node });
  const accepted = new BoundedQueue<LinkPair>('connections', 16);
  const renewed = new Set<() => void>();
  const dialled: DialOptions[] = [];
  const edge = { unreachable: false };
  let current: LinkPair | undefined;
  const dialer: Dialer = {
    async dial(how) {
      dialled.push(how);
      if (edge.unreachable) throw httpErrors.CONNECT_FAILED({ url: how.url, reason: 'refused' });
      const { pair, headers } = options.connect?.(how) ?? { pair: linkPair(), headers: {} };
      current = pair;
      if (!options.connect) accepted.push(pair);
      return { socket: pair.edge, headers };
    },
  };
  const hub = createEdgeHub({
    clock,
    log: silentLog,
    random,
    metrics: createMetrics(),
    dialer,
    identity: {
      current: () => ({ ca: 'ca', certificate: 'certificate', key: secret('key') }),
      listen(listener) {
        renewed.add(listener);
        return () => renewed.delete(listener);
      },
    },
    handlers: meta.handlers,
    asks: meta.asks,
    outbox: meta.outbox,
    store: meta.store,
    link,
    config: { ...edgeHubDefaults, server: 'cloud:10000', node },
  });
  const scope = openScope({ clock, name: 'edge' });
  await meta.start(scope);
  await hub.start(scope);

  return Object.assign(edge, {
    clock,
    meta,
    hub,
    link,
    dialled,
    accept: async () => playCloud((await clock.until(accepted.take(new AbortController().signal)))!),
    cut: () => current?.cut(),
    traffic: () => ({ ...(current?.edge.traffic ?? { sent: 0, received: 0 }) }),
    renewCertificate: () => [...renewed].forEach((listener) => listener()),
    stop: () => clock.until(scope.close(seconds(5))),
  });
}

function playCloud(link: LinkPair): PlayedCloud {
  const received: RawMessage[] = [];
  const waiting: { wanted: (message: RawMessage) => boolean; found: (message: RawMessage) => void }[] = [];
  void (async () => {
    for await (const frame of link.cloud.frames()) {
      const message = decodeEnvelope(readFrame(frame, maxHubFrameBytes));
      received.push(message);
      const index = waiting.findIndex(({ wanted }) => wanted(message));
      if (index >= 0) waiting.splice(index, 1)[0]!.found(message);
    }
  })();
  return {
    link,
    received,
    send: (message) =>
      link.cloud.send(typeof message === 'string' || message instanceof Uint8Array ? message : encodeEnvelope(message)),
    next: (wanted) =>
      new Promise((resolve) => {
        const there = received.find(wanted);
        if (there) resolve(there);
        else waiting.push({ wanted, found: resolve });
      }),
  };
}
