// Connections that devices share: those behind one address use the same, and the last one to leave closes it.
import { orAbort } from '@kedge/core/flow';
import { fault } from './sdk-errors.ts';

export interface SharedConnection {
  /** Settles when the connection is no more. */
  readonly lost: Promise<Error>;
  /** Closes it, and says why to whoever still waits for answers. */
  end(why: Error): void;
}

export interface Taken<T> {
  readonly connection: T;
  /** Calling it again does nothing. */
  release(): void;
}

interface Entry<T> {
  readonly connection: Promise<T>;
  readonly stop: AbortController;
  users: number;
}

export class SharedConnections<T extends SharedConnection> {
  readonly #open = new Map<string, Entry<T>>();

  /** What `key` stands for, opened by the first who asks. Rejects for everybody when that fails; the next one tries anew. */
  async take(key: string, connect: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<Taken<T>> {
    let entry = this.#open.get(key);
    if (!entry) {
      const stop = new AbortController();
      const made: Entry<T> = { connection: connect(stop.signal), stop, users: 0 };
      const forget = (): void => {
        if (this.#open.get(key) === made) this.#open.delete(key);
      };
      made.connection.then((open) => open.lost.then(forget), forget).catch(() => undefined);
      this.#open.set(key, made);
      entry = made;
    }
    const mine = entry;
    mine.users += 1;
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      mine.users -= 1;
      if (mine.users > 0) return;
      if (this.#open.get(key) === mine) this.#open.delete(key);
      const unused = fault('Closed', 'nobody needs the connection any more');
      mine.stop.abort(unused);
      mine.connection.then((open) => open.end(unused)).catch(() => undefined);
    };
    try {
      return { connection: await orAbort(mine.connection, signal), release };
    } catch (error) {
      release();
      throw error;
    }
  }
}
