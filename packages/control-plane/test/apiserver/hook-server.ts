// An HTTPS server on loopback for webhooks, with a certificate of a CA of its own.
import { silentLog } from '@kedge/core/log';
import type { HttpHandler } from '@kedge/core/ports';
import { days, minus, plus } from '@kedge/core/time';
import { createHttpServers, systemClock } from '@kedge/platform/node';
import { createCertificateAuthorities } from '@kedge/platform/x509';

export interface HookServer {
  readonly port: number;
  /** As configurations hold it. */
  readonly caBundle: string;
  close(): Promise<void>;
}

export async function startHookServer(handler: HttpHandler): Promise<HookServer> {
  const now = systemClock.now();
  const lasts = { notBefore: minus(now, days(1)), notAfter: plus(now, days(10)) };
  const subject = { commonName: 'hooks', organizations: [] };
  const ca = await createCertificateAuthorities().createAuthority({ subject, ...lasts });
  const serving = await ca.issueWithKey({
    subject,
    usages: ['serverAuth'],
    dnsNames: ['hook.default.svc'],
    addresses: ['127.0.0.1'],
    ...lasts,
  });
  const listening = await createHttpServers({ log: silentLog }).listen({
    address: '127.0.0.1',
    port: 0,
    tls: { certificate: serving.certificatePem, key: serving.key.reveal() },
    handler,
  });
  return { port: listening.port, caBundle: btoa(ca.certificatePem), close: () => listening.close() };
}
