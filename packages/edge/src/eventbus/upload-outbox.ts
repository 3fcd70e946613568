// Messages of MQTT clients on their way to the cloud's rules. The cloud confirms none, so they wait in memory while it is
// away, the newest within bounds; whoever needs certainty reports twins.
import type { Log } from '@kedge/core/log';
import type { Outcome } from '@kedge/model/messages';

export interface UploadItem {
  readonly key: string;
  readonly send: { readonly as: 'upload'; readonly topic: string; readonly payload: string };
  readonly number: number;
}

export interface UploadOutbox {
  put(topic: string, payload: string): void;
  take(isBusy: (key: string) => boolean): UploadItem | undefined;
  settle(item: UploadItem, outcome: Outcome<unknown>): Promise<'done' | 'later'>;
  listen(listener: () => void): () => void;
}

const limit = { messages: 500, bytes: 2 << 20 };
/** One after the other, so that they arrive in order. */
const key = 'upload';

export function createUploadOutbox(log: Log): UploadOutbox {
  const waiting: UploadItem[] = [];
  const listeners = new Set<() => void>();
  let [number, bytes, dropped] = [0, 0, 0];
  const sizeOf = ({ send: { topic, payload } }: UploadItem): number => topic.length + payload.length;
  return {
    put(topic, payload) {
      const item: UploadItem = { key, number: (number += 1), send: { as: 'upload', topic, payload } };
      waiting.push(item);
      bytes += sizeOf(item);
      while (waiting.length > limit.messages || (bytes > limit.bytes && waiting.length > 1)) {
        bytes -= sizeOf(waiting.shift()!);
        if (dropped === 0) log.warn('messages for rules in the cloud are dropped: it is away, and there are too many');
        dropped += 1;
      }
      for (const listener of listeners) listener();
    },
    take: (isBusy) => (isBusy(key) ? undefined : waiting[0]),
    async settle(item) {
      dropped = 0;
      if (waiting[0]?.number !== item.number) return 'done';
      waiting.shift();
      bytes -= sizeOf(item);
      return 'done';
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
