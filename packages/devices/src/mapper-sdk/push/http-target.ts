// POSTs each value as a form, as mappers of KubeEdge do.
import type { DmiPushMethod } from '@kedge/wire/dmi';
import type { PushDeps, PushTarget } from './target.ts';
import { plainTime, request } from './request.ts';

export function httpTarget(
  { hostname = '', port = 0n, requestpath = '' }: NonNullable<DmiPushMethod['http']>,
  deps: PushDeps,
): PushTarget {
  const host = /^https?:\/\//.test(hostname) ? hostname : `http://${hostname}`;
  const url = `${host}${port > 0n ? `:${port}` : ''}${requestpath}`;
  return {
    name: `http ${url}`,
    atOnce: 1,
    async push(samples, signal) {
      for (const { property, value, at } of samples) {
        await request(deps, url, {
          method: 'POST',
          url,
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: `${encodeURIComponent(property)}=${encodeURIComponent(value)}&time=${encodeURIComponent(plainTime(at))}`,
          signal,
        });
      }
    },
    close: async () => undefined,
  };
}
