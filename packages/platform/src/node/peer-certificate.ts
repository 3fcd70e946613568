// The certificate a TLS client showed, once it has been verified against the configured CA.
import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { PeerCertificate } from '@kedge/core/ports';

/** Undefined on plain connections, without a certificate, and for one that did not verify. */
export function peerOf(socket: Socket | TLSSocket): PeerCertificate | undefined {
  if (!('authorized' in socket) || !socket.authorized) return undefined;
  const certificate = socket.getPeerX509Certificate();
  return certificate && toPeer(certificate);
}

function toPeer(certificate: X509Certificate): PeerCertificate {
  const { subject } = certificate.toLegacyObject() as unknown as {
    subject: Readonly<Record<string, string | string[] | undefined>> | undefined;
  };
  const names = asList(subject?.['CN']);
  return {
    // Two common names could be read as either: such a certificate names nobody.
    commonName: names.length === 1 ? names[0]! : '',
    organizations: asList(subject?.['O']),
    serialNumber: certificate.serialNumber,
    notAfter: certificate.validToDate.getTime(),
    raw: certificate.raw,
  };
}

const asList = (value: string | string[] | undefined): string[] =>
  value === undefined ? [] : typeof value === 'string' ? [value] : value;
