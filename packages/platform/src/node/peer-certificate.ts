// The certificate a TLS client showed, once it has been verified against the configured CA.
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { PeerCertificate } from '@kedge/core/ports';
import { subjectOf } from './subject-names.ts';

/** A connection carries many requests, and reading a certificate costs more than most of them. */
const known = new WeakMap<Socket, PeerCertificate | undefined>();

/** Undefined on plain connections, without a certificate, and for one that did not verify. */
export function peerOf(socket: Socket | TLSSocket): PeerCertificate | undefined {
  if (!('authorized' in socket) || !socket.authorized) return undefined;
  if (!known.has(socket)) known.set(socket, readPeer(socket));
  return known.get(socket);
}

function readPeer(socket: TLSSocket): PeerCertificate | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) return undefined;
  return {
    ...subjectOf(certificate),
    serialNumber: certificate.serialNumber,
    notAfter: certificate.validToDate.getTime(),
    raw: certificate.raw,
  };
}
