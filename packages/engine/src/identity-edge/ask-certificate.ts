// The two requests of the bootstrap API: the cloud's CA, checked against the join token, and a certificate for a new key.
import { explain, retryOf } from '@kedge/core/errors';
import type { Secret } from '@kedge/core/log';
import type { HttpClient, Keys } from '@kedge/core/ports';
import type { NodeName } from '@kedge/model/k8s';
import { edgeIdentityErrors } from './edge-identity-errors.ts';
import type { StoredIdentity } from './identity-files.ts';
import type { JoinToken } from './join-token.ts';

/** No certificate or CA of ours is longer than a kilobyte. */
const maxAnswerBytes = 64 * 1024;
const maxRefusalBytes = 1024;

/** How a connection is secured; the client belongs to whoever asked for it. */
export type OpenHttpClient = (options: {
  readonly tls: {
    readonly ca?: string;
    readonly certificate?: string;
    readonly key?: string;
    readonly trustAnyServer?: boolean;
  };
}) => HttpClient;

export interface BootstrapDeps {
  readonly keys: Keys;
  readonly openHttpClient: OpenHttpClient;
  readonly node: NodeName;
  /** `https://host:10002`. */
  readonly httpServer: string;
}

/** The cloud's CA in PEM. Whoever answers is not trusted until its CA has the hash that the token names. */
export async function fetchCa(deps: BootstrapDeps, token: JoinToken, signal: AbortSignal): Promise<string> {
  const url = `${deps.httpServer}/ca.crt`;
  const der = await get(deps, { trustAnyServer: true }, { url, headers: {} }, signal);
  const found = toHex(deps.keys.sha256(der));
  if (found !== token.caHash) throw edgeIdentityErrors.WRONG_CA({ url, expected: token.caHash, found });
  return deps.keys.toPem('CERTIFICATE', der);
}

/** In Go's numbers: the node shows its certificate to callers of its kubelet as well as to its cloud. */
const bothUsages = '[1,2]';

/** Who asks: a newcomer with a token, or a node that renews what it has. */
export type Credential =
  | { readonly ca: string; readonly jwt: string }
  | { readonly ca: string; readonly certificate: string; readonly key: Secret<string> };

export async function askCertificate(
  deps: BootstrapDeps,
  credential: Credential,
  signal: AbortSignal,
): Promise<StoredIdentity> {
  const { keys, node } = deps;
  const url = `${deps.httpServer}/edge.crt`;
  const key = keys.createPrivateKey();
  const body = keys.createRequest(key, { commonName: `system:node:${node}`, organizations: ['system:nodes'] });
  const isNew = 'jwt' in credential;
  const tls = isNew
    ? { ca: credential.ca }
    : { ca: credential.ca, certificate: credential.certificate, key: credential.key.reveal() };
  const headers = {
    nodename: node,
    extkeyusages: bothUsages,
    ...(isNew ? { authorization: `Bearer ${credential.jwt}` } : {}),
  };
  const certificate = keys.toPem('CERTIFICATE', await get(deps, tls, { url, headers, body }, signal));
  const reason = whyUseless(keys, certificate, key, node);
  if (reason !== undefined) throw edgeIdentityErrors.WRONG_CERTIFICATE({ url, reason });
  return { ca: credential.ca, certificate, key, info: keys.readCertificate(certificate) };
}

function whyUseless(keys: Keys, certificate: string, key: Secret<string>, node: NodeName): string | undefined {
  try {
    const { commonName } = keys.readCertificate(certificate);
    if (commonName !== `system:node:${node}`) return `it is for "${commonName}"`;
    return keys.matches(certificate, key) ? undefined : 'it is for another key';
  } catch (error) {
    return explain(error);
  }
}

/** Upstream wants a GET with a body; everything but a refusal is worth another try. */
async function get(
  { openHttpClient, node }: BootstrapDeps,
  tls: Parameters<OpenHttpClient>[0]['tls'],
  request: { url: string; headers: Record<string, string>; body?: Uint8Array },
  signal: AbortSignal,
): Promise<Uint8Array> {
  const client = openHttpClient({ tls });
  const { url } = request;
  try {
    const response = await client.request({ method: 'GET', ...request, signal });
    if (response.status === 200) return await response.bytes(maxAnswerBytes);
    const say = (await response.text(maxRefusalBytes).catch(() => '')).trim();
    if (response.status < 500) throw edgeIdentityErrors.REFUSED({ node, url, status: response.status, say });
    throw edgeIdentityErrors.UNAVAILABLE({ url, reason: `HTTP ${response.status}${say ? `: ${say}` : ''}` });
  } catch (error) {
    if (signal.aborted || retryOf(error) === 'never' || edgeIdentityErrors.UNAVAILABLE.is(error)) throw error;
    throw edgeIdentityErrors.UNAVAILABLE({ url, reason: explain(error) }, error);
  } finally {
    await client.close();
  }
}

const toHex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
