// The signals that ask a daemon to end, or to read its configuration again.

/**
 * Aborts on SIGINT and SIGTERM; a second one ends the process at once, for when the first does not get through.
 * Returns how to stop listening beside the signal.
 */
export function onTermination(): { readonly signal: AbortSignal; readonly stop: () => void } {
  const ending = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    if (ending.signal.aborted) process.exit(name === 'SIGINT' ? 130 : 143);
    ending.abort(new Error(`received ${name}`));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    signal: ending.signal,
    stop() {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}

/** Calls back on every SIGHUP; returns how to stop listening. */
export function onHangUp(listener: () => void): () => void {
  process.on('SIGHUP', listener);
  return () => void process.off('SIGHUP', listener);
}
