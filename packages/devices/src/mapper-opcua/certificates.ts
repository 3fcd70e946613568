// Certificates in files: the mapper's own, made on its first start, and those that devices name.
import { createPrivateKey, randomUUID, X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { crypto_utils } from 'node-opcua-client';
import { badConfig } from './settings.ts';

export interface Identity {
  /** Of the file, for messages. */
  readonly file: string;
  readonly certificate: X509Certificate;
  /** PEM. */
  readonly key: string;
  /** What the certificate says the application is called. */
  readonly uri: string;
}

const validDays = 3_650;

/** What was made here before, or is made now. Servers have to be told to trust it. */
export async function ownIdentity(directory: string, now: number): Promise<Identity> {
  const folder = join(directory, 'own');
  const known = await findIdentity(folder, now);
  if (known) return known;
  // Aside, and whole: devices that are opened at once make one each, and the first in its place is everybody's.
  const aside = `${folder}.${randomUUID()}`;
  try {
    await makeIdentity(aside, now);
    await rename(aside, folder).catch(async () => {
      if (await findIdentity(folder, now)) return;
      await rm(folder, { recursive: true, force: true });
      await rename(aside, folder);
    });
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  const { certificate, key } = filesIn(folder);
  return readIdentity(certificate, key);
}

const filesIn = (folder: string) => ({
  certificate: join(folder, 'certificate.pem'),
  key: join(folder, 'private-key.pem'),
});

/** Undefined: there is none, or its time is over. */
async function findIdentity(folder: string, now: number): Promise<Identity | undefined> {
  const { certificate, key } = filesIn(folder);
  try {
    const known = await readIdentity(certificate, key);
    return known.certificate.validToDate.getTime() > now ? known : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function makeIdentity(folder: string, now: number): Promise<void> {
  const host = hostname();
  const key = await crypto_utils.generatePrivateKey(2048);
  const { privPem } = await crypto_utils.privateKeyToPEM(key);
  const { cert } = await crypto_utils.createSelfSignedCertificate({
    privateKey: key,
    subject: `CN=kedge OPC UA mapper/O=kedge/DC=${host}`,
    applicationUri: `urn:${host}:kedge:opcua-mapper`,
    dns: [host],
    validity: validDays,
    notBefore: new Date(now),
    purpose: crypto_utils.CertificatePurpose.ForApplication,
  });
  const files = filesIn(folder);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(files.key, privPem, { mode: 0o600 });
  await writeFile(files.certificate, cert, { mode: 0o600 });
}

/** Throws MAPPER_BAD_CONFIG, with the file. */
export async function readIdentity(file: string, keyFile: string): Promise<Identity> {
  const certificate = await readCertificate(file, 'certificate');
  const key = String(await readConfigured(keyFile, 'privateKey'));
  try {
    if (!certificate.checkPrivateKey(createPrivateKey(key))) throw new Error('it does not belong to the certificate');
  } catch (error) {
    throw badConfig(`privateKey "${keyFile}" cannot be used: ${messageOf(error)}`, error);
  }
  const uri = /URI:([^\s,]+)/.exec(certificate.subjectAltName ?? '')?.[1];
  if (uri === undefined) throw badConfig(`certificate "${file}" names no application URI (subjectAltName)`);
  return { file, certificate, key, uri };
}

/** PEM or DER; of a chain, the first. Throws MAPPER_BAD_CONFIG. */
export async function readCertificate(file: string, what: string): Promise<X509Certificate> {
  const content = await readConfigured(file, what);
  try {
    return new X509Certificate(content);
  } catch (error) {
    throw badConfig(`${what} "${file}" is no certificate: ${messageOf(error)}`, error);
  }
}

export async function readConfigured(file: string, what: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw badConfig(`${what} "${file}" cannot be read here: ${messageOf(error)}`, error);
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const isMissing = (error: unknown): boolean =>
  ((error as { cause?: { code?: string } }).cause?.code ?? (error as { code?: string }).code) === 'ENOENT';
