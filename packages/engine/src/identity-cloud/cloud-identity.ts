// Who this cloud is and whom it lets in: its CA, the certificate its listeners show, the join token, and the certificates
// of edges. Kept in Secrets so that every instance and every restart is the same cloud; files win where they exist.
import type { Log, Secret } from '@kedge/core/log';
import { secret } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import type { Authority, CertificateAuthorities, Files, Keys, PeerCertificate, TlsFiles } from '@kedge/core/ports';
import { type Clock, days, type Duration, hours, milliseconds, minus, minutes, plus } from '@kedge/core/time';
import type { KubeApi } from '@kedge/engine/kube-client';
import { explain } from '@kedge/core/errors';
import { identityErrors } from './identity-errors.ts';
import { createIdentitySecrets } from './identity-secrets.ts';
import { checkJoinToken, createJoinToken } from './join-token.ts';
import { covers, hubLifetime, isLegacyEdge, isOurs } from './hub-certificate.ts';

export interface CloudIdentityConfig {
  readonly advertiseAddress: readonly string[];
  readonly dnsNames: readonly string[];
  readonly edgeCertificateLifetime: Duration;
  readonly tokenRefresh: Duration;
  /** Paths of PEM files; those that exist win over the Secrets. */
  readonly caFile?: string | undefined;
  readonly caKeyFile?: string | undefined;
  readonly certificateFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

export interface CloudIdentityDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly kube: KubeApi;
  readonly files: Pick<Files, 'readText'>;
  readonly keys: Keys;
  readonly authorities: CertificateAuthorities;
  /** The serving certificate was renewed: listeners take the new one. */
  readonly onRenewed?: (tls: TlsFiles) => void;
}

export interface EdgeRequest {
  readonly node: string;
  /** PKCS#10, DER. */
  readonly request: Uint8Array;
  readonly usages: readonly ('serverAuth' | 'clientAuth')[];
  /** The certificate the edge connected with: this is a renewal. */
  readonly peer: PeerCertificate | undefined;
  /** The JWT part of its join token; looked at on first contact only. */
  readonly token: string | undefined;
}

export interface CloudIdentity extends Module {
  /** Available once started. */
  readonly caDer: Uint8Array;
  readonly caPem: string;
  readonly serving: TlsFiles;
  readonly joinToken: Secret<string>;
  /** A certificate in DER; throws IDENTITY_... when this edge is not to have it. */
  issue(asked: EdgeRequest): Promise<Uint8Array>;
}

const caLifetime = days(100 * 364);
/** Clocks of edges may be somewhat behind. */
const backdated = hours(1);
const lookAgain = minutes(10);

