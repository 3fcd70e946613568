// Which servers are trusted, in a folder that people look after: certificates in `trusted`, their own or an authority's; in
// `rejected` what was turned down, to be moved over; in `first-use` what an address has shown first, where that is asked for;
// and in `crl` what authorities have taken back.
import { createHash, X509Certificate } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { Log } from '@kedge/core/log';
import { fault } from '../mapper-sdk/index.ts';
import { readRevocationLists } from './revocation.ts';

/** Of files in a folder; who fills it with more has other trouble. */
const maxFiles = 1_000;
/** Strangers could fill a disk. */
const maxRejected = 100;

export interface Asked {
  readonly url: string;
  /** The server's own first, then who has signed it. */
  readonly chain: readonly X509Certificate[];
  /** The only one to be trusted, where the device names one. */
  readonly remote: X509Certificate | undefined;
  readonly trustOnFirstUse: boolean;
  readonly now: number;
}

export class TrustList {
  readonly #directory: string;
  readonly #log: Log;

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  /**
   * Throws a fault that says what to do: `UntrustedServer`, `CertificateChanged`, `CertificateExpired`, `CertificateRevoked`,
   * `BadRevocationList` or `WrongHost`.
   */
  async check(asked: Asked): Promise<void> {
    const [server] = asked.chain;
    if (!server) throw fault('UntrustedServer', `${asked.url} shows no certificate`);
    const trusted = await this.#read('trusted');
    // However it came to be trusted: its authority has taken it back since.
    await this.#checkRevoked(asked, trusted);
    if (asked.remote) {
      if (same(asked.remote, server)) return;
      throw fault(
        'UntrustedServer',
        `${asked.url} shows ${nameOf(server)}, and not the one that remoteCertificate names`,
      );
    }
    if (trusted.some((one) => same(one, server))) {
      // Somebody has looked at exactly this one; devices whose certificates nobody renews are many.
      if (isOver(server, asked.now))
        this.#log.warn('the certificate of a trusted server is not valid any more', { key: asked.url });
      return;
    }
    if (this.#isSigned(asked, trusted)) return;
    if (!asked.trustOnFirstUse) return this.#turnDown(asked, server);
    const file = join(this.#directory, 'first-use', `${digest(asked.url)}.pem`);
    const first = await readFile(file).catch(() => undefined);
    if (first === undefined) {
      await mkdir(join(this.#directory, 'first-use'), { recursive: true, mode: 0o700 });
      // Half a certificate would be in the way for good.
      await writeFile(`${file}.new`, server.toString(), { mode: 0o600 });
      await rename(`${file}.new`, file);
      this.#log.warn('a server is trusted from its first use on', { key: asked.url, reason: nameOf(server) });
      return;
    }
    if (same(new X509Certificate(first), server)) return;
    throw fault(
      'CertificateChanged',
      `${asked.url} shows ${nameOf(server)}, and another one on its first use; if that is right, remove ${file}`,
    );
  }

  /** Of each certificate, by lists of who has signed it, which need not be trusted to say so. */
  async #checkRevoked({ chain, url, now }: Asked, trusted: readonly X509Certificate[]): Promise<void> {
    const signed = chain.filter((one) => !isIssuedBy(one, one));
    if (signed.length === 0) return;
    const lists = await readRevocationLists(this.#directory);
    if (lists.length === 0) return;
    for (const one of signed) {
      const authorities = [...trusted, ...chain].filter((authority) => authority.ca && isIssuedBy(one, authority));
      for (const list of lists) {
        const authority = authorities.find((its) => list.isOf(its));
        if (!authority) continue;
        const at = list.revokedAt(one);
        if (at) {
          throw fault(
            'CertificateRevoked',
            `${url} shows ${nameOf(one)}, which was revoked on ${at.toISOString().slice(0, 10)} (${list.file}): give the server a new one`,
          );
        }
        if (list.dueAt !== undefined && list.dueAt < now) {
          this.#log.warn('a revocation list is overdue, and still honoured: put a newer one there', {
            path: list.file,
          });
        }
      }
    }
  }

  /** By an authority in `trusted`: then dates and host name count. Throws when only those are wrong. */
  #isSigned({ chain, url, now }: Asked, trusted: readonly X509Certificate[]): boolean {
    const [server] = chain;
    const authorities = trusted.filter(({ ca }) => ca);
    const signs = (authority: X509Certificate, one: X509Certificate): boolean =>
      isIssuedBy(one, authority) && !isOver(authority, now);
    let at = server!;
    for (let step = 0; step < 5; step += 1) {
      const last = at;
      if (authorities.some((authority) => signs(authority, last))) {
        if (isOver(server!, now)) {
          throw fault(
            'CertificateExpired',
            `${url} shows ${nameOf(server!)}, valid from ${server!.validFrom} to ${server!.validTo}`,
          );
        }
        const host = new URL(url.replace(/^opc\.tcp:/, 'http:')).hostname.replace(/^\[(.*)\]$/, '$1');
        const named = isIP(host) ? server!.checkIP(host) : server!.checkHost(host);
        if (named === undefined) throw fault('WrongHost', `${url} shows ${nameOf(server!)}, which is not for ${host}`);
        return true;
      }
      const next = chain.find((one) => one !== last && one.ca && signs(one, last));
      if (!next) return false;
      at = next;
    }
    return false;
  }

  async #turnDown({ url }: Asked, server: X509Certificate): Promise<never> {
    const folder = join(this.#directory, 'rejected');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await mkdir(join(this.#directory, 'trusted'), { recursive: true, mode: 0o700 });
    const file = join(folder, `${digest(server.fingerprint256)}.pem`);
    const isFull = (await readdir(folder)).length >= maxRejected;
    if (!isFull) await writeFile(file, server.toString(), { mode: 0o600 });
    throw fault(
      'UntrustedServer',
      `${url} shows ${nameOf(server)}, which nobody has trusted yet; compare the fingerprint with the server's and then ` +
        (isFull ? `put its certificate into ` : `move ${file} to `) +
        `${join(this.#directory, 'trusted')}, or set trustOnFirstUse`,
    );
  }

  async #read(folder: string): Promise<X509Certificate[]> {
    const directory = join(this.#directory, folder);
    const names = await readdir(directory).catch(() => []);
    const found: X509Certificate[] = [];
    for (const name of names.slice(0, maxFiles)) {
      if (!/\.(?:pem|der|crt|cer)$/i.test(name)) continue;
      try {
        found.push(new X509Certificate(await readFile(join(directory, name))));
      } catch (error) {
        this.#log.warn('a file among the trusted certificates cannot be read', { key: name, err: error });
      }
    }
    return found;
  }
}

const isIssuedBy = (one: X509Certificate, authority: X509Certificate): boolean =>
  one.checkIssued(authority) && one.verify(authority.publicKey);
const same = (a: X509Certificate, b: X509Certificate): boolean => a.raw.equals(b.raw);
const isOver = (one: X509Certificate, now: number): boolean =>
  now > one.validToDate.getTime() || now < one.validFromDate.getTime();
const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32);

const nameOf = ({ subject, fingerprint256 }: X509Certificate): string =>
  `the certificate of "${/CN=([^\n]+)/.exec(subject)?.[1] ?? subject.slice(0, 100)}" (SHA-256 ${fingerprint256})`;
