// Approves the certificate requests of edges' MetaServers; leaves all others to whoever they are meant for.
import { createReconciler, done, type Informer, type Next } from '@kedge/core/control';
import { explain } from '@kedge/core/errors';
import type { Log } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import type { CertificateAuthorities } from '@kedge/core/ports';
import { type Clock, toTime } from '@kedge/core/time';
import { decodeBase64 } from '@kedge/engine/identity-cloud';
import type { KubeApi } from '@kedge/engine/kube-client';
import type { CertificateSigningRequest } from '@kedge/model/k8s-types';
import { isDecided, judgeRequest, type RequestFacts, servingSigner } from './judge-request.ts';

const resource = { group: 'certificates.k8s.io', version: 'v1', resource: 'certificatesigningrequests' };
const selfReviews = { group: 'authentication.k8s.io', version: 'v1', resource: 'selfsubjectreviews' };

export interface CsrApproverDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly kube: KubeApi;
  readonly requests: Informer<CertificateSigningRequest>;
  readonly authorities: Pick<CertificateAuthorities, 'readRequest'>;
}

export function createCsrApprover({ clock, log: parent, kube, requests, authorities }: CsrApproverDeps): Module {
  const log = parent.child({ module: 'csrapprover' });
  const reconciler = createReconciler({ name: 'certificate requests', clock, log, reconcile });

  async function factsOf(csr: CertificateSigningRequest): Promise<RequestFacts | undefined> {
    const pem = decodeBase64(csr.spec.request);
    const body = pem && /-----BEGIN[^-]*-----([\s\S]+?)-----END/.exec(new TextDecoder().decode(pem))?.[1];
    const der = body && decodeBase64(body.replace(/\s+/g, ''));
    if (!der) return undefined;
    try {
      const { subject, dnsNames, addresses } = await authorities.readRequest(der);
      return { ...subject, dnsNames, addresses };
    } catch (error) {
      log.debug('certificate request cannot be read', { name: csr.metadata.name, reason: explain(error) });
      return undefined;
    }
  }

  let ownName: string | undefined;
  async function whoAmI(signal: AbortSignal): Promise<string> {
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview', metadata: {} };
    const { status } = (await kube.create(selfReviews, undefined, review, { signal })) as {
      status?: { userInfo?: { username?: string } };
    };
    return status?.userInfo?.username ?? '';
  }

  async function reconcile(name: string, signal: AbortSignal): Promise<Next> {
    const csr = requests.get(name);
    if (!csr || isDecided(csr)) return done;
    const facts = await factsOf(csr);
    if (!facts || csr.spec.signerName !== servingSigner) return done;
    ownName ??= await whoAmI(signal);
    const judgement = judgeRequest(csr, facts, ownName);
    if (!judgement.approve) {
      log.info('certificate request not approved', { name, reason: judgement.why });
      return done;
    }
    const now = toTime(clock.now());
    const approval = {
      type: 'Approved',
      status: 'True',
      reason: 'AutoApproved',
      message: 'Auto approving MetaServer serving certificate.',
      lastUpdateTime: now,
      lastTransitionTime: now,
    };
    const approved = { ...csr, status: { ...csr.status, conditions: [...(csr.status?.conditions ?? []), approval] } };
    await kube.update(
      resource,
      { ...approved, apiVersion: 'certificates.k8s.io/v1', kind: 'CertificateSigningRequest' },
      {
        subresource: 'approval',
        signal,
      },
    );
    log.info('certificate request approved', { name });
    return done;
  }

  return {
    name: 'csrapprover',
    async start(scope) {
      reconciler.start(scope);
      const stop = requests.listen({ onPut: (csr) => reconciler.enqueue(csr.metadata.name ?? '') });
      scope.defer('listening to certificate requests', stop);
    },
  };
}
