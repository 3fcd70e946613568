// The HTTPS API on port 10002: the CA, certificates for edges, and whether a node name is taken. What upgrade tools post
// here is answered once node tasks exist; until then it is not found, which those tools report as such.
import { codeOf } from '@kedge/core/errors';
import type { Log } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import type { HttpServers, Listening, ServerRequest, ServerResponse, TlsFiles } from '@kedge/core/ports';
import type { KubeApi } from '@kedge/engine/kube-client';
import type { CloudIdentity } from '@kedge/engine/identity-cloud';
import { isStatus } from '@kedge/model/k8s';
import { isNodeName } from './admit.ts';

const maxRequestBytes = 1024 * 1024;
const nodes = { group: '', version: 'v1', resource: 'nodes' };
const plain = { 'content-type': 'text/plain; charset=utf-8' };
const binary = { 'content-type': 'application/octet-stream' };

export interface BootstrapApiDeps {
  readonly log: Log;
  readonly kube: KubeApi;
  readonly servers: HttpServers;
  readonly identity: CloudIdentity;
}

export interface BootstrapApi extends Module {
  renew(tls: TlsFiles): void;
  readonly port: number;
}

export function createBootstrapApi(deps: BootstrapApiDeps, config: { address: string; port: number }): BootstrapApi {
  const { kube, identity } = deps;
  const log = deps.log.child({ module: 'bootstrapapi' });
  let listening: Listening | undefined;

  async function handle(request: ServerRequest, response: ServerResponse): Promise<void> {
    const { method, path } = request;
    if (method === 'GET' && path === '/ca.crt') return response.send(200, binary, identity.caDer);
    if (method === 'GET' && path === '/edge.crt') return giveCertificate(request, response);
    const node = /^\/node\/([^/]*)$/.exec(path)?.[1];
    if (method === 'GET' && node !== undefined) return lookUpNode(node, request, response);
    response.send(404, plain, 'not found');
  }

  async function lookUpNode(name: string, request: ServerRequest, response: ServerResponse): Promise<void> {
    if (!isNodeName(name)) return response.send(400, plain, 'not the name of a node');
    try {
      await kube.get(nodes, { name }, { signal: request.signal });
      response.send(200, plain, 'Node founded');
    } catch (error) {
      if (isStatus(error, 'NotFound')) return response.send(404, plain, 'Node not found');
      log.warn('cannot look up a node', { node: name, err: error });
      response.send(500, plain, 'the Kubernetes API did not answer');
    }
  }

  async function giveCertificate(request: ServerRequest, response: ServerResponse): Promise<void> {
    const node = request.headers['nodename'] ?? '';
    if (!isNodeName(node)) return response.send(400, plain, 'header NodeName does not hold the name of a node');
    const usages = readUsages(request.headers['extkeyusages']);
    if (!usages) return response.send(400, plain, 'header ExtKeyUsages is not a list of 1 (server) and 2 (client)');
    try {
      const certificate = await identity.issue({
        node,
        request: await request.body(maxRequestBytes),
        usages,
        peer: request.peer,
        token: /^Bearer (\S+)$/i.exec(request.headers['authorization'] ?? '')?.[1],
      });
      response.send(200, binary, certificate);
    } catch (error) {
      const { status, say } = toAnswer(error);
      log.warn('no certificate given', { node, address: request.remoteAddress, code: status, err: error });
      response.send(status, plain, say);
    }
  }

  return {
    name: 'bootstrapapi',
    get port() {
      return listening?.port ?? config.port;
    },
    renew: (tls) => listening?.renew(tls),
    async start(scope) {
      const { certificate, key } = identity.serving;
      listening = await deps.servers.listen({
        address: config.address,
        port: config.port,
        tls: { certificate, key, clientCa: identity.caPem, clientAuth: 'request' },
        handler: handle,
      });
      const open = listening;
      scope.defer('bootstrap listener', () => open.close());
      log.info('bootstrap API is listening', { address: config.address, port: listening.port });
    },
  };
}

/** Go's numbers of extended key usages; a plain edge asks for the client's only. */
function readUsages(header: string | undefined): ('serverAuth' | 'clientAuth')[] | undefined {
  if (header === undefined || header === '') return ['clientAuth'];
  if (!/^\[\s*[12](\s*,\s*[12])?\s*\]$/.test(header)) return undefined;
  return [
    ...(header.includes('1') ? ['serverAuth' as const] : []),
    ...(header.includes('2') ? ['clientAuth' as const] : []),
  ];
}

function toAnswer(error: unknown): { status: number; say: string } {
  const say = error instanceof Error ? error.message : 'the certificate could not be made';
  switch (codeOf(error)) {
    case 'IDENTITY_BAD_TOKEN':
    case 'IDENTITY_WRONG_CERTIFICATE':
      return { status: 401, say };
    case 'IDENTITY_WRONG_SUBJECT':
    case 'IDENTITY_WRONG_NAMES':
      return { status: 403, say };
    case 'IDENTITY_BAD_REQUEST':
      return { status: 400, say };
    case 'HTTP_BODY_TOO_LARGE':
      return { status: 413, say };
    default:
      return { status: 500, say: 'the certificate could not be made' };
  }
}
