// A watch of a kind that a webhook converts: changes are converted while the watcher waits, and handed out once they are.
import type { WatchChange, WatchSource } from '@kedge/engine/kube-api';
import type { Kind } from '../kinds/kind.ts';
import { asServed } from './present.ts';

export function servedWatch(kind: Kind, source: WatchSource, resourceVersion: string): WatchSource {
  let reached = resourceVersion;
  let ready: readonly WatchChange[] = [];

  async function convert(): Promise<void> {
    const { changes, resourceVersion: version } = source.next();
    const documents = await asServed(
      kind,
      changes.map(({ document }) => document),
    );
    ready = changes.map(({ type }, at) => ({ type, document: documents[at]! }));
    reached = version;
  }

  return {
    next() {
      const changes = ready;
      ready = [];
      return { changes, resourceVersion: reached };
    },
    async wait(signal) {
      if (ready.length > 0) return;
      await convert();
      if (ready.length > 0) return;
      await source.wait(signal);
      await convert();
    },
    close: () => source.close(),
  };
}
