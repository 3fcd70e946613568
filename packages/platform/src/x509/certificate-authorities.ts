// Certificate authorities on @peculiar/x509: the cloud's half of X.509. The edge only writes requests.
import 'reflect-metadata';
import { createPrivateKey, createPublicKey, KeyObject, randomBytes, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { secret } from '@kedge/core/log';
import {
  type Authority,
  type CertificateAuthorities,
  type IssueOptions,
  keysErrors,
  type Subject,
} from '@kedge/core/ports';
import { readRequest } from './read-request.ts';

x509.cryptoProvider.set(webcrypto);

const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const usageIds: Record<IssueOptions['usages'][number], string> = {
  serverAuth: x509.ExtendedKeyUsage.serverAuth,
  clientAuth: x509.ExtendedKeyUsage.clientAuth,
};

export function createCertificateAuthorities(): CertificateAuthorities {
  return {
    async createAuthority({ subject, notBefore, notAfter }) {
      const keys = await createKeyPair();
      const certificate = await x509.X509CertificateGenerator.createSelfSigned({
        serialNumber: serialNumber(),
        name: toName(subject),
        notBefore: new Date(notBefore),
        notAfter: new Date(notAfter),
        signingAlgorithm: ecdsa,
        keys,
        extensions: [
          new x509.BasicConstraintsExtension(true, undefined, true),
          new x509.KeyUsagesExtension(
            x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature,
            true,
          ),
          await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
        ],
      });
      return toAuthority(certificate, keys.privateKey);
    },
    async openAuthority({ certificate: der, key }) {
      const certificate = readCertificate(der);
      const privateKey = readSec1(key.reveal());
      const ours = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
      if (!ours.equals(Buffer.from(certificate.publicKey.rawData))) {
        throw keysErrors.BAD_CERTIFICATE({ reason: 'the CA certificate belongs to another private key' });
      }
      if (!certificate.getExtension(x509.BasicConstraintsExtension)?.ca) {
        throw keysErrors.BAD_CERTIFICATE({ reason: 'it is not the certificate of a CA' });
      }
      return toAuthority(certificate, privateKey.toCryptoKey(ecdsa, true, ['sign']));
    },
    readRequest,
  };
}

const createKeyPair = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify']);

async function toAuthority(certificate: x509.X509Certificate, signingKey: webcrypto.CryptoKey): Promise<Authority> {
  const authorityKeyId = await keyIdOf(certificate);

  async function issue(publicKey: x509.PublicKey, options: IssueOptions): Promise<x509.X509Certificate> {
    return x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: toName(options.subject),
      issuer: certificate.subjectName,
      notBefore: new Date(options.notBefore),
      notAfter: new Date(options.notAfter),
      signingAlgorithm: ecdsa,
      signingKey,
      publicKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension(options.usages.map((usage) => usageIds[usage])),
        ...alternativeNames(options),
        new x509.AuthorityKeyIdentifierExtension(authorityKeyId),
        await x509.SubjectKeyIdentifierExtension.create(publicKey),
      ],
    });
  }

  return {
    certificate: new Uint8Array(certificate.rawData),
    certificatePem: `${certificate.toString('pem')}\n`,
    key: secret(new Uint8Array(toKeyObject(signingKey).export({ type: 'sec1', format: 'der' }))),
    async issue(publicKey, options) {
      return new Uint8Array((await issue(readPublicKey(publicKey), options)).rawData);
    },
    async issueWithKey(options) {
      const keys = await createKeyPair();
      const issued = await issue(await x509.PublicKey.create(keys.publicKey), options);
      const key = toKeyObject(keys.privateKey).export({ type: 'sec1', format: 'pem' }) as string;
      return { certificatePem: `${issued.toString('pem')}\n`, key: secret(key) };
    },
  };
}

/** What the CA calls its own key; another implementation may have hashed it in another way. */
async function keyIdOf(certificate: x509.X509Certificate): Promise<string> {
  const own = certificate.getExtension(x509.SubjectKeyIdentifierExtension);
  return (own ?? (await x509.SubjectKeyIdentifierExtension.create(certificate.publicKey))).keyId;
}

function alternativeNames({ dnsNames = [], addresses = [] }: IssueOptions): x509.Extension[] {
  const names = [
    ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...addresses.map((value) => ({ type: 'ip' as const, value })),
  ];
  return names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : [];
}

const toName = ({ commonName, organizations }: Subject): x509.Name =>
  new x509.Name([
    ...organizations.map((value) => ({ O: [{ utf8String: value }] })),
    { CN: [{ utf8String: commonName }] },
  ]);

/** 127 random bits: positive, and not longer than the 20 bytes that RFC 5280 allows. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString('hex');
}

const toKeyObject = (key: webcrypto.CryptoKey): KeyObject => KeyObject.from(key);

function readCertificate(der: Uint8Array): x509.X509Certificate {
  try {
    return new x509.X509Certificate(new Uint8Array(der));
  } catch (error) {
    throw keysErrors.BAD_CERTIFICATE({ reason: reasonOf(error) }, error);
  }
}

function readSec1(der: Uint8Array): KeyObject {
  try {
    return createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'sec1' });
  } catch (error) {
    throw keysErrors.BAD_CERTIFICATE({ reason: `the CA key cannot be read: ${reasonOf(error)}` }, error);
  }
}

function readPublicKey(spki: Uint8Array): x509.PublicKey {
  try {
    return new x509.PublicKey(new Uint8Array(spki));
  } catch (error) {
    throw keysErrors.BAD_REQUEST({ reason: `the public key cannot be read: ${reasonOf(error)}` }, error);
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
