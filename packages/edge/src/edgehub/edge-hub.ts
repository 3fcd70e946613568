// The edge's end of the link: dials, keeps a session running, dials again. It is ready once it is dialling, because an
// edge has to boot without its cloud.
import { codeOf, explain } from '@kedge/core/errors';
import { abortError, createRateLimit } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Metrics } from '@kedge/core/metrics';
import type { Module } from '@kedge/core/module';
import type { Dialer, Random, Socket } from '@kedge/core/ports';
import { type Clock, type Duration, milliseconds, minutes, seconds } from '@kedge/core/time';
import { countTraffic, type LinkEvent, type LinkState, type LinkStatus, nextLinkState } from '@kedge/engine/channel';
import type { NodeName } from '@kedge/model/k8s';
import type { Downstream, Handlers } from '@kedge/model/messages';
import {
  createDenseEdgeCodec,
  type EdgeCodec,
  emptyStoreHeader,
  hubPeerErrors,
  linkHeader,
  maxHubFrameBytes,
  plainEdgeCodec,
} from '@kedge/wire/hub';
import { edgeHubErrors } from './edge-hub-errors.ts';
import type { Asks, Identity, Outbox, OutboxItem, Store } from './ports.ts';
import { runSession } from './session.ts';

export interface EdgeHubConfig {
  /** `host:port` of CloudHub's WebSocket listener. */
  readonly server: string;
  readonly node: NodeName;
  readonly projectId: string;
  readonly heartbeat: Duration;
  readonly handshakeTimeout: Duration;
  /** A frame that the network does not take for so long ends the connection. */
  readonly writeTimeout: Duration;
  readonly messagesPerSecond: number;
  readonly messageBurst: number;
}

export interface EdgeHubDeps<Item extends OutboxItem> {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly dialer: Dialer;
  readonly identity: Identity;
  readonly handlers: Handlers<Downstream>;
  readonly asks: Asks;
  readonly outbox: Outbox<Item>;
  readonly store: Store;
  /** Set by the hub, watched by everybody else. */
  readonly link: LinkStatus & { set(isOnline: boolean): void };
  readonly config: EdgeHubConfig;
}

export const edgeHubDefaults = {
  projectId: 'e632aba927ea4ac2b575ec1603d56f10',
  heartbeat: seconds(15),
  handshakeTimeout: seconds(30),
  writeTimeout: seconds(15),
  messagesPerSecond: 30,
  messageBurst: 60,
} as const;

/** When a store counts as filled: a stretch in which next to nothing arrived, or a link that held this long. */
const filling = { quiet: seconds(10), quietBytes: 1_500, atMost: minutes(2) } as const;

export interface EdgeHub extends Module {
  readonly state: LinkState<Socket>;
}

