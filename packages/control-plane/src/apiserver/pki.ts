// Keys and certificates of the cluster: made on first start, kept in a directory, renewed before they run out.
// The CA's key never leaves the directory; clients get a kubeconfig.
import type { Authority, CertificateAuthorities, Files, IssueOptions, Keys } from '@kedge/core/ports';
import { secret, type Secret } from '@kedge/core/log';
import { type Clock, days, minus, plus } from '@kedge/core/time';
import { createTokenKey } from './authn/tokens.ts';

export interface PkiDeps {
  readonly clock: Clock;
  readonly files: Files;
  readonly keys: Keys;
  readonly authorities: CertificateAuthorities;
}

export interface PkiConfig {
  readonly directory: string;
  /** Names and addresses that clients reach the server by. */
  readonly dnsNames: readonly string[];
  readonly addresses: readonly string[];
}

export interface KeyedCertificate {
  readonly certificatePem: string;
  readonly key: Secret<string>;
}

export interface Pki {
  readonly authority: Authority;
  readonly serving: KeyedCertificate;
  /** A client in system:masters. */
  readonly admin: KeyedCertificate;
  /** What the server shows to kubelets. */
  readonly kubeletClient: KeyedCertificate;
  readonly tokenKeys: { readonly privateKey: string; readonly publicKey: string };
}

const caLasts = days(3_650);
const leafLasts = days(365);
/** Certificates with less than this left are made anew at start. */
const renewWithin = days(60);
/** Clocks of clients may be behind. */
const backdate = days(1);

export async function openPki(deps: PkiDeps, config: PkiConfig): Promise<Pki> {
  const { files } = deps;
  const { directory } = config;
  await files.makeDirectory(directory, { mode: 0o700 });
  const authority = await openAuthority(deps, directory);
  const usual: Omit<IssueOptions, 'subject' | 'usages'> = {
    notBefore: minus(deps.clock.now(), backdate),
    notAfter: plus(deps.clock.now(), leafLasts),
  };
  const serving = await openLeaf(deps, `${directory}/apiserver`, authority, {
    ...usual,
    subject: { commonName: 'kube-apiserver', organizations: [] },
    dnsNames: config.dnsNames,
    addresses: config.addresses,
    usages: ['serverAuth'],
  });
  const admin = await openLeaf(deps, `${directory}/admin`, authority, {
    ...usual,
    subject: { commonName: 'kubernetes-admin', organizations: ['system:masters'] },
    usages: ['clientAuth'],
  });
  const kubeletClient = await openLeaf(deps, `${directory}/apiserver-kubelet-client`, authority, {
    ...usual,
    subject: { commonName: 'kube-apiserver-kubelet-client', organizations: ['system:masters'] },
    usages: ['clientAuth'],
  });
  return { authority, serving, admin, kubeletClient, tokenKeys: await openTokenKeys(files, directory) };
}

async function openAuthority({ clock, files, keys, authorities }: PkiDeps, directory: string): Promise<Authority> {
  const certificate = await files.readText(`${directory}/ca.crt`);
  const key = await files.readText(`${directory}/ca.key`);
  if (certificate !== undefined && key !== undefined) {
    return authorities.openAuthority({ certificate: keys.fromPem(certificate), key: secret(keys.fromPem(key)) });
  }
  const authority = await authorities.createAuthority({
    subject: { commonName: 'kubernetes', organizations: [] },
    notBefore: minus(clock.now(), backdate),
    notAfter: plus(clock.now(), caLasts),
  });
  await writeKey(files, `${directory}/ca.key`, keys.toPem('EC PRIVATE KEY', authority.key.reveal()));
  await files.writeAtomically(`${directory}/ca.crt`, authority.certificatePem, { mode: 0o644 });
  return authority;
}

async function openLeaf(
  deps: PkiDeps,
  path: string,
  authority: Authority,
  options: IssueOptions,
): Promise<KeyedCertificate> {
  const { files } = deps;
  const certificatePem = await files.readText(`${path}.crt`);
  const keyText = await files.readText(`${path}.key`);
  if (certificatePem !== undefined && keyText !== undefined) {
    const key = secret(keyText);
    if (isStillGood(deps, certificatePem, key, options)) return { certificatePem, key };
  }
  const made = await authority.issueWithKey(options);
  await writeKey(files, `${path}.key`, made.key.reveal());
  await files.writeAtomically(`${path}.crt`, made.certificatePem, { mode: 0o644 });
  return made;
}

function isStillGood({ clock, keys }: PkiDeps, pem: string, key: Secret<string>, options: IssueOptions): boolean {
  try {
    const info = keys.readCertificate(pem);
    const hasAll = (have: readonly string[], want: readonly string[] = []): boolean =>
      want.every((one) => have.includes(one));
    return (
      info.notAfter - clock.now() > renewWithin &&
      hasAll(info.dnsNames, options.dnsNames) &&
      hasAll(info.addresses, options.addresses) &&
      keys.matches(pem, key)
    );
  } catch {
    return false;
  }
}

async function openTokenKeys(files: Files, directory: string): Promise<Pki['tokenKeys']> {
  const privateKey = await files.readText(`${directory}/sa.key`);
  const publicKey = await files.readText(`${directory}/sa.pub`);
  if (privateKey !== undefined && publicKey !== undefined) return { privateKey, publicKey };
  const made = await createTokenKey();
  await writeKey(files, `${directory}/sa.key`, made.privateKey);
  await files.writeAtomically(`${directory}/sa.pub`, made.publicKey, { mode: 0o644 });
  return made;
}

const writeKey = (files: Files, path: string, text: string): Promise<void> =>
  files.writeAtomically(path, text, { mode: 0o600 });

/** A kubeconfig that needs no other file. */
export function formatKubeconfig(server: string, pki: Pick<Pki, 'authority' | 'admin'>): string {
  const named = 'kedge';
  return `${JSON.stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        { name: named, cluster: { server, 'certificate-authority-data': btoa(pki.authority.certificatePem) } },
      ],
      users: [
        {
          name: 'kubernetes-admin',
          user: {
            'client-certificate-data': btoa(pki.admin.certificatePem),
            'client-key-data': btoa(pki.admin.key.reveal()),
          },
        },
      ],
      contexts: [{ name: named, context: { cluster: named, user: 'kubernetes-admin' } }],
      'current-context': named,
    },
    undefined,
    2,
  )}\n`;
}
