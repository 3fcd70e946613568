// Going back to an earlier revision by annotation, as clients of the first Deployment API still ask for it. Pure.
import type { Deployment, PodTemplateSpec, ReplicaSet } from '@kedge/model/k8s-types';
import { hashLabel, passedOn, revisionOf, sameTemplate } from './revisions.ts';

export const rollbackAnnotation = 'deprecated.deployment.rollback.to';

export type Rollback =
  | {
      readonly ok: true;
      readonly message: string;
      readonly template: PodTemplateSpec;
      readonly annotations: Readonly<Record<string, string>>;
    }
  /** There is nothing to go back to; only the wish is withdrawn. */
  | {
      readonly ok: false;
      readonly reason: 'DeploymentRollbackRevisionNotFound' | 'DeploymentRollbackTemplateUnchanged';
      readonly message: string;
      readonly annotations: Readonly<Record<string, string>>;
    };

/** Undefined when nobody asked, or not for a number; 0 is the revision before. */
export function planRollback(deployment: Deployment, sets: readonly ReplicaSet[]): Rollback | undefined {
  const { name = '', annotations = {} } = deployment.metadata;
  const { [rollbackAnnotation]: wish, ...rest } = annotations;
  if (wish === undefined || !/^\d+$/.test(wish)) return undefined;
  const notFound = (message: string): Rollback => ({
    ok: false,
    reason: 'DeploymentRollbackRevisionNotFound',
    message,
    annotations: rest,
  });
  const revision = Number(wish) || revisionBefore(sets);
  if (revision === 0) return notFound('Unable to find last revision.');
  const set = sets.find((one) => revisionOf(one) === revision);
  if (!set) return notFound('Unable to find the revision to rollback to.');
  const template = withoutHash(set.spec?.template ?? {});
  if (sameTemplate(template, deployment.spec?.template)) {
    const message = `The rollback revision contains the same template as current deployment "${name}"`;
    return { ok: false, reason: 'DeploymentRollbackTemplateUnchanged', message, annotations: rest };
  }
  // What the set was given then comes back, and what the Deployment says now would only be passed on to it again.
  const own = Object.fromEntries(Object.entries(rest).filter(([key]) => !passedOn(key)));
  const former = Object.fromEntries(Object.entries(set.metadata.annotations ?? {}).filter(([key]) => passedOn(key)));
  const message = `Rolled back deployment "${name}" to revision ${revision}`;
  return { ok: true, message, template, annotations: { ...own, ...former } };
}

/** The second newest; 0 when there is none. */
const revisionBefore = (sets: readonly ReplicaSet[]): number => sets.map(revisionOf).toSorted((a, b) => b - a)[1] ?? 0;

function withoutHash({ metadata, ...rest }: PodTemplateSpec): PodTemplateSpec {
  const { [hashLabel]: _, ...labels } = metadata?.labels ?? {};
  return { ...rest, metadata: { ...metadata, labels } };
}