export function createEdgeHub<Item extends OutboxItem>(deps: EdgeHubDeps<Item>): EdgeHub {
  const { clock, random, dialer, identity, link, store, config } = deps;
  const log = deps.log.child({ module: 'edgehub' });
  const { messagesPerSecond: perSecond, messageBurst: burst } = config;
  const pace = createRateLimit(clock, 'turn to send', { perSecond, burst });
  const traffic = deps.metrics.counter('kedge_link_bytes_total', 'Bytes on the link to the cloud.');
  let state: LinkState<Socket> = { at: 'offline', attempt: 0, retryIn: milliseconds(0) };
  let warnedOf: string | undefined;

  function enter(event: LinkEvent<Socket>): void {
    const from = state.at;
    state = nextLinkState(state, event);
    link.set(state.at === 'online');
    if (state.at !== 'offline')
      return log[state.at === 'online' ? 'info' : 'debug']('link changed', { from, to: state.at });
    const fields = { from, to: state.at, retryInMs: state.retryIn, reason: explain(state.why) };
    // An edge may be alone for weeks: the same failure again and again is worth one warning.
    const isNew = warnedOf !== (codeOf(state.why) ?? '');
    warnedOf = codeOf(state.why) ?? '';
    log[isNew ? 'warn' : 'debug']('link changed', fields);
  }

  async function dial(signal: AbortSignal): Promise<{ socket: Socket; codec: EdgeCodec }> {
    const { ca, certificate, key } = identity.current();
    const { socket, headers } = await dialer.dial({
      url: `wss://${config.server}/${config.projectId}/${config.node}/events`,
      headers: {
        node_id: config.node,
        project_id: config.projectId,
        ConnectionUse: 'msg',
        [linkHeader.name]: linkHeader.value,
        ...(store.isEmpty ? { [emptyStoreHeader.name]: emptyStoreHeader.value } : {}),
      },
      tls: { ca, certificate, key: key.reveal() },
      maxFrameBytes: maxHubFrameBytes,
      timeoutMs: config.handshakeTimeout,
      signal,
    });
    const isDense = headers[linkHeader.name] === linkHeader.value;
    return { socket, codec: isDense ? createDenseEdgeCodec(() => clock.now()) : plainEdgeCodec };
  }

  /**
   * Our own cloud sends everything again when told that the store is empty; once it falls quiet, that has been carried.
   * Until then edged ends nothing that it does not know, so the wait should be no longer than it has to be.
   * An upstream cloud cannot be told: it sends an object when that changes next.
   */
  async function noteFilled(socket: Socket, signal: AbortSignal): Promise<void> {
    const began = clock.monotonic();
    for (let before = -Infinity, now = socket.arrived; now - before > filling.quietBytes; now = socket.arrived) {
      if (clock.monotonic() - began >= filling.atMost) break;
      before = now;
      await clock.sleep('store to be filled', filling.quiet, signal);
    }
    await store.filled();
  }

  /** Dials once and stays with the connection to its end; resolves with why it ended. */
  async function connect(signal: AbortSignal): Promise<Error> {
    const stop = new AbortController();
    const stopListening = identity.listen(() => stop.abort(edgeHubErrors.RENEWED(undefined)));
    const ending = AbortSignal.any([signal, stop.signal]);
    try {
      const { socket, codec } = await dial(ending);
      enter({ on: 'opened', session: socket, now: clock.monotonic() });
      warnedOf = undefined;
      const count = countTraffic(socket, traffic);
      if (store.isEmpty) {
        noteFilled(socket, ending).catch(
          (error: unknown) => ending.aborted || log.warn('store not marked', { err: error }),
        );
      }
      const { node, heartbeat, writeTimeout } = config;
      const session = { ...deps, log, pace, node, heartbeat, writeTimeout, codec, onBeat: count };
      const why = await runSession(socket, session, ending);
      hangUp(socket, why);
      count();
      return why;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    } finally {
      stopListening();
      stop.abort();
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      enter({ on: 'dial' });
      const why = await connect(signal);
      enter({
        on: 'lost',
        why: signal.aborted ? abortError(signal) : why,
        chance: random.next(),
        now: clock.monotonic(),
      });
      if (state.at !== 'offline' || edgeHubErrors.RENEWED.is(why)) continue;
      await clock.sleep('redial', state.retryIn, signal).catch(() => undefined);
    }
  }

  return {
    name: 'edgehub',
    get state() {
      return state;
    },
    async start(scope) {
      scope.spawn('link to the cloud', run);
    },
  };
}

/** A peer that does not answer would not answer a closing handshake either. */
function hangUp(socket: Socket, why: Error): void {
  if (edgeHubErrors.SILENT.is(why) || edgeHubErrors.STUCK.is(why)) socket.terminate();
  else socket.close(closeCode(why), explain(why).slice(0, 100));
}

/** RFC 6455 section 7.4.1. */
function closeCode(why: Error): number {
  if (hubPeerErrors.FRAME_TOO_LARGE.is(why)) return 1009;
  if (hubPeerErrors.BAD_TEXT.is(why)) return 1007;
  return codeOf(why)?.startsWith('HUB_PEER_') ? 1002 : 1000;
}
