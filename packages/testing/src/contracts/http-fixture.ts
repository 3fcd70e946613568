// What the suites of HTTP and WebSocket share: the implementation under test, certificates, and a server per test.
import type { TestContext } from 'node:test';
import { createLog, type Log, type LogRecord, type Secret } from '@kedge/core/log';
import type {
  Authority,
  CertificateAuthorities,
  Dialer,
  HttpClient,
  HttpHandler,
  HttpServers,
  Listening,
  ListenOptions,
} from '@kedge/core/ports';
import { instant } from '@kedge/core/time';

export interface HttpUnderTest {
  servers(log: Log): HttpServers;
  client(options?: { tls?: ClientTls; answerWithinMs?: number }): HttpClient;
  readonly dialer: Dialer;
  readonly authorities: CertificateAuthorities;
}

export interface ClientTls {
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
  readonly trustAnyServer?: boolean;
}

export const local = { address: '127.0.0.1', port: 0 } as const;

export interface TestServer extends Listening {
  readonly url: string;
  readonly socketUrl: string;
  readonly logged: readonly LogRecord[];
}

/** A server that ends with its test. */
export async function serve(
  t: TestContext,
  under: HttpUnderTest,
  options: Partial<ListenOptions> & { handler?: HttpHandler },
): Promise<TestServer> {
  const logged: LogRecord[] = [];
  const log = createLog({ now: () => instant(0), level: 'warn', write: (record) => logged.push(record) });
  const listening = await under.servers(log).listen({ ...local, ...options });
  t.after(() => listening.close());
  const secure = options.tls ? 's' : '';
  const at = `${secure ? 'localhost' : listening.address}:${listening.port}`;
  return { ...listening, logged, url: `http${secure}://${at}`, socketUrl: `ws${secure}://${at}` };
}

/** A client that ends with its test. */
export function clientFor(
  t: TestContext,
  under: HttpUnderTest,
  options?: Parameters<HttpUnderTest['client']>[0],
): HttpClient {
  const client = under.client(options);
  t.after(() => client.close());
  return client;
}

export interface Pki {
  readonly authority: Authority;
  readonly server: { certificate: string; key: string };
  /** A certificate for one more server or client. */
  issue(commonName: string, usage: 'serverAuth' | 'clientAuth'): Promise<{ certificate: string; key: string }>;
}

const hour = 3_600_000;

/** Real time, because TLS compares it with the machine's clock. */
export async function createPki(authorities: CertificateAuthorities, now: number): Promise<Pki> {
  const validity = { notBefore: now - hour, notAfter: now + hour };
  const subject = (commonName: string) => ({ commonName, organizations: ['system:nodes'] });
  const authority = await authorities.createAuthority({ subject: subject('CA'), ...validity });
  const issue = async (commonName: string, usage: 'serverAuth' | 'clientAuth') => {
    const names = usage === 'serverAuth' ? { dnsNames: ['localhost'] } : {};
    const issued = await authority.issueWithKey({
      subject: subject(commonName),
      usages: [usage],
      ...names,
      ...validity,
    });
    return { certificate: issued.certificatePem, key: reveal(issued.key) };
  };
  return { authority, issue, server: await issue('server', 'serverAuth') };
}

const reveal = (key: Secret<string>): string => key.reveal();

/** Resolves once the signal aborts. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
