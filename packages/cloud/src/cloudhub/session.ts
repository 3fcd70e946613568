// One node's connection: reads what the edge says, pushes what waits for it, and ends when the edge falls silent or says
// something that cannot be read. Nothing here outlives the connection; the outbox does.
import { codeOf, explain, type KedgeError } from '@kedge/core/errors';
import { KeyedMutex } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Random, Socket } from '@kedge/core/ports';
import { type Clock, type Duration, milliseconds, seconds, withTimeout } from '@kedge/core/time';
import { countTraffic, createAckedLane } from '@kedge/engine/channel';
import { fail, failure, type NodeName, toStatus } from '@kedge/model/k8s';
import { type DeviceReport, type Downstream, messageId, type MessageId, type Upstream } from '@kedge/model/messages';
import { wantsAck } from '@kedge/wire/hub';
import { authorize, type Belongings } from './authorize.ts';
import { cloudHubErrors } from './cloud-hub-errors.ts';
import { type Answer, type EdgeHandlers, handle, type Handled } from './handlers.ts';
import type { HubMetrics } from './hub-metrics.ts';
import type { LinkCodec } from './link-codec.ts';
import type { NodeOutbox } from './node-outbox.ts';
import type { Put } from './push.ts';

// Requests of one node worked on at a time; what is beyond that is told to come again. Reading goes on meanwhile:
// acknowledgements and signs of life must not wait for a slow API.
const requestsAtATime = 512;
// Reports of devices besides: each waits for a write that is held back on purpose.
const reportsAtATime = 4_096;
/** RFC 6455, section 7.4.1: how a WebSocket ends whose peer sent a broken or an oversized frame. */
const brokenProtocol: readonly number[] = [1002, 1009];
/** Answers whose acknowledgement is waited for, to put on record what the edge keeps. */
const rememberedAnswers = 1_000;

/** Refusals that the edge does not read pile up; an edge with so many of them is not one of anybody's making. */
const refusalsAtATime = 4_096;

const hangUpLimit = seconds(2);
const tooMany = failure('TooManyRequests', 'this node has too many requests under way; try again later');

/** Whether a node is held to what belongs to it. */
export type Authorization = 'on' | 'log' | 'off';

export interface SessionDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly socket: Socket;
  readonly codec: LinkCodec;
  readonly metrics: HubMetrics;
  readonly node: NodeName;
  readonly outbox: NodeOutbox;
  readonly handlers: EdgeHandlers;
  /** `off` asks nobody; `log` lets through what would be refused, and says so. */
  readonly authorization: Authorization;
  readonly belongings: Belongings;
  /** An answer that the edge keeps was acknowledged. */
  readonly recordKept: (put: Put) => void;
  readonly onKeepalive: () => void;
  /** Before the first push. */
  readonly prepare: (signal: AbortSignal) => Promise<void>;
  /** The edge registers its Node: its process is new, and its store may be too. It hears no answer before this resolves. */
  readonly onRegistration: (signal: AbortSignal) => Promise<void>;
  readonly silenceLimit: Duration;
  readonly writeLimit: Duration;
}

type Unsent<M> = M extends unknown ? Omit<M, 'id' | 'at'> : never;
/** What is sent once and not waited for. */
export type Told = Unsent<Extract<Downstream, { kind: 'membership.update' | 'membership.detail' }>>;

export interface Session {
  readonly node: NodeName;
  /** Settles when the connection is over; never rejects. */
  run(signal: AbortSignal): Promise<void>;
  /** Has the outbox looked at again. */
  wake(): void;
  /** Sends it once. */
  tell(message: Told): void;
  end(why: KedgeError): void;
}

