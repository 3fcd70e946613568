// Asks a container over the network: a TCP connection, or one HTTP GET on a connection of its own.
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { ProbeNetwork } from '@kedge/core/ports';

const longestBody = 10 * 1_024;

/** All but gRPC, which comes from elsewhere. */
export function createProbeNetwork(): Omit<ProbeNetwork, 'grpcHealth'> {
  return {
    connect({ host, port }, signal) {
      return new Promise((resolve, reject) => {
        signal.throwIfAborted();
        const socket = connect({ host, port });
        const onAbort = (): void => void socket.destroy(new Error('no connection in time'));
        signal.addEventListener('abort', onAbort, { once: true });
        socket.once('connect', () => socket.end()).once('error', reject);
        socket.once('close', (hadError) => {
          signal.removeEventListener('abort', onAbort);
          if (!hadError) resolve();
        });
        socket.resume();
      });
    },
    async get({ scheme, host, port, path, headers }, signal) {
      // An import of node:http would load its WebSocket too, 3 MB that no probe needs.
      const { request } =
        scheme === 'https' ? process.getBuiltinModule('node:https') : process.getBuiltinModule('node:http');
      const options = {
        host,
        port,
        path: path.startsWith('/') ? path : `/${path}`,
        headers: { 'user-agent': 'kube-probe/1.32', accept: '*/*', ...grouped(headers) },
        agent: false,
        rejectUnauthorized: false,
        signal,
      };
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        request(options, resolve).once('error', reject).end();
      });
      let body = '';
      for await (const chunk of response.setEncoding('utf8')) {
        body += chunk;
        if (body.length > longestBody) break;
      }
      const { statusCode = 0, headers: answered } = response;
      return { status: statusCode, body: body.slice(0, longestBody), location: answered.location };
    },
  };
}

/** Lower case, so that a header replaces one of ours; one that is given twice is sent twice. */
function grouped(headers: readonly (readonly [string, string])[]): Record<string, string | string[]> {
  const all = new Map<string, string[]>();
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    all.set(key, [...(all.get(key) ?? []), value]);
  }
  return Object.fromEntries([...all].map(([name, values]) => [name, values.length === 1 ? values[0]! : values]));
}
