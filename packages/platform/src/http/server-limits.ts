// How long clients may take, and how long their heads may be.
import type { ServerOptions } from 'node:http';
import { type Duration, seconds } from '@kedge/core/time';
import type { ConnectionLimits } from './connection-limits.ts';

export interface HttpServerLimits extends ConnectionLimits {
  /** How long requests in work may take to end when the server stops. */
  readonly stop: Duration;
}

export const serverSettings = (limits: HttpServerLimits) =>
  ({
    headersTimeout: limits.head,
    requestTimeout: limits.request,
    keepAliveTimeout: limits.idle,
    connectionsCheckingInterval: Math.min(limits.head, seconds(5)),
    maxHeaderSize: 32 * 1024,
  }) satisfies ServerOptions;
