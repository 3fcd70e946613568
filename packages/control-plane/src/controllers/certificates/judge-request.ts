// Which certificate requests the cluster's own signers sign, and which are approved without a person. Pure.
import type { ReadRequest } from '@kedge/core/ports';
import type { CertificateSigningRequest } from '@kedge/model/k8s-types';

export type RequestFacts = Omit<ReadRequest, 'publicKey'>;

interface Signer {
  /** Usages that a request may have, and those it must have. */
  readonly allows: readonly string[];
  readonly demands: readonly string[];
  /** What is wrong with the names in the request. */
  readonly refuses: (facts: RequestFacts) => string | undefined;
}

export const clientSigner = 'kubernetes.io/kube-apiserver-client';
export const kubeletClientSigner = 'kubernetes.io/kube-apiserver-client-kubelet';
export const kubeletServingSigner = 'kubernetes.io/kubelet-serving';

const nodeName = ({ subject }: RequestFacts): string | undefined => {
  if (subject.organizations.join() !== 'system:nodes') return 'organization must be system:nodes';
  return subject.commonName.startsWith('system:node:') ? undefined : 'common name must begin with system:node:';
};
const hasHosts = ({ dnsNames, addresses }: RequestFacts): boolean => dnsNames.length + addresses.length > 0;

const signers: Readonly<Record<string, Signer>> = {
  [clientSigner]: {
    allows: ['digital signature', 'key encipherment', 'client auth'],
    demands: ['client auth'],
    // Nobody becomes an administrator by a certificate that cannot be taken back.
    refuses: ({ subject }) =>
      subject.organizations.includes('system:masters') ? 'organization must not be system:masters' : undefined,
  },
  [kubeletClientSigner]: {
    allows: ['digital signature', 'key encipherment', 'client auth'],
    demands: ['digital signature', 'client auth'],
    refuses: (facts) => nodeName(facts) ?? (hasHosts(facts) ? 'it must not name hosts or addresses' : undefined),
  },
  [kubeletServingSigner]: {
    allows: ['digital signature', 'key encipherment', 'server auth'],
    demands: ['digital signature', 'server auth'],
    refuses: (facts) => nodeName(facts) ?? (hasHosts(facts) ? undefined : 'it must name a host or an address'),
  },
};

export const isOurs = ({ spec }: CertificateSigningRequest): boolean => spec.signerName in signers;

/** Why the signer the request is for does not sign it; undefined when it does. */
export function refusal({ spec }: CertificateSigningRequest, facts: RequestFacts): string | undefined {
  const signer = signers[spec.signerName];
  if (!signer) return 'another signer';
  const usages = spec.usages ?? [];
  const stray = usages.find((usage) => !signer.allows.includes(usage));
  if (stray !== undefined) return `usage "${stray}" is not allowed`;
  const missing = signer.demands.find((usage) => !usages.includes(usage));
  return missing === undefined ? signer.refuses(facts) : `usage "${missing}" is missing`;
}

/** The right its requester must have for a node's client certificate to be approved; undefined for other requests. */
export function approvalRight(request: CertificateSigningRequest, facts: RequestFacts): string | undefined {
  if (request.spec.signerName !== kubeletClientSigner || refusal(request, facts) !== undefined) return undefined;
  return request.spec.username === facts.subject.commonName ? 'selfnodeclient' : 'nodeclient';
}
