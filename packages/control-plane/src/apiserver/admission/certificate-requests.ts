// Certificate requests: the server writes down who asked, and whoever approves or signs must be allowed to for that signer.
import type { ReadRequest } from '@kedge/core/ports';
import type { ApiUser } from '@kedge/engine/kube-api';
import { fail, type KubeObject } from '@kedge/model/k8s';
import { jsonEqual } from '@kedge/model/k8s-patch';
import type { CertificateSigningRequest } from '@kedge/model/k8s-types';
import type { Authorizer } from '../authz/attributes.ts';
import type { AdmissionRequest, AdmissionStep } from './admission.ts';

export interface CertificateRequestDeps {
  readonly authorizer: Authorizer;
  /** Reads a request in PEM; throws when it is none. */
  readRequest(pem: string): Promise<ReadRequest>;
}

const clientSigner = 'kubernetes.io/kube-apiserver-client';
const superusers = 'system:masters';

export const certificateRequests = ({ authorizer, readRequest }: CertificateRequestDeps): AdmissionStep => ({
  name: 'CertificateRequests',
  async admit(request) {
    const { kind, object, before, operation, subresource } = request;
    if (kind.collection !== 'certificatesigningrequests.certificates.k8s.io' || !object) return;
    if (operation === 'create') {
      recordUser(object, request.user);
      return refuseSuperusers(request, readRequest);
    }
    const signer = specOf(before)?.signerName ?? '';
    if (subresource === 'approval') demandSigner(request, authorizer, 'approve', signer);
    if (subresource === 'status' && isSigned(object, before)) demandSigner(request, authorizer, 'sign', signer);
  },
});

const specOf = (object: KubeObject | undefined) => (object as unknown as CertificateSigningRequest | undefined)?.spec;

function recordUser(object: KubeObject, user: ApiUser): void {
  object['spec'] = {
    ...(object['spec'] as object | undefined),
    username: user.name,
    groups: user.groups,
    ...(user.uid ? { uid: user.uid } : {}),
    ...(user.extra && Object.keys(user.extra).length > 0 ? { extra: user.extra } : {}),
  };
}

function isSigned(object: KubeObject, before: KubeObject | undefined): boolean {
  const [next, had] = [object, before].map((one) => (one as CertificateSigningRequest | undefined)?.status);
  return next?.certificate !== had?.certificate || !jsonEqual(next?.conditions ?? [], had?.conditions ?? []);
}

/** The right to a verb on the signer, or on all signers of its domain. */
function demandSigner({ user, name }: AdmissionRequest, authorizer: Authorizer, verb: string, signer: string): void {
  const [domain = ''] = signer.split('/');
  const isAllowed = [signer, `${domain}/*`].some(
    (one) =>
      authorizer.decide(user, {
        isResource: true,
        verb,
        group: 'certificates.k8s.io',
        resource: 'signers',
        subresource: '',
        namespace: '',
        name: one,
      }).allowed,
  );
  if (!isAllowed) throw refused(name, `user not permitted to ${verb} requests with signerName "${signer}"`);
}

/** Nobody becomes a superuser by way of a certificate. */
async function refuseSuperusers(
  { object, name }: AdmissionRequest,
  readRequest: CertificateRequestDeps['readRequest'],
): Promise<void> {
  const spec = specOf(object);
  if (spec?.signerName !== clientSigner || typeof spec.request !== 'string') return;
  let organizations: readonly string[];
  try {
    organizations = (await readRequest(atob(spec.request))).subject.organizations;
  } catch (error) {
    throw refused(name, `failed to parse CSR: ${(error as Error).message}`);
  }
  if (organizations.includes(superusers))
    throw refused(name, `use of ${clientSigner} signer with ${superusers} group is not allowed`);
}

const refused = (name: string, why: string): Error =>
  fail('Forbidden', `certificatesigningrequests.certificates.k8s.io "${name}" is forbidden: ${why}`, {
    name,
    group: 'certificates.k8s.io',
    kind: 'certificatesigningrequests',
  });
