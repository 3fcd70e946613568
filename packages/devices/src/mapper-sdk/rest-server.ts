// Where the REST API listens: plain HTTP, HTTPS, or HTTPS for clients that show a certificate of a CA. A certificate that is
// renewed on the disk counts for new connections.
import type { Scope } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { HttpHandler, HttpServers, TlsFiles } from '@kedge/core/ports';
import { type Clock, minutes } from '@kedge/core/time';

export interface RestServerConfig {
  readonly address: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Absent: plain HTTP. */
  readonly tls?: {
    /** Reads the files anew. */
    readonly load: () => Promise<TlsFiles>;
    /** PEM of the CA of all clients; absent: whoever comes is answered. */
    readonly clientCa?: string;
  };
}

export interface RestServerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly servers: HttpServers;
}

const lookAgainAfter = minutes(1);

/** Resolves to the port, once it listens. */
export async function startRestServer(
  { clock, log, servers }: RestServerDeps,
  { address, port, tls }: RestServerConfig,
  handler: HttpHandler,
  scope: Scope,
): Promise<number> {
  let files = tls && (await tls.load());
  const listening = await servers.listen({
    address,
    port,
    handler,
    ...(files && {
      tls: {
        ...files,
        ...(tls?.clientCa === undefined ? {} : { clientCa: tls.clientCa, clientAuth: 'require' as const }),
      },
    }),
  });
  scope.defer('REST API', () => listening.close());
  if (tls) {
    scope.spawn('certificate of the REST API', async (signal) => {
      for (;;) {
        await clock.sleep('certificate of the REST API', lookAgainAfter, signal);
        try {
          const found = await tls.load();
          if (found.certificate === files?.certificate && found.key === files.key) continue;
          listening.renew(found);
          files = found;
          log.info('the REST API has a new certificate');
        } catch (error) {
          log.warn('the certificate of the REST API cannot be renewed', { err: error });
        }
      }
    });
  }
  return listening.port;
}
