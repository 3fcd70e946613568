// Many watchers of one collection: how long it takes until all of them hold a change, and what they cost the server.
// They come as Go clients do, over HTTP/2, many to a connection. A watch that ends before it is closed is a failure with
// a reason, and so is a change that does not come.
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { seconds, withTimeout } from '@kedge/core/time';
import { loadKubeconfig } from '@kedge/engine/kube-client';
import { createFiles, systemClock } from '@kedge/platform/node';

/** What a kube-apiserver lets one connection have. */
const perConnection = 100;
const patience = seconds(60);

export interface Watchers {
  /** Resolves when every watcher has seen `count` more changes; to be asked before they are made. */
  seen(count: number): Promise<void>;
  close(): void;
}

export async function openWatchers(kubeconfig: string, path: string, count: number): Promise<Watchers> {
  const { server, ca, client } = await loadKubeconfig(createFiles(), kubeconfig);
  const sessions: ClientHttp2Session[] = [];
  let told: (() => void) | undefined;
  let ended: Error | undefined;
  let onEnd: ((reason: Error) => void) | undefined;
  let closed = false;

  /** The first reason counts: what follows it are its consequences. */
  const fail = (reason: string): void => {
    if (closed || ended) return;
    ended = new Error(reason);
    onEnd?.(ended);
  };

  function openSession(): ClientHttp2Session {
    const session = connect(server, {
      ...(ca === undefined ? {} : { ca }),
      ...(client ? { cert: client.certificate, key: client.key.reveal() } : {}),
    });
    session.on('error', (error) => fail(`a connection of watches failed: ${error.message}`));
    session.on('goaway', (code) => fail(`the server sent GOAWAY with code ${code}`));
    session.on('close', () => fail('the server closed a connection of watches'));
    sessions.push(session);
    return session;
  }

  async function open(session: ClientHttp2Session): Promise<void> {
    const stream: ClientHttp2Stream = session.request({ ':path': path, accept: 'application/json' });
    let newest = '';
    stream.on('error', (error) => fail(`a watch failed: ${error.message}`));
    stream.on('close', () => fail(`a watch ended with code ${stream.rstCode}; the last it said: ${newest}`));
    await new Promise<void>((resolve, reject) => {
      stream.once('response', ({ ':status': status }) =>
        status === 200 ? resolve() : reject(new Error(`a watch was answered with ${status}`)),
      );
      stream.once('close', () => reject(ended ?? new Error('a watch was closed before it was answered')));
    });
    stream.on('data', (chunk: Buffer) => {
      newest = chunk.toString('utf8', 0, 300);
      for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, at + 1)) told?.();
    });
  }

  function close(): void {
    closed = true;
    for (const session of sessions) session.destroy();
  }

  try {
    for (let left = count; left > 0; left -= perConnection) {
      const session = openSession();
      const opening = Promise.all(Array.from({ length: Math.min(left, perConnection) }, () => open(session)));
      await withTimeout(systemClock, 'watches to open', patience, opening, () => new Error('watches did not open'));
    }
  } catch (error) {
    close();
    throw error;
  }
  return {
    async seen(changes) {
      if (ended) throw ended;
      let missing = changes * count;
      const all = new Promise<void>((resolve, reject) => {
        onEnd = reject;
        told = () => {
          missing -= 1;
          if (missing === 0) resolve();
        };
      });
      const late = (): Error => new Error(`${missing} of ${changes * count} changes did not come to ${count} watchers`);
      await withTimeout(systemClock, 'watchers to be told', patience, all, late);
    },
    close,
  };
}
