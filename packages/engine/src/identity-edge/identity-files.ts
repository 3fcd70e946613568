// The edge's three PEM files, where upstream has them. They are replaced one after the other, so the new certificate
// first waits beside the old one: a crash in between never leaves the node without a pair that fits.
import { explain } from '@kedge/core/errors';
import { type Secret, secret } from '@kedge/core/log';
import type { CertificateInfo, Files, Keys } from '@kedge/core/ports';

export interface IdentityPaths {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** PEM, but for `info`. */
export interface StoredIdentity {
  readonly ca: string;
  readonly certificate: string;
  readonly key: Secret<string>;
  readonly info: CertificateInfo;
}

export type LoadedIdentity =
  | { readonly ok: true; readonly identity: StoredIdentity }
  | { readonly ok: false; readonly why: string };

export interface IdentityFiles {
  /** Reads the files and checks that they belong together. */
  load(): Promise<LoadedIdentity>;
  store(identity: Omit<StoredIdentity, 'info'>): Promise<void>;
}

export function createIdentityFiles(files: Files, keys: Keys, paths: IdentityPaths): IdentityFiles {
  const next = `${paths.certificate}.next`;

  function readPair(certificate: string, key: Secret<string>): CertificateInfo | string {
    try {
      const info = keys.readCertificate(certificate);
      return keys.matches(certificate, key) ? info : 'the key does not fit the certificate';
    } catch (error) {
      return explain(error);
    }
  }

  return {
    async load() {
      const [ca, certificate, keyText] = await Promise.all([
        files.readText(paths.ca),
        files.readText(paths.certificate),
        files.readText(paths.key),
      ]);
      if (ca === undefined || certificate === undefined || keyText === undefined) {
        return { ok: false, why: 'not all of the files are there' };
      }
      const key = secret(keyText);
      const info = readPair(certificate, key);
      if (typeof info !== 'string') return { ok: true, identity: { ca, certificate, key, info } };
      const waiting = await files.readText(next);
      const waitingInfo = waiting === undefined ? info : readPair(waiting, key);
      if (waiting === undefined || typeof waitingInfo === 'string') return { ok: false, why: info };
      await files.rename(next, paths.certificate);
      return { ok: true, identity: { ca, certificate: waiting, key, info: waitingInfo } };
    },
    async store({ ca, certificate, key }) {
      for (const path of Object.values(paths)) await files.makeDirectory(folderOf(path));
      await files.writeAtomically(paths.ca, ca, { mode: 0o644 });
      await files.writeAtomically(next, certificate, { mode: 0o644 });
      await files.writeAtomically(paths.key, key.reveal(), { mode: 0o600 });
      await files.rename(next, paths.certificate);
    },
  };
}

const folderOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf('/')));