export function createSession(deps: SessionDeps): Session {
  const { clock, random, socket, codec, node, outbox, handlers } = deps;
  const log = deps.log.child({ node });
  const stop = new AbortController();
  const oneAtATime = new KeyedMutex();
  const line = new KeyedMutex();
  const working = new Set<Promise<void>>();
  const kept = new Map<MessageId, Put>();
  let reports = 0;
  let lastKeepalive = clock.monotonic();

  const { metrics } = deps;
  const laneCounters = {
    sent: metrics.pushes,
    repeated: metrics.repeats,
    acknowledged: metrics.acknowledgements,
    refused: metrics.refusals,
  };
  const count = countTraffic(socket, metrics.traffic);

  /** A peer that does not read would have everything wait in memory. */
  const writeNow = (data: string | Uint8Array): Promise<void> =>
    withTimeout(clock, 'a write to the edge', deps.writeLimit, socket.send(data), () =>
      cloudHubErrors.STUCK({ node, seconds: deps.writeLimit / seconds(1) }),
    );
  /** One after the other: on a slow line a message must not be blamed for the time of those before it. */
  const write = (data: string | Uint8Array): Promise<void> => line.run('', () => writeNow(data));
  const send = (message: Downstream): Promise<void> => write(codec.encode(message));
  const lane = createAckedLane<Downstream>({
    clock,
    log,
    source: { take: outbox.take, settle: (item) => outbox.settle(item as Parameters<NodeOutbox['settle']>[0]) },
    send,
    window: codec.window,
    onEvent: (event) => laneCounters[event].add(),
  });

  function receive(message: Upstream, signal: AbortSignal): void {
    switch (message.kind) {
      case 'keepalive':
        lastKeepalive = clock.monotonic();
        count();
        if (codec.pulse !== undefined) write(codec.pulse).catch((error: unknown) => stop.abort(error));
        deps.onKeepalive();
        return;
      case 'ack':
        if (!lane.acknowledged(message.to)) acknowledgedAnswer(message.to);
        return;
      case 'nack':
        log.warn('edge could not take an object', { resource: message.of.resource, reason: message.say });
        lane.refused(message.to);
        return;
      default: {
        if (working.size >= requestsAtATime + reportsAtATime + refusalsAtATime) {
          return stop.abort(cloudHubErrors.FLOOD({ node, limit: refusalsAtATime }));
        }
        const isReport = isDeviceReport(message);
        const isTooMuch = isReport ? reports >= reportsAtATime : working.size - reports >= requestsAtATime;
        if (isReport) reports++;
        const work = isTooMuch
          ? reply(message, { outcome: { ok: false, status: tooMany } })
          : isReport
            ? serve(message, signal)
            : oneAtATime.run(addressOf(message), () => serve(message, signal));
        const task: Promise<void> = work
          .catch((error: unknown) => stop.abort(error))
          .finally(() => {
            working.delete(task);
            if (isReport) reports--;
          });
        working.add(task);
      }
    }
  }

  function acknowledgedAnswer(to: MessageId): void {
    const put = kept.get(to);
    if (!put) return;
    kept.delete(to);
    deps.recordKept(put);
  }

  async function serve(message: Handled, signal: AbortSignal): Promise<void> {
    const answer = await answerTo(message, signal);
    if (answer && !signal.aborted) await reply(message, answer);
  }

  async function reply(message: Handled, answer: Answer): Promise<void> {
    if (!isQuestion(message)) return;
    // An upstream edge takes any answer to a report for its confirmation. Without one it sends the report again.
    if (isDeviceReport(message) && !codec.tellsRefusals && isPassing(answer)) return;
    const id = messageId(random.uuid());
    const ref = 'ref' in message ? message.ref : undefined;
    if (answer.kept) remember(id, answer.kept);
    await send({
      kind: 'reply',
      id,
      at: clock.now(),
      to: message.id,
      question: message.kind,
      address: 'address' in message ? message.address : undefined,
      ref,
      outcome: answer.outcome,
      version: answer.version,
      wantsAck: wantsAck(ref?.type),
    });
  }

  async function answerTo(message: Handled, signal: AbortSignal): Promise<Answer | undefined> {
    try {
      requireAllowed(message);
      if (message.kind === 'object.create' && message.ref.type === 'node') await deps.onRegistration(signal);
      return await handle(handlers, node, message, signal);
    } catch (error) {
      if (signal.aborted) return undefined;
      const status = toStatus(error);
      const fields = { kind: message.kind, resource: addressOf(message), reason: status.reason, err: error };
      if (status.reason === 'Forbidden') log.warn('request of a node refused', fields);
      else log.debug('request of a node failed', fields);
      return { outcome: { ok: false, status } };
    }
  }

  function requireAllowed(message: Handled): void {
    if (deps.authorization === 'off') return;
    const verdict = authorize(node, message, deps.belongings);
    if (verdict.allow) return;
    if (deps.authorization === 'on') throw fail('Forbidden', `node "${node}" may not do this: ${verdict.say}`);
    const resource = addressOf(message);
    log.warn('request of a node would be refused', { kind: message.kind, resource, reason: verdict.say });
  }

  function remember(id: MessageId, put: Put): void {
    if (kept.size >= rememberedAnswers) kept.delete(kept.keys().next().value!);
    kept.set(id, put);
  }

  async function readFrames(signal: AbortSignal): Promise<void> {
    for await (const frame of socket.frames()) {
      if (signal.aborted) return;
      for (const message of codec.decode(frame)) receive(message, signal);
    }
    const { code, reason } = await socket.closed;
    if (!signal.aborted && brokenProtocol.includes(code)) throw cloudHubErrors.PROTOCOL({ node, reason });
  }

  async function push(signal: AbortSignal): Promise<void> {
    await deps.prepare(signal);
    await lane.run(signal);
  }

  async function watchKeepalives(signal: AbortSignal): Promise<void> {
    for (;;) {
      const left = milliseconds(lastKeepalive + deps.silenceLimit - clock.monotonic());
      if (left <= 0) throw cloudHubErrors.SILENT({ node, seconds: deps.silenceLimit / seconds(1) });
      await clock.sleep('keepalive of the edge', left, signal);
    }
  }

  /** A peer that is gone does not answer the closing either. */
  async function goodbye(ended: Promise<unknown>): Promise<void> {
    const stillOpen = new AbortController();
    const patience = clock.sleep('the edge to hang up', hangUpLimit, stillOpen.signal).then(
      () => socket.terminate(),
      () => undefined,
    );
    await Promise.race([ended, patience]);
    stillOpen.abort();
    await ended;
  }

  return {
    node,
    wake: () => lane.wake(),
    tell: (message) =>
      void send({ ...message, id: messageId(random.uuid()), at: clock.now() }).catch((error: unknown) =>
        stop.abort(error),
      ),
    end: (why) => stop.abort(why),
    async run(outer) {
      const signal = AbortSignal.any([outer, stop.signal]);
      const hangUp = (): void => socket.close(1000, 'session ends');
      signal.addEventListener('abort', hangUp, { once: true });
      const parts = [readFrames(signal), push(signal), watchKeepalives(signal)];
      try {
        await Promise.race(parts);
        log.info('edge disconnected', signal.aborted ? { reason: explain(signal.reason) } : {});
      } catch (error) {
        log.warn('link to edge ended', { err: stop.signal.aborted ? stop.signal.reason : error });
        if (codeOf(error)?.startsWith('HUB_PEER_')) socket.close(1008, codeOf(error));
      } finally {
        signal.removeEventListener('abort', hangUp);
        stop.abort(new Error('session is over'));
        socket.close(1000, 'session ends');
        await goodbye(Promise.allSettled([...parts, ...working]));
        count();
      }
    },
  };
}

