// Listening without what Node's `listen` loads for processes that share a port: cluster, child processes and name lookups, 0.7 MB
// that an edge has no use for.
import { isIP, type Server } from 'node:net';

export type ListenAt = { readonly path: string } | { readonly host: string; readonly port: number };

/** What Node's `listen` itself ends in. It has no place in the documentation, but is kept for programs that call it. */
interface WithListen2 {
  _listen2?(address: string, port: number, addressType: number, backlog: number, fd?: number, flags?: number): void;
}

/** Of connections that wait to be accepted, as Node has it. */
const backlog = 511;

/** As `server.listen(at, onListening)`: a failure is an event `error`. `server.address()` does not tell a path. */
export function listen(server: Server, at: ListenAt, onListening: () => void): void {
  server.once('listening', onListening);
  const direct = server as WithListen2;
  const family = 'path' in at ? -1 : isIP(at.host);
  // Not on Bun, and not for names.
  if (!direct._listen2 || family === 0) server.listen(at);
  else if ('path' in at) direct._listen2(at.path, -1, family, backlog, undefined, 0);
  else direct._listen2(at.host, at.port, family, backlog, undefined, 0);
}
