// Revocation lists: files `*.crl`, PEM or DER, beside the certificates of their authorities in `trusted`, or in `crl`. Nobody
// fetches them; who runs the authority puts the newest one there.
import { readdir, readFile, stat } from 'node:fs/promises';
import type { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { crypto_utils } from 'node-opcua-client';
import { fault } from '../mapper-sdk/index.ts';

export interface RevocationList {
  readonly file: string;
  /** When the next one was due, Unix milliseconds; absent: never. */
  readonly dueAt: number | undefined;
  /** Whether this authority has made it, by name and by signature. */
  isOf(authority: X509Certificate): boolean;
  /** When this certificate of the same authority was revoked. */
  revokedAt(certificate: X509Certificate): Date | undefined;
}

const folders = ['trusted', 'crl'] as const;
const maxFiles = 1_000;
/** Some hundred thousand certificates. */
const maxBytes = 8 * 1_048_576;

/** Throws a fault for a file that is no list: what it revokes would be trusted. */
export async function readRevocationLists(directory: string): Promise<RevocationList[]> {
  const lists: RevocationList[] = [];
  for (const folder of folders) {
    const names = await readdir(join(directory, folder)).catch(() => []);
    for (const name of names.filter((one) => /\.crl$/i.test(one)).slice(0, maxFiles)) {
      lists.push(await readList(join(directory, folder, name)));
    }
  }
  return lists;
}

async function readList(file: string): Promise<RevocationList> {
  try {
    const { size } = await stat(file);
    if (size > maxBytes) throw new Error(`it is larger than ${maxBytes} bytes`);
    const content = await readFile(file);
    const der = content.toString('latin1').includes('-----BEGIN')
      ? crypto_utils.convertPEMtoDER(content.toString('utf8'))
      : content;
    const { revokedCertificates, nextUpdate } = crypto_utils.exploreCertificateRevocationList(der).tbsCertList;
    const revoked = new Map(revokedCertificates.map((one) => [plainSerial(one.userCertificate), one.revocationDate]));
    return {
      file,
      dueAt: nextUpdate?.getTime(),
      isOf: ({ raw }) => crypto_utils.verifyCrlIssuedByCertificate(der, raw),
      revokedAt: ({ serialNumber }) => revoked.get(plainSerial(serialNumber)),
    };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw fault('BadRevocationList', `${file} is no revocation list that can be used (${why}): replace it`, error);
  }
}

const plainSerial = (hex: string): string =>
  hex
    .replace(/[^0-9A-Fa-f]/g, '')
    .replace(/^0+(?=.)/, '')
    .toUpperCase();
