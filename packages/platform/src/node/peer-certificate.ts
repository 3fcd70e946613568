// The certificate a TLS client showed, once it has been verified against the configured CA.
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { PeerCertificate } from '@kedge/core/ports';
import { subjectOf } from './subject-names.ts';

/** Undefined on plain connections, without a certificate, and for one that did not verify. */
export function peerOf(socket: Socket | TLSSocket): PeerCertificate | undefined {
  if (!('authorized' in socket) || !socket.authorized) return undefined;
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) return undefined;
  return {
    ...subjectOf(certificate),
    serialNumber: certificate.serialNumber,
    notAfter: certificate.validToDate.getTime(),
    raw: certificate.raw,
  };
}
