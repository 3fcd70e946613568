// What goes out on one connection, at a bounded pace. In the dense form acknowledgements wait a moment for each other,
// and whatever has gathered leaves as one frame.
import { KeyedMutex } from '@kedge/core/flow';
import type { Socket } from '@kedge/core/ports';
import { type Clock, type Duration, milliseconds, withTimeout } from '@kedge/core/time';
import type { Upstream } from '@kedge/model/messages';
import type { EdgeCodec } from '@kedge/wire/hub';
import { edgeHubErrors } from './edge-hub-errors.ts';

export interface OutgoingDeps {
  readonly clock: Clock;
  readonly socket: Socket;
  readonly codec: EdgeCodec;
  /** Resolves when the next frame may leave. */
  readonly pace: (signal: AbortSignal) => Promise<void>;
  readonly writeTimeout: Duration;
  readonly signal: AbortSignal;
}

export interface Outgoing {
  /** Resolves when the message is handed to the network. */
  send(message: Upstream): Promise<void>;
  /** At once and outside the pace: for keepalives. */
  sendNow(message: Upstream): Promise<void>;
}

const gatherFor = milliseconds(20);
const maxGathered = 64;

interface Waiting {
  readonly message: Upstream;
  readonly sent: () => void;
  readonly failed: (error: unknown) => void;
}

export function createOutgoing({ clock, socket, codec, pace, writeTimeout, signal }: OutgoingDeps): Outgoing {
  const waiting: Waiting[] = [];
  let gathering = false;

  const line = new KeyedMutex();

  /** One after the other: on a slow line a frame must not be blamed for the time of those before it. */
  const write = (frame: string): Promise<void> =>
    line.run('', () =>
      withTimeout(clock, 'link to take a message', writeTimeout, socket.send(frame), () =>
        edgeHubErrors.STUCK({ ms: writeTimeout }),
      ),
    );

  async function flush(): Promise<void> {
    gathering = false;
    // Who waited for a turn may find that an earlier one took the message along.
    await pace(signal);
    const batch = waiting.splice(0, codec.isDense ? maxGathered : 1);
    if (batch.length === 0) return;
    try {
      for (const frame of codec.encode(batch.map(({ message }) => message))) await write(frame);
      for (const { sent } of batch) sent();
    } catch (error) {
      for (const { failed } of batch) failed(error);
    }
  }

  function schedule({ kind }: Upstream): Promise<void> {
    if (!codec.isDense || kind !== 'ack' || waiting.length >= maxGathered) return flush();
    if (gathering) return Promise.resolve();
    gathering = true;
    return clock.sleep('acknowledgements to gather', gatherFor, signal).then(flush);
  }

  return {
    send: (message) =>
      new Promise((sent, failed) => {
        waiting.push({ message, sent, failed });
        schedule(message).catch(failed);
      }),
    async sendNow(message) {
      for (const frame of codec.encode([message])) await write(frame);
    },
  };
}
