// Frames of a WebSocket that wait until they are asked for. The peer is held back while too many of them do.
import type { Frame } from '@kedge/core/ports';

/** Above this many waiting bytes the peer is not read from until half of them are gone. */
const limit = 1024 * 1024;
const resumeAt = limit / 2;
/** What a waiting frame costs besides its bytes, so that a flood of empty frames fills the queue too. */
const perFrame = 128;
const costOf = (frame: Frame): number => frame.data.length + perFrame;

export interface FrameQueue {
  push(frame: Frame): void;
  /** No more will come; what waits is still handed out. */
  end(): void;
  /** One at a time. */
  frames(): AsyncGenerator<Frame>;
}

export function createFrameQueue(peer: { pause(): void; resume(): void }): FrameQueue {
  const waiting: Frame[] = [];
  let bytes = 0;
  let isHeld = false;
  let ended = false;
  let wake: (() => void) | undefined;

  return {
    push(frame) {
      waiting.push(frame);
      bytes += costOf(frame);
      if (!isHeld && bytes > limit) {
        isHeld = true;
        peer.pause();
      }
      wake?.();
    },
    end() {
      ended = true;
      wake?.();
    },
    async *frames() {
      for (;;) {
        for (let frame = waiting.shift(); frame; frame = waiting.shift()) {
          bytes -= costOf(frame);
          if (isHeld && bytes <= resumeAt) {
            isHeld = false;
            peer.resume();
          }
          yield frame;
        }
        if (ended) return;
        await new Promise<void>((resolve) => (wake = resolve));
        wake = undefined;
      }
    },
  };
}
