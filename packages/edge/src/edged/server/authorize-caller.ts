// Who may ask the kubelet's endpoints. An edge may be out of reach of the API server that would review the question, so
// the certificate alone decides: it has chained to the cluster's CA when it gets here.
import type { PeerCertificate } from '@kedge/core/ports';

export type Verdict =
  | { readonly allow: true }
  | { readonly allow: false; readonly status: 401 | 403; readonly say: string };

/** Cluster administrators, and those whom the certificates of every Kubernetes cluster name for this. */
const administrators = 'system:masters';
const kubeletClients: readonly string[] = ['kube-apiserver-kubelet-client', 'system:kube-apiserver'];

export function authorizeCaller(peer: PeerCertificate | undefined): Verdict {
  if (!peer) {
    return { allow: false, status: 401, say: 'show a client certificate that the CA of the cluster has signed' };
  }
  if (peer.organizations.includes(administrators) || kubeletClients.includes(peer.commonName)) return { allow: true };
  return {
    allow: false,
    status: 403,
    say: `"${peer.commonName}" may not ask this node: that takes the organization ${administrators}`,
  };
}