const isPassing = ({ outcome }: Answer): boolean => !outcome.ok && !hopeless.has(outcome.status.reason ?? '');
/** Saying it again would change nothing. */
const hopeless: ReadonlySet<string> = new Set(['NotFound', 'Forbidden', 'Conflict', 'Invalid', 'BadRequest']);

type Asking = Exclude<Handled, { kind: 'event.put' | 'event.patch' | 'bus.upload' | 'unknown' }>;

const isQuestion = (message: Handled): message is Asking =>
  message.kind !== 'event.put' &&
  message.kind !== 'event.patch' &&
  message.kind !== 'bus.upload' &&
  message.kind !== 'unknown' &&
  // Dense, it needs no confirmation and has no id for one.
  (message.kind !== 'membership.get' || message.id !== '');

/** Taken in the order they come; their answers wait for a write that several of them share. */
const isDeviceReport = (message: Handled): message is DeviceReport => 'device' in message;

/** Requests about one object are served in order; those about different ones side by side. */
function addressOf(message: Handled): string {
  if ('device' in message) return `device/${message.device.namespace}/${message.device.name}`;
  if ('ref' in message) return `${message.ref.type}/${message.ref.namespace ?? ''}/${message.ref.name}`;
  return message.kind === 'token.request' ? `token/${message.namespace}/${message.serviceAccount}` : message.kind;
}
