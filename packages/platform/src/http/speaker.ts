// HTTP/1.1 on connections that somebody else accepts: requests to a handler, upgrades to WebSockets, time limits, and an end to all.
import { createServer, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Log } from '@kedge/core/log';
import type { ListenOptions } from '@kedge/core/ports';
import { watchConnections } from './connection-limits.ts';
import { createExchanges } from './http-exchange.ts';
import { type HttpServerLimits, serverSettings } from './server-limits.ts';

export interface Speaker {
  accept(connection: Socket): void;
  /** Tells requests and WebSockets in work to end, and closes connections without any. */
  stop(): void;
}

export type Served = Pick<ListenOptions, 'handler' | 'upgrade'>;

export async function createSpeaker(
  { handler, upgrade }: Served,
  log: Log,
  limits: HttpServerLimits,
): Promise<Speaker> {
  // Never listens itself.
  const requests = createServer(serverSettings(limits));
  const watch = watchConnections(requests, limits);
  const exchanges = createExchanges({ handler, log, stall: limits.stall });
  requests.on('request', exchanges.serve);
  const upgrades = upgrade && (await import('./http-upgrade.ts')).createUpgrades({ decide: upgrade, log });
  if (upgrades) {
    requests.on('upgrade', ({ socket }: IncomingMessage) => watch.forget(socket));
    requests.on('upgrade', upgrades.serve);
  }
  return {
    accept(connection) {
      watch.add(connection);
      requests.emit('connection', connection);
    },
    stop() {
      upgrades?.stop();
      exchanges.stop();
      watch.closeIdle();
    },
  };
}
