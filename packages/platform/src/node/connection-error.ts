// Says what went wrong with a connection, in terms of who must act.
import { codeOf } from '@kedge/core/errors';
import { httpErrors } from '@kedge/core/ports';

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused: nothing listens there',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the name server does not answer',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to its network',
  ETIMEDOUT: 'no answer',
  ECONNRESET: 'closed by the peer',
  EPIPE: 'closed by the peer',
  ENOENT: 'the socket does not exist',
  EACCES: 'not permitted',
};

/** Certificate checks of Node and OpenSSL that fail on our side, by the code they carry. */
const untrusted =
  /^(?:CERT_|ERR_TLS_CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|INVALID_CA|PATH_LENGTH|INVALID_PURPOSE|HOSTNAME_MISMATCH)/;

/** TLS alerts with which a server turns our certificate, or the lack of one, down. */
const refused = /^ERR_SSL_.*ALERT_.*(?:CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/;

export function connectionError(url: string, error: NodeJS.ErrnoException, connected: boolean): Error {
  if (codeOf(error) !== undefined) return error;
  const code = error.code ?? '';
  if (untrusted.test(code)) return httpErrors.UNTRUSTED_SERVER({ url, reason: error.message }, error);
  if (refused.test(code)) return httpErrors.CERTIFICATE_REFUSED({ url, reason: error.message }, error);
  if (code === 'ERR_OSSL_PEM_NO_START_LINE' || /^ERR_OSSL_(?:PEM|X509|ASN1)/.test(code)) {
    return httpErrors.BAD_TLS({ reason: error.message }, error);
  }
  const reason = reasons[code] ?? (error.message || code || 'unknown');
  return connected
    ? httpErrors.CONNECTION_LOST({ url, reason }, error)
    : httpErrors.CONNECT_FAILED({ url, reason }, error);
}
