// Asking the kubelets of nodes. Each has to show a certificate of a CA that this cluster trusts for kubelets and that names
// its node; whoever took over an address is told nothing, and is not believed.
import type { HttpClient, HttpResponse, Subject } from '@kedge/core/ports';
import type { KubeObject } from '@kedge/model/k8s';
import type { Node } from '@kedge/model/k8s-types';
import type { KeyedCertificate } from './pki.ts';
import type { OpenHttpClient } from './webhooks/webhook-client.ts';

export interface Kubelets {
  /** Undefined when the node does not say where its kubelet listens. Rejects when it cannot be reached, or is not it. */
  get(node: Node, path: string, signal: AbortSignal): Promise<HttpResponse> | undefined;
  close(): Promise<void>;
}

export interface KubeletsDeps {
  readonly openHttpClient: OpenHttpClient;
  /** What kubelets are shown. */
  readonly client: KeyedCertificate;
  /** PEM of the CAs that kubelets' certificates may be of; asked for with each request. */
  readonly authorities: () => string;
}

export function createKubelets({ openHttpClient, client, authorities }: KubeletsDeps): Kubelets {
  let opened: { readonly ca: string; readonly http: HttpClient } | undefined;

  function current(): HttpClient {
    const ca = authorities();
    if (opened?.ca !== ca) {
      // What came from a CA that is no longer trusted ends with it.
      void opened?.http.close();
      const tls = { ca, certificate: client.certificatePem, key: client.key.reveal() };
      opened = { ca, http: openHttpClient({ tls }) };
    }
    return opened.http;
  }

  return {
    get(node, path, signal) {
      const base = kubeletBase(node);
      if (base === undefined) return undefined;
      const name = node.metadata.name ?? '';
      const refuse = (shown: Subject, isForHost: boolean) => whyNotKubelet(name, shown, isForHost);
      return current().request({ method: 'GET', url: `${base}${path}`, signal, server: { name, refuse } });
    },
    close: async () => opened?.http.close(),
  };
}

const nodePrefix = 'system:node:';
const nodeGroup = 'system:nodes';

/**
 * Edges and Kubernetes' signer for kubelets give certificates to the node's own name, wherever it may be; any other has to
 * be for the address, as kube-apiserver wants it. One node's is never another's.
 */
export function whyNotKubelet(
  node: string,
  { commonName, organizations }: Subject,
  isForHost: boolean,
): string | undefined {
  if (commonName.startsWith(nodePrefix)) {
    const isOf = organizations.includes(nodeGroup) ? commonName.slice(nodePrefix.length) : undefined;
    if (isOf === node) return undefined;
    return isOf === undefined ? `it is not of ${nodeGroup}` : `it is that of node "${isOf}", not of "${node}"`;
  }
  return isForHost ? undefined : `it is for "${commonName}": neither for node "${node}" nor for this address`;
}

/** `https://address:port` */
function kubeletBase({ status }: Node): string | undefined {
  const address = status?.addresses?.find(({ type }) => type === 'InternalIP')?.address;
  const port = status?.daemonEndpoints?.kubeletEndpoint?.Port;
  return address && port ? `https://${address.includes(':') ? `[${address}]` : address}:${port}` : undefined;
}

/** Where cloudcore keeps the CA that edges have their certificates from. */
export const edgeAuthority = { namespace: 'kubeedge', name: 'casecret' } as const;

/** The CA in that Secret, as PEM; nothing when there is none. */
export function edgeAuthorityPem(secret: KubeObject | undefined): string {
  const { cadata = '' } = (secret?.['data'] ?? {}) as { cadata?: string };
  const lines = /^[A-Za-z0-9+/]+=*$/.test(cadata) ? (cadata.match(/.{1,64}/g) ?? []) : [];
  return lines.length > 0 ? `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n` : '';
}
