// The Keys port on node:crypto alone: hashes, P-256 keys, requests, and reading certificates.
import {
  createHash,
  createHmac,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  timingSafeEqual,
  X509Certificate,
} from 'node:crypto';
import { type Secret, secret } from '@kedge/core/log';
import { type Keys, keysErrors } from '@kedge/core/ports';
import { writeRequest } from './certificate-request.ts';
import { alternativeNames, subjectOf } from './subject-names.ts';

export function createKeys(): Keys {
  return {
    sha256: (data) => createHash('sha256').update(data).digest(),
    hmacSha256: (key, data) => createHmac('sha256', key).update(data).digest(),
    equal: (a, b) => a.length === b.length && timingSafeEqual(a, b),
    createPrivateKey() {
      const { privateKey } = generateKeyPairSync('ec', {
        namedCurve: 'prime256v1',
        privateKeyEncoding: { type: 'sec1', format: 'pem' },
        publicKeyEncoding: { type: 'spki', format: 'pem' },
      });
      return secret(privateKey);
    },
    createRequest: (key, subject) => writeRequest(readKey(key), subject),
    readCertificate(pemOrDer) {
      const certificate = openCertificate(pemOrDer);
      return {
        ...subjectOf(certificate),
        ...alternativeNames(certificate),
        usages: (certificate.keyUsage ?? []).flatMap((id) => usagesById[id] ?? []),
        notBefore: certificate.validFromDate.getTime(),
        notAfter: certificate.validToDate.getTime(),
        serialNumber: certificate.serialNumber,
        isCa: certificate.ca,
      };
    },
    matches: (certificatePem, key) => openCertificate(certificatePem).checkPrivateKey(readKey(key)),
    toPem,
    fromPem,
  };
}

function readKey(key: Secret<string>): KeyObject {
  try {
    return createPrivateKey(key.reveal());
  } catch (error) {
    throw keysErrors.BAD_KEY({ reason: reasonOf(error) }, error);
  }
}

const usagesById: Readonly<Record<string, 'serverAuth' | 'clientAuth'>> = {
  '1.3.6.1.5.5.7.3.1': 'serverAuth',
  '1.3.6.1.5.5.7.3.2': 'clientAuth',
};

function openCertificate(pemOrDer: string | Uint8Array): X509Certificate {
  try {
    return new X509Certificate(pemOrDer);
  } catch (error) {
    throw keysErrors.BAD_CERTIFICATE({ reason: reasonOf(error) }, error);
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function toPem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** The first block of the text. */
function fromPem(pem: string): Uint8Array {
  const block = /-----BEGIN ([A-Z0-9 ]+)-----\s+([A-Za-z0-9+/=\s]+?)-----END \1-----/.exec(pem);
  if (!block) throw keysErrors.BAD_PEM({ reason: 'no "-----BEGIN ..." block in it' });
  return Buffer.from(block[2]!, 'base64');
}
