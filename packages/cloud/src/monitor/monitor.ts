// The listener for health and metrics. It holds nothing secret and changes nothing; still it is meant for the machine
// itself, and by default is bound to it. Links matter more: cloudcore serves them also when this port is taken.
import type { Log } from '@kedge/core/log';
import type { Metrics } from '@kedge/core/metrics';
import type { Module } from '@kedge/core/module';
import type { HttpServers, ServerRequest, ServerResponse } from '@kedge/core/ports';
import { type Clock, seconds } from '@kedge/core/time';

export interface MonitorDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly servers: HttpServers;
  readonly metrics: Pick<Metrics, 'format'>;
  readonly isReady: () => boolean;
}

const plain = { 'content-type': 'text/plain; charset=utf-8' };
const exposition = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' };
const tryAgainAfter = seconds(30);

export function createMonitor(
  { clock, log: parent, servers, metrics, isReady }: MonitorDeps,
  { address, port }: { readonly address: string; readonly port: number },
): Module {
  const log = parent.child({ module: 'monitor' });

  async function handle({ method, path }: ServerRequest, response: ServerResponse): Promise<void> {
    if (method !== 'GET') return response.send(405, { ...plain, allow: 'GET' }, 'only GET is served here');
    switch (path) {
      case '/healthz':
        return response.send(200, plain, 'ok');
      case '/readyz':
        return isReady() ? response.send(200, plain, 'ok') : response.send(503, plain, 'nodes cannot connect yet');
      case '/metrics':
        return response.send(200, exposition, metrics.format());
      default:
        return response.send(404, plain, 'there are /healthz, /readyz and /metrics');
    }
  }

  return {
    name: 'monitor',
    async start(scope) {
      async function listen(): Promise<boolean> {
        try {
          const listening = await servers.listen({ address, port, handler: handle });
          scope.defer('monitor listener', () => listening.close());
          log.info('health and metrics are served', { address, port: listening.port });
          return true;
        } catch (error) {
          log.warn('health and metrics are not served; set commonConfig.monitorServer.bindAddress', { err: error });
          return false;
        }
      }
      if (await listen()) return;
      scope.spawn('monitor to listen', async (signal) => {
        do await clock.sleep('monitor to listen', tryAgainAfter, signal);
        while (!(await listen()));
      });
    },
  };
}
