// Cryptography as a port: key pairs, requests and certificates. Private keys stay PEM text wrapped as secrets.
import type { Secret } from '../log/index.ts';

export interface CertificateInfo {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly dnsNames: readonly string[];
  readonly addresses: readonly string[];
  /** What it may be used for; nothing where it says nothing about that. */
  readonly usages: readonly ('serverAuth' | 'clientAuth')[];
  readonly notBefore: number;
  readonly notAfter: number;
  readonly serialNumber: string;
  readonly isCa: boolean;
}

export interface Subject {
  readonly commonName: string;
  readonly organizations: readonly string[];
}

/** Hashes and keys; small enough for the edge. */
export interface Keys {
  sha256(data: Uint8Array | string): Uint8Array;
  hmacSha256(key: Uint8Array, data: string | Uint8Array): Uint8Array;
  /** Constant time. */
  equal(a: Uint8Array, b: Uint8Array): boolean;
  /** A new P-256 key, PEM (`EC PRIVATE KEY`, SEC1). */
  createPrivateKey(): Secret<string>;
  /** PKCS#10 in DER, signed with the key. */
  createRequest(key: Secret<string>, subject: Subject): Uint8Array;
  /** Throws KEYS_BAD_CERTIFICATE. */
  readCertificate(pemOrDer: string | Uint8Array): CertificateInfo;
  /** True when the key is the certificate's. */
  matches(certificatePem: string, key: Secret<string>): boolean;
  toPem(label: string, der: Uint8Array): string;
  fromPem(pem: string): Uint8Array;
}

export interface IssueOptions {
  readonly subject: Subject;
  readonly dnsNames?: readonly string[];
  readonly addresses?: readonly string[];
  readonly usages: readonly ('serverAuth' | 'clientAuth')[];
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface ReadRequest {
  readonly subject: Subject;
  readonly dnsNames: readonly string[];
  readonly addresses: readonly string[];
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
}

/** Issuing certificates; the cloud only. */
export interface CertificateAuthorities {
  /** A self-signed P-256 CA. */
  createAuthority(options: { subject: Subject; notBefore: number; notAfter: number }): Promise<Authority>;
  /** Opens a CA from its parts; throws KEYS_BAD_CERTIFICATE when they do not fit. */
  openAuthority(options: { certificate: Uint8Array; key: Secret<Uint8Array> }): Promise<Authority>;
  /** Reads and verifies a PKCS#10 request; throws KEYS_BAD_REQUEST. */
  readRequest(der: Uint8Array): Promise<ReadRequest>;
}

export interface Authority {
  /** DER. */
  readonly certificate: Uint8Array;
  readonly certificatePem: string;
  /** SEC1 DER of the private key (upstream signs join tokens with these bytes). */
  readonly key: Secret<Uint8Array>;
  /** Certificate in DER for a request's public key. */
  issue(publicKey: Uint8Array, options: IssueOptions): Promise<Uint8Array>;
  /** A fresh key and its certificate. */
  issueWithKey(options: IssueOptions): Promise<{ certificatePem: string; key: Secret<string> }>;
}
