// Whether the link to the other side stands, for those who only want to know that.

export interface LinkStatus {
  readonly isOnline: boolean;
  /** Told of every change from now on. Returns how to stop listening. */
  listen(listener: (isOnline: boolean) => void): () => void;
}

/** `set` is for the one who runs the link. */
export function createLinkStatus(): LinkStatus & { set(isOnline: boolean): void } {
  const listeners = new Set<(isOnline: boolean) => void>();
  let online = false;
  return {
    get isOnline() {
      return online;
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    set(isOnline) {
      if (online === isOnline) return;
      online = isOnline;
      for (const listener of listeners) listener(isOnline);
    },
  };
}
