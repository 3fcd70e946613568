// Approves the client certificates of nodes whose requester may have them, and signs what was approved, with the
// cluster's CA.
import { done, type Next } from '@kedge/core/control';
import { explain } from '@kedge/core/errors';
import type { Module } from '@kedge/core/module';
import type { Authority, CertificateAuthorities, Keys, ReadRequest } from '@kedge/core/ports';
import { days, minus, minutes, plus, seconds, toTime } from '@kedge/core/time';
import { decodeBase64, encodeBase64 } from '@kedge/engine/identity-cloud';
import { collections } from '@kedge/engine/kube-client';
import { hasCondition, isStatus, setCondition } from '@kedge/model/k8s';
import type {
  CertificateSigningRequest,
  CertificateSigningRequestCondition,
  SubjectAccessReview,
} from '@kedge/model/k8s-types';
import { type ControllerDeps, createController } from '../runtime/controller.ts';
import { approvalRight, isOurs, refusal } from './judge-request.ts';

const { certificateSigningRequests } = collections;
const reviews = { group: 'authorization.k8s.io', version: 'v1', resource: 'subjectaccessreviews' };
const longest = days(365);
/** Clocks of whoever checks the certificate may be behind. */
const backdate = minutes(5);

/** What signing takes. */
export interface Signing {
  readonly authority: Pick<Authority, 'issue'>;
  readonly authorities: Pick<CertificateAuthorities, 'readRequest'>;
  readonly keys: Pick<Keys, 'fromPem' | 'readCertificate' | 'toPem'>;
}

export function createCertificateController(deps: ControllerDeps & { readonly signing: Signing }): Module {
  const { api, cluster, clock, log, signing } = deps;
  const copy = cluster.of(certificateSigningRequests);

  async function reconcile(name: string, signal: AbortSignal): Promise<Next> {
    const request = copy.get(name);
    if (!request || !isOurs(request) || request.status?.certificate) return done;
    const { conditions } = request.status ?? {};
    if (hasCondition(conditions, 'Denied') || hasCondition(conditions, 'Failed')) return done;
    const facts = await read(request);
    if (hasCondition(conditions, 'Approved')) await sign(request, facts, signal);
    else if (facts) await approve(request, facts, signal);
    return done;
  }

  async function read({ metadata, spec }: CertificateSigningRequest): Promise<ReadRequest | undefined> {
    const pem = decodeBase64(spec.request);
    try {
      return pem && (await signing.authorities.readRequest(signing.keys.fromPem(new TextDecoder().decode(pem))));
    } catch (error) {
      log.debug('certificate request cannot be read', { key: metadata.name, reason: explain(error) });
      return undefined;
    }
  }

  async function approve(request: CertificateSigningRequest, facts: ReadRequest, signal: AbortSignal): Promise<void> {
    const right = approvalRight(request, facts);
    if (right === undefined || !(await mayHave(request, right, signal))) return;
    const condition = {
      type: 'Approved',
      status: 'True',
      reason: 'AutoApproved',
      message: 'Auto approving kubelet client certificate after SubjectAccessReview.',
      lastUpdateTime: toTime(clock.now()),
    };
    await write(request, 'approval', withCondition(request, condition), signal);
    log.info('certificate request approved', { key: request.metadata.name });
  }

  async function mayHave({ spec }: CertificateSigningRequest, right: string, signal: AbortSignal): Promise<boolean> {
    const { username = '', groups = [], uid } = spec;
    const review = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      metadata: {},
      spec: {
        user: username,
        groups,
        ...(uid ? { uid } : {}),
        resourceAttributes: {
          group: 'certificates.k8s.io',
          resource: 'certificatesigningrequests',
          subresource: right,
          verb: 'create',
        },
      },
    };
    const answer = (await api.create(reviews, undefined, review, { signal })) as unknown as SubjectAccessReview;
    return answer.status?.allowed === true;
  }

  async function sign(
    request: CertificateSigningRequest,
    facts: ReadRequest | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const why = facts ? refusal(request, facts) : 'the request cannot be read';
    if (!facts || why !== undefined) {
      const failed = { type: 'Failed', status: 'True', reason: 'SignerValidationFailure', message: why ?? '' };
      const condition = { ...failed, lastUpdateTime: toTime(clock.now()) };
      return write(request, 'status', withCondition(request, condition), signal);
    }
    const { expirationSeconds, usages = [] } = request.spec;
    const lasts = expirationSeconds === undefined ? longest : Math.min(longest, seconds(expirationSeconds));
    const der = await signing.authority.issue(facts.publicKey, {
      subject: facts.subject,
      dnsNames: facts.dnsNames,
      addresses: facts.addresses,
      usages: [
        ...(usages.includes('server auth') ? (['serverAuth'] as const) : []),
        ...(usages.includes('client auth') ? (['clientAuth'] as const) : []),
      ],
      notBefore: minus(clock.now(), backdate),
      notAfter: plus(clock.now(), lasts as typeof longest),
    });
    const certificate = encodeBase64(new TextEncoder().encode(signing.keys.toPem('CERTIFICATE', der)));
    await write(request, 'status', { ...request.status, certificate }, signal);
    log.info('certificate issued', { key: request.metadata.name });
  }

  const withCondition = (
    { status }: CertificateSigningRequest,
    condition: CertificateSigningRequestCondition,
  ): NonNullable<CertificateSigningRequest['status']> => ({
    ...status,
    conditions: [...setCondition(status?.conditions, condition, clock.now())],
  });

  async function write(
    request: CertificateSigningRequest,
    subresource: 'approval' | 'status',
    status: NonNullable<CertificateSigningRequest['status']>,
    signal: AbortSignal,
  ): Promise<void> {
    const { apiVersion, kind } = certificateSigningRequests;
    try {
      await api.update(certificateSigningRequests, { ...request, apiVersion, kind, status }, { subresource, signal });
    } catch (error) {
      // Changed meanwhile: the change wakes us.
      if (!isStatus(error, 'Conflict') && !isStatus(error, 'NotFound')) throw error;
    }
  }

  return createController(deps, {
    name: 'certificates',
    reads: [copy],
    watch: (queue) => [copy.listen({ onPut: ({ metadata }) => queue.enqueue(metadata.name ?? '') })],
    reconcile,
  });
}
