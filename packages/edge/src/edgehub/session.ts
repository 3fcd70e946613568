// One connection to the cloud, from the open socket to its end: keepalives, what comes in, what goes out.
import { orAbort } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Random, Socket } from '@kedge/core/ports';
import { type Clock, type Duration, milliseconds, minutes } from '@kedge/core/time';
import { failure, type NodeName } from '@kedge/model/k8s';
import { type Downstream, type Handlers, messageId, type Question, type Upstream } from '@kedge/model/messages';
import type { EdgeCodec } from '@kedge/wire/hub';
import { drainOutbox, toTold } from './drain-outbox.ts';
import { edgeHubErrors } from './edge-hub-errors.ts';
import { createOutgoing } from './outgoing.ts';
import type { Asks, Outbox, OutboxItem } from './ports.ts';
import { createReceive } from './receive.ts';

export interface SessionDeps<Item extends OutboxItem> {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly node: NodeName;
  readonly codec: EdgeCodec;
  readonly handlers: Handlers<Downstream>;
  readonly asks: Asks;
  readonly outbox: Outbox<Item>;
  readonly heartbeat: Duration;
  readonly writeTimeout: Duration;
  /** Resolves when the next frame may leave. */
  readonly pace: (signal: AbortSignal) => Promise<void>;
  /** Told at every heartbeat. */
  readonly onBeat: () => void;
}

/** More messages than this are not taken in before the first of them is on disk; the socket holds the cloud back. */
const maxHandled = 64;
const lookAtLease = minutes(2);

/** Runs until the connection ends or `signal` aborts; resolves with the reason. */
export async function runSession<Item extends OutboxItem>(
  socket: Socket,
  deps: SessionDeps<Item>,
  signal: AbortSignal,
): Promise<Error> {
  const { clock, random, asks, outbox, log, codec, handlers, heartbeat, writeTimeout, pace } = deps;
  const stop = new AbortController();
  const ending = AbortSignal.any([signal, stop.signal]);
  const outgoing = createOutgoing({ clock, socket, codec, pace, writeTimeout, signal: ending });
  let heardAt = clock.monotonic();
  let hasHeard = false;
  let arrived = socket.arrived;
  let leaseSeenAt: Duration | undefined;

  const stamp = (): Pick<Upstream, 'id' | 'at'> => ({ id: messageId(random.uuid()), at: clock.now() });

  async function beat(): Promise<never> {
    for (;;) {
      await outgoing.sendNow({ ...stamp(), kind: 'keepalive' });
      await clock.sleep('next keepalive', heartbeat, ending);
      deps.onBeat();
      // Part of a large object on a slow line: the next frame may be minutes away.
      if (socket.arrived !== arrived) {
        arrived = socket.arrived;
        heardAt = clock.monotonic();
      }
      const silence = milliseconds(clock.monotonic() - heardAt);
      // An upstream cloud that has spoken before may be slow because its Kubernetes API is.
      if (silence >= (hasHeard && !codec.isDense ? 4 : 2) * heartbeat) throw edgeHubErrors.SILENT({ ms: silence });
      // Upstream answers no keepalive, and it leaves refused nodes on an open line. It does answer this.
      if (silence >= heartbeat && !codec.isDense) {
        await outgoing.send({ ...stamp(), kind: 'object.get', ref: nodeRef(deps.node) });
      }
    }
  }

  async function receive(fail: (error: unknown) => void): Promise<never> {
    const take = createReceive({ handlers, log, stamp, send: outgoing.send });
    const handling = new Set<Promise<void>>();
    for await (const frame of socket.frames()) {
      heardAt = clock.monotonic();
      hasHeard = true;
      arrived = socket.arrived;
      for (const received of codec.decode(frame)) {
        const handled: Promise<void> = take(received)
          .catch(fail)
          .finally(() => handling.delete(handled));
        handling.add(handled);
      }
      if (handling.size >= maxHandled) await orAbort(Promise.race(handling), ending);
    }
    throw edgeHubErrors.CLOSED(await socket.closed);
  }

  /**
   * Renewing the Lease is what the keepalive does on a dense link, so this question is answered here. Now and then the
   * cloud is asked whether the Lease is still there: an edge notices by it that its Node was deleted.
   */
  async function put(question: Question): Promise<void> {
    if (!codec.isDense && question.kind === 'object.get' && question.ref.type === 'servicelist') {
      // An upstream cloud would leave it unanswered.
      const outcome = {
        ok: false,
        status: failure('MethodNotAllowed', 'this cloud does not tell of services'),
      } as const;
      const { kind, ref, id } = question;
      return handlers.reply({ ...stamp(), kind: 'reply', to: id, question: kind, ref, outcome, wantsAck: false });
    }
    if (!codec.isDense || question.kind !== 'object.update' || question.ref.type !== 'lease') {
      return outgoing.send(question);
    }
    const { kind, ref, object, id, at } = question;
    if (leaseSeenAt === undefined || clock.monotonic() - leaseSeenAt >= lookAtLease) {
      leaseSeenAt = clock.monotonic();
      return outgoing.send({ kind: 'object.get', ref, id, at });
    }
    const outcome = { ok: true, value: object } as const;
    return handlers.reply({ ...stamp(), kind: 'reply', to: id, question: kind, ref, outcome, wantsAck: false });
  }

  const detach = asks.attach(put);
  try {
    return await new Promise<Error>((resolve) => {
      const end = (error: unknown): void => resolve(error instanceof Error ? error : new Error(String(error)));
      if (ending.aborted) return end(ending.reason);
      ending.addEventListener('abort', () => end(ending.reason), { once: true });
      beat().catch(end);
      receive(end).catch(end);
      const tell = (told: Parameters<typeof toTold>[0]): Promise<void> => outgoing.send(toTold(told, stamp()));
      drainOutbox({ clock, log, outbox, isDense: codec.isDense, ask: asks.ask, tell }, ending).catch(end);
    });
  } finally {
    stop.abort();
    detach();
  }
}

const nodeRef = (node: NodeName) => ({ type: 'node', namespace: undefined, name: node });
