// One connection to the cloud, from the open socket to its end: keepalives, what comes in, what goes out.
import type { Log } from '@kedge/core/log';
import { orAbort } from '@kedge/core/flow';
import type { Random, Socket } from '@kedge/core/ports';
import { type Clock, type Duration, milliseconds, seconds, withTimeout } from '@kedge/core/time';
import type { NodeName } from '@kedge/model/k8s';
import { type Downstream, type Handlers, messageId, type Upstream } from '@kedge/model/messages';
import { decodeEnvelope, encodeEnvelope, maxHubFrameBytes, readFrame, upstreamToWire } from '@kedge/wire/hub';
import { drainOutbox, toTold } from './drain-outbox.ts';
import { edgeHubErrors } from './edge-hub-errors.ts';
import type { Asks, Outbox, OutboxItem } from './ports.ts';
import { createReceive } from './receive.ts';

export interface SessionDeps<Item extends OutboxItem> {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly node: NodeName;
  readonly handlers: Handlers<Downstream>;
  readonly asks: Asks;
  readonly outbox: Outbox<Item>;
  readonly heartbeat: Duration;
  /** Resolves when the next message may leave. */
  readonly pace: (signal: AbortSignal) => Promise<void>;
}

/** A message that the network does not take for so long ends the connection. */
const writeDeadline = seconds(15);
/** More messages than this are not taken in before the first of them is on disk; the socket holds the cloud back. */
const maxHandled = 64;

/** Runs until the connection ends or `signal` aborts; resolves with the reason. */
export async function runSession<Item extends OutboxItem>(
  socket: Socket,
  deps: SessionDeps<Item>,
  signal: AbortSignal,
): Promise<Error> {
  const { clock, random, asks, outbox, log } = deps;
  const stop = new AbortController();
  const ending = AbortSignal.any([signal, stop.signal]);
  let heardAt = clock.monotonic();
  let hasHeard = false;

  const stamp = (): Pick<Upstream, 'id' | 'at'> => ({ id: messageId(random.uuid()), at: clock.now() });
  const transmit = (message: Upstream): Promise<void> =>
    withTimeout(
      clock,
      'link to take a message',
      writeDeadline,
      socket.send(encodeEnvelope(upstreamToWire(message))),
      () => edgeHubErrors.STUCK({ ms: writeDeadline }),
    );
  const send = async (message: Upstream): Promise<void> => {
    await deps.pace(ending);
    await transmit(message);
  };

  async function beat(): Promise<never> {
    for (;;) {
      await transmit({ ...stamp(), kind: 'keepalive' });
      await clock.sleep('next keepalive', deps.heartbeat, ending);
      const silence = milliseconds(clock.monotonic() - heardAt);
      // A cloud that has spoken before may be slow because its Kubernetes API is.
      if (silence >= (hasHeard ? 4 : 2) * deps.heartbeat) throw edgeHubErrors.SILENT({ ms: silence });
      // Upstream answers no keepalive, and it leaves refused nodes on an open line. It does answer this.
      if (silence >= deps.heartbeat) await send({ ...stamp(), kind: 'object.get', ref: nodeRef(deps.node) });
    }
  }

  async function receive(fail: (error: unknown) => void): Promise<never> {
    const take = createReceive({ handlers: deps.handlers, log, stamp, send });
    const handling = new Set<Promise<void>>();
    for await (const frame of socket.frames()) {
      heardAt = clock.monotonic();
      hasHeard = true;
      const handled = take(decodeEnvelope(readFrame(frame, maxHubFrameBytes)))
        .catch(fail)
        .finally(() => handling.delete(handled));
      handling.add(handled);
      if (handling.size >= maxHandled) await orAbort(Promise.race(handling), ending);
    }
    throw edgeHubErrors.CLOSED(await socket.closed);
  }

  const detach = asks.attach(send);
  try {
    return await new Promise<Error>((resolve) => {
      const end = (error: unknown): void => resolve(error instanceof Error ? error : new Error(String(error)));
      if (ending.aborted) return end(ending.reason);
      ending.addEventListener('abort', () => end(ending.reason), { once: true });
      beat().catch(end);
      receive(end).catch(end);
      drainOutbox({ clock, log, outbox, ask: asks.ask, tell: (told) => send(toTold(told, stamp())) }, ending).catch(
        end,
      );
    });
  } finally {
    stop.abort();
    detach();
  }
}

const nodeRef = (node: NodeName) => ({ type: 'node', namespace: undefined, name: node });
