// The certificate a TLS client showed, once it has been verified against the configured CA.
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { PeerCertificate } from '@kedge/core/ports';
import { subjectOf } from '../node/subject-names.ts';

/** A connection carries many requests, and reading a certificate costs more than most of them. */
const known = new WeakMap<object, PeerCertificate | undefined>();

/**
 * Undefined on plain connections, without a certificate, and for one that did not verify. `connection`: what stands for
 * the connection where each request has a socket object of its own.
 */
export function peerOf(socket: Socket | TLSSocket, connection: object = socket): PeerCertificate | undefined {
  if (!('authorized' in socket) || !socket.authorized) return undefined;
  if (!known.has(connection)) known.set(connection, readPeer(socket));
  return known.get(connection);
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
