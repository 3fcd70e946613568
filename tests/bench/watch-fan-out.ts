// Many watchers of one collection: how long it takes until all of them hold a change, and what they cost the server.
// They come as Go clients do, over HTTP/2, many to a connection.
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { loadKubeconfig } from '@kedge/engine/kube-client';
import { createFiles } from '@kedge/platform/node';

/** What a kube-apiserver lets one connection have. */
const perConnection = 100;

export interface Watchers {
  /** Resolves when every watcher has seen `count` more changes; to be asked before they are made. */
  seen(count: number): Promise<void>;
  close(): void;
}

export async function openWatchers(kubeconfig: string, path: string, count: number): Promise<Watchers> {
  const { server, ca, client } = await loadKubeconfig(createFiles(), kubeconfig);
  const sessions: ClientHttp2Session[] = [];
  const listeners = new Set<() => void>();
  const open = async (session: ClientHttp2Session): Promise<void> => {
    const stream: ClientHttp2Stream = session.request({ ':path': path, accept: 'application/json' });
    stream.on('error', () => undefined);
    await new Promise<void>((resolve, reject) => {
      stream.once('response', ({ ':status': status }) =>
        status === 200 ? resolve() : reject(new Error(`a watch was answered with ${status}`)),
      );
      stream.once('error', reject);
    });
    stream.on('data', (chunk: Buffer) => {
      for (const byte of chunk) if (byte === 0x0a) for (const told of listeners) told();
    });
  };
  for (let left = count; left > 0; left -= perConnection) {
    const session = connect(server, {
      ...(ca === undefined ? {} : { ca }),
      ...(client ? { cert: client.certificate, key: client.key.reveal() } : {}),
    });
    session.on('error', () => undefined);
    sessions.push(session);
    await Promise.all(Array.from({ length: Math.min(left, perConnection) }, () => open(session)));
  }
  return {
    seen(changes) {
      let missing = changes * count;
      return new Promise((resolve) => {
        const told = (): void => {
          missing -= 1;
          if (missing > 0) return;
          listeners.delete(told);
          resolve();
        };
        listeners.add(told);
      });
    },
    close: () => sessions.forEach((session) => session.destroy()),
  };
}
