// Deletes certificate requests that are over: answered ones after an hour, unanswered ones after a day, and those whose
// certificate has expired.
import { again, createReconciler, type Next } from '@kedge/core/control';
import type { Module } from '@kedge/core/module';
import type { Keys } from '@kedge/core/ports';
import { type Duration, hours, type Instant, minutes, parseTime } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import { hasCondition, isStatus } from '@kedge/model/k8s';
import type { CertificateSigningRequest } from '@kedge/model/k8s-types';
import type { ControllerDeps } from '../runtime/controller.ts';

const { certificateSigningRequests } = collections;
const answeredLast = hours(1);
const unansweredLast = hours(24);
const lookEvery = minutes(10);
const everything = 'everything';

/** `notAfter` reads when a certificate ends; undefined for what is none. */
export function isOver(
  { metadata, status }: CertificateSigningRequest,
  now: Instant,
  notAfter: (certificate: string) => Instant | undefined,
): boolean {
  const age = (now - (parseTime(metadata.creationTimestamp) ?? now)) as Duration;
  const is = (type: string): boolean => hasCondition(status?.conditions, type);
  if (is('Denied') || is('Failed')) return age > answeredLast;
  if (status?.certificate) return age > answeredLast || (notAfter(status.certificate) ?? now) < now;
  return age > (is('Approved') ? answeredLast : unansweredLast);
}

export function createCertificateRequestCleaner(
  deps: ControllerDeps & { readonly keys: Pick<Keys, 'readCertificate'> },
): Module {
  const { api, cluster, clock, log, keys } = deps;
  const requests = cluster.of(certificateSigningRequests);

  const notAfter = (certificate: string): Instant | undefined => {
    try {
      return keys.readCertificate(atob(certificate)).notAfter as Instant;
    } catch {
      return undefined;
    }
  };

  async function reconcile(_: string, signal: AbortSignal): Promise<Next> {
    for (const request of requests.list()) {
      if (!isOver(request, clock.now(), notAfter)) continue;
      const { name = '', uid = '' } = request.metadata;
      try {
        await api.delete(certificateSigningRequests, { name }, { uid, signal });
      } catch (error) {
        if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
      }
    }
    return again(lookEvery, 'requests grow old');
  }

  return {
    name: 'csrcleaner',
    async start(scope) {
      await requests.synced(scope.signal);
      const queue = createReconciler({ name: 'csrcleaner', clock, log, reconcile });
      queue.enqueue(everything);
      queue.start(scope);
    },
  };
}