export function createCloudIdentity(deps: CloudIdentityDeps, config: CloudIdentityConfig): CloudIdentity {
  const { clock, keys, authorities, files } = deps;
  const log = deps.log.child({ component: 'identity' });
  const secrets = createIdentitySecrets(deps.kube);
  const text = new TextEncoder();
  let authority: Authority;
  let serving: TlsFiles;
  let token: Secret<string>;

  const fromFile = async (path: string | undefined): Promise<string | undefined> =>
    path ? files.readText(path) : undefined;

  async function openCa(signal: AbortSignal): Promise<Authority> {
    const [certificate, key] = [await fromFile(config.caFile), await fromFile(config.caKeyFile)];
    if (certificate && key) {
      return authorities.openAuthority({ certificate: keys.fromPem(certificate), key: secret(keys.fromPem(key)) });
    }
    for (;;) {
      const stored = await secrets.read('casecret', ['cadata', 'cakeydata'], signal);
      if (stored) return openStored(stored.cadata, stored.cakeydata);
      const made = await authorities.createAuthority({
        subject: { commonName: 'KubeEdge', organizations: [] },
        notBefore: minus(clock.now(), backdated),
        notAfter: plus(clock.now(), caLifetime),
      });
      const isOurs = await secrets.createOnce(
        'casecret',
        { cadata: made.certificate, cakeydata: made.key.reveal() },
        signal,
      );
      if (isOurs) {
        log.info('made a new certificate authority');
        return made;
      }
    }
  }

  async function openStored(certificate: Uint8Array, key: Uint8Array): Promise<Authority> {
    try {
      return await authorities.openAuthority({ certificate, key: secret(key) });
    } catch (error) {
      throw identityErrors.BAD_STATE({ secret: 'casecret', reason: explain(error) }, error);
    }
  }

  async function openServing(signal: AbortSignal): Promise<TlsFiles> {
    const [certificate, key] = [await fromFile(config.certificateFile), await fromFile(config.keyFile)];
    if (certificate && key) return { certificate, key };
    const stored = await secrets.read('cloudcoresecret', ['cloudcoredata', 'cloudcorekeydata'], signal, ['signer']);
    if (stored?.signer && keys.equal(stored.signer, keys.sha256(authority.certificate))) {
      const files = {
        certificate: keys.toPem('CERTIFICATE', stored.cloudcoredata),
        key: keys.toPem('EC PRIVATE KEY', stored.cloudcorekeydata),
      };
      if (covers(keys, files, config, clock.now())) return files;
    }
    return makeServing(signal);
  }

  async function makeServing(signal: AbortSignal): Promise<TlsFiles> {
    const { certificatePem, key } = await authority.issueWithKey({
      subject: { commonName: 'KubeEdge', organizations: ['KubeEdge'] },
      dnsNames: config.dnsNames,
      addresses: config.advertiseAddress,
      usages: ['serverAuth'],
      notBefore: minus(clock.now(), backdated),
      notAfter: plus(clock.now(), hubLifetime),
    });
    const data = {
      cloudcoredata: keys.fromPem(certificatePem),
      cloudcorekeydata: keys.fromPem(key.reveal()),
      // Upstream keeps no note of the CA, and goes on with this certificate after the CA was replaced.
      signer: keys.sha256(authority.certificate),
    };
    await secrets.replace('cloudcoresecret', data, signal);
    log.info('made a serving certificate', { address: config.advertiseAddress.join(',') });
    return { certificate: certificatePem, key: key.reveal() };
  }

  async function refreshToken(signal: AbortSignal): Promise<void> {
    const expires = plus(clock.now(), milliseconds(2 * config.tokenRefresh));
    const ca = { certificate: authority.certificate, key: authority.key.reveal() };
    token = secret(createJoinToken(keys, ca, expires));
    await secrets.replace('tokensecret', { tokendata: text.encode(token.reveal()) }, signal);
  }

  /** A write that fails is tried again soon: the token in the Secret must not run out. */
  async function keepFresh(signal: AbortSignal): Promise<void> {
    let wait = config.tokenRefresh;
    for (;;) {
      await sleepThrough(wait, signal);
      try {
        await refreshToken(signal);
        const isFine = config.certificateFile || covers(keys, serving, config, clock.now());
        if (!isFine) deps.onRenewed?.((serving = await makeServing(signal)));
        wait = config.tokenRefresh;
      } catch (error) {
        if (signal.aborted) throw error;
        log.warn('cannot renew the join token', { err: error });
        wait = minutes(1);
      }
    }
  }

  /** A machine that was suspended does not count the time meanwhile; the token that edges were told runs out all the same. */
  async function sleepThrough(howLong: Duration, signal: AbortSignal): Promise<void> {
    const due = plus(clock.now(), howLong);
    const end = clock.monotonic() + howLong;
    while (clock.now() < due && clock.monotonic() < end) {
      await clock.sleep('next join token', milliseconds(Math.min(lookAgain, end - clock.monotonic())), signal);
    }
  }

  function checkApplicant({ node, peer, token: jwt }: EdgeRequest): void {
    if (!peer) return checkJoinToken(keys, authority.key.reveal(), jwt ?? '', clock.now());
    const fits = peer.commonName === `system:node:${node}` && peer.organizations[0] === 'system:nodes';
    if (!fits && !isLegacyEdge(peer)) throw identityErrors.WRONG_CERTIFICATE({ subject: peer.commonName, node });
  }

  return {
    name: 'identity',
    get caDer() {
      return authority.certificate;
    },
    get caPem() {
      return authority.certificatePem;
    },
    get serving() {
      return serving;
    },
    get joinToken() {
      return token;
    },
    async start(scope) {
      authority = await openCa(scope.signal);
      serving = await openServing(scope.signal);
      await refreshToken(scope.signal);
      scope.spawn('join token', keepFresh);
    },
    async issue(asked) {
      checkApplicant(asked);
      const request = await authorities.readRequest(asked.request).catch((error: unknown) => {
        throw identityErrors.BAD_REQUEST({ reason: explain(error) }, error);
      });
      const { commonName, organizations } = request.subject;
      if (commonName !== `system:node:${asked.node}` || organizations.join() !== 'system:nodes') {
        throw identityErrors.WRONG_SUBJECT({ subject: commonName, node: asked.node });
      }
      const names = [...request.dnsNames, ...request.addresses];
      if (asked.usages.includes('serverAuth') && names.some((name) => isOurs(name, config))) {
        throw identityErrors.WRONG_NAMES({ node: asked.node, names });
      }
      log.info('certificate issued', { node: asked.node });
      return authority.issue(request.publicKey, {
        subject: { commonName, organizations },
        // Alternative names would let an edge pass for another host; they go only into serving certificates.
        ...(asked.usages.includes('serverAuth') ? { dnsNames: request.dnsNames, addresses: request.addresses } : {}),
        usages: asked.usages,
        notBefore: minus(clock.now(), backdated),
        notAfter: plus(clock.now(), config.edgeCertificateLifetime),
      });
    },
  };
}
