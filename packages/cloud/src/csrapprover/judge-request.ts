// Which CertificateSigningRequests are approved without asking anybody: those for the serving certificate of an edge's
// MetaServer. Pure; the fields that Kubernetes wants of a kubelet's serving certificate, and no more.
import type { CertificateSigningRequest } from '@kedge/model/k8s-types';

/** What the PKCS#10 inside says. */
export interface RequestFacts {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly dnsNames: readonly string[];
  readonly addresses: readonly string[];
}

export type Judgement = { readonly approve: true } | { readonly approve: false; readonly why: string };

export const servingSigner = 'kubernetes.io/kubelet-serving';

const allowedUsages = new Set(['digital signature', 'key encipherment', 'server auth']);
const requiredUsages = ['digital signature', 'server auth'];

/**
 * `ownName`: who cloudcore is to the API. Requests of edges come through the hub, which looks at who asks for what; with
 * one that somebody made beside it, its maker could pass for a node.
 */
export function judgeRequest(csr: CertificateSigningRequest, facts: RequestFacts, ownName: string): Judgement {
  const no = (why: string): Judgement => ({ approve: false, why });
  if (csr.spec.signerName !== servingSigner) return no('it is for another signer');
  if (csr.spec.username !== ownName) return no(`it was made by ${csr.spec.username ?? 'somebody unknown'}`);
  if (facts.organizations.join() !== 'system:nodes') return no('its organization is not system:nodes');
  if (!facts.commonName.startsWith('system:node:')) return no('its common name is not that of a node');
  if (facts.dnsNames.length + facts.addresses.length === 0) return no('it names no host and no address');
  const usages = csr.spec.usages ?? [];
  const stray = usages.find((usage) => !allowedUsages.has(usage));
  if (stray !== undefined) return no(`usage "${stray}" is not one of a serving certificate`);
  const missing = requiredUsages.find((usage) => !usages.includes(usage));
  return missing === undefined ? { approve: true } : no(`usage "${missing}" is missing`);
}

export const isDecided = (csr: CertificateSigningRequest): boolean =>
  Boolean(csr.status?.certificate) ||
  (csr.status?.conditions ?? []).some(({ type }) => type === 'Approved' || type === 'Denied');
