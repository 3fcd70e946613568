// What a Job's policy says about a pod that failed. Pure.
import { objectKey } from '@kedge/model/k8s';
import type { Job, Pod, PodFailurePolicyRule } from '@kedge/model/k8s-types';

export type PodFailure =
  /** One more towards the back-off limit. */
  | { readonly action: 'Count' }
  /** As if it had not been: it is replaced, and not counted. */
  | { readonly action: 'Ignore' }
  | { readonly action: 'FailIndex' }
  | { readonly action: 'FailJob'; readonly message: string };

/** The first rule that matches decides; without one the failure counts. */
export function judgeFailure({ spec }: Job, pod: Pod): PodFailure {
  for (const [at, rule] of (spec?.podFailurePolicy?.rules ?? []).entries()) {
    const why = exitCodeMatch(rule, pod) ?? conditionMatch(rule, pod);
    if (why === undefined) continue;
    if (rule.action === 'FailJob') {
      return { action: 'FailJob', message: `${why} matching FailJob rule at index ${at}` };
    }
    if (rule.action === 'Ignore' || rule.action === 'FailIndex') return { action: rule.action };
    return { action: 'Count' };
  }
  return { action: 'Count' };
}

function exitCodeMatch({ onExitCodes }: PodFailurePolicyRule, pod: Pod): string | undefined {
  if (!onExitCodes || pod.status?.phase !== 'Failed') return undefined;
  const { containerName, operator, values } = onExitCodes;
  for (const { name, state } of [
    ...(pod.status.containerStatuses ?? []),
    ...(pod.status.initContainerStatuses ?? []),
  ]) {
    const exitCode = state?.terminated?.exitCode ?? 0;
    if (exitCode === 0 || (containerName !== undefined && containerName !== name)) continue;
    if (values.includes(exitCode) !== (operator === 'In')) continue;
    return `Container ${name} for pod ${objectKey(pod)} failed with exit code ${exitCode}`;
  }
  return undefined;
}

function conditionMatch({ onPodConditions }: PodFailurePolicyRule, pod: Pod): string | undefined {
  for (const { type, status = 'True' } of onPodConditions ?? []) {
    if (pod.status?.conditions?.some((one) => one.type === type && one.status === status)) {
      return `Pod ${objectKey(pod)} has condition ${type}`;
    }
  }
  return undefined;
}
