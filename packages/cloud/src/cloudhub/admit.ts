// Who may open a link: decided from the upgrade request alone, before anything is accepted.
import type { Headers, PeerCertificate } from '@kedge/core/ports';
import { type NodeName, nodeName } from '@kedge/model/k8s';

export type Admission =
  | { readonly admit: true; readonly node: NodeName }
  | { readonly admit: false; readonly status: number; readonly say: string };

export interface UpgradeFacts {
  /** Names in lower case. */
  readonly headers: Headers;
  readonly peer: Pick<PeerCertificate, 'commonName' | 'organizations'> | undefined;
  readonly liveSessions: number;
  readonly isConnected: (node: NodeName) => boolean;
  readonly nodeLimit: number;
}

/** An edge may send a header several times with equal values after failed dials; the first counts. */
const firstOf = (value: string | undefined): string => (value ?? '').split(',')[0]!.trim();

export function admitUpgrade({ headers, peer, liveSessions, isConnected, nodeLimit }: UpgradeFacts): Admission {
  const refuse = (status: number, say: string): Admission => ({ admit: false, status, say });
  const name = firstOf(headers['node_id']);
  if (!isNodeName(name)) return refuse(400, 'header node_id does not hold the name of a node');
  const use = firstOf(headers['connectionuse']);
  if (use !== 'msg') return refuse(400, `header ConnectionUse is "${use}"; this port serves "msg" only`);
  if (!peer) return refuse(401, 'no client certificate');
  if (peer.commonName !== `system:node:${name}` || !peer.organizations.includes('system:nodes')) {
    return refuse(403, `certificate of "${peer.commonName}" does not fit node_id "${name}"`);
  }
  const node = nodeName(name);
  if (!isConnected(node) && liveSessions >= nodeLimit) {
    return refuse(503, `this cloudcore serves ${nodeLimit} nodes already; raise cloudHub.nodeLimit or add an instance`);
  }
  return { admit: true, node };
}

/** A DNS subdomain, as Kubernetes wants it of node names. */
export const isNodeName = (text: string): boolean =>
  text.length <= 253 && /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/.test(text);
