// Two WebSockets that are each other's end, in memory: what one sends, the other's `frames()` yield. Frames arrive in
// order, in a later turn of the event loop or when whoever carries them says so, and the link can be cut like a cable.
import type { Frame, Socket } from '@kedge/core/ports';
import { httpErrors } from '@kedge/core/ports';

export interface LinkPair {
  readonly edge: Socket;
  readonly cloud: Socket;
  /** Both ends close as after a lost connection; frames under way are lost. */
  cut(): void;
  /** From now on nothing arrives, and nobody is told: a dead peer behind a live connection. */
  mute(): void;
}

/** Has something arrive, later and in order. */
export type Carry = (arrive: () => void) => void;

export function linkPair(carriers: { readonly toEdge: Carry; readonly toCloud: Carry } = atOnce): LinkPair {
  let muted = false;
  const edge = createEnd(() => !muted, carriers.toCloud);
  const cloud = createEnd(() => !muted, carriers.toEdge);
  edge.peer = cloud;
  cloud.peer = edge;
  return {
    edge: edge.socket,
    cloud: cloud.socket,
    cut() {
      edge.end(1006, 'cut');
      cloud.end(1006, 'cut');
    },
    mute: () => (muted = true),
  };
}

const atOnce = { toEdge: queueMicrotask, toCloud: queueMicrotask };

interface End {
  peer: End | undefined;
  readonly socket: Socket;
  deliver(frame: Frame): void;
  end(code: number, reason: string): void;
}

function createEnd(passes: () => boolean, carry: Carry): End {
  const waiting: Frame[] = [];
  const traffic = { sent: 0, received: 0 };
  let ended: { code: number; reason: string } | undefined;
  let wake: () => void = () => undefined;
  let announce: (why: { code: number; reason: string }) => void = () => undefined;
  const closed = new Promise<{ code: number; reason: string }>((resolve) => (announce = resolve));

  async function* frames(): AsyncGenerator<Frame> {
    for (;;) {
      for (let frame = waiting.shift(); frame; frame = waiting.shift()) yield frame;
      if (ended) return;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  }

  const end: End = {
    peer: undefined,
    deliver(frame) {
      if (ended) return;
      traffic.received += frame.data.length + 2;
      waiting.push(frame);
      wake();
    },
    end(code, reason) {
      if (ended) return;
      ended = { code, reason };
      announce(ended);
      wake();
    },
    socket: {
      remoteAddress: '127.0.0.1',
      traffic,
      get arrived() {
        return traffic.received;
      },
      closed,
      frames,
      async send(data, { binary = typeof data !== 'string' } = {}) {
        if (ended) throw httpErrors.CLOSED({ what: 'the WebSocket' });
        const frame = { data: typeof data === 'string' ? new TextEncoder().encode(data) : data, binary };
        traffic.sent += frame.data.length + 2;
        if (passes()) carry(() => end.peer?.deliver(frame));
      },
      close(code = 1000, reason = '') {
        end.end(code, reason);
        if (passes()) carry(() => end.peer?.end(code, reason));
      },
      terminate() {
        end.end(1006, '');
        if (passes()) carry(() => end.peer?.end(1006, ''));
      },
    },
  };
  return end;
}
