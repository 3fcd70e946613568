// What the scheduler asks of a pod before and after it is placed. Pure.
import { type Instant, toTime } from '@kedge/core/time';
import { jsonEqual } from '@kedge/model/k8s-patch';
import type { Pod } from '@kedge/model/k8s-types';

export const isPlaced = ({ spec }: Pod): boolean => Boolean(spec?.nodeName);

export const isTerminal = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';

/** Is for this scheduler to place, now: no gate holds it, and it is not on its way out. */
export const isOurs = ({ metadata, spec }: Pod, schedulerName: string): boolean =>
  (spec?.schedulerName ?? 'default-scheduler') === schedulerName &&
  (spec?.schedulingGates ?? []).length === 0 &&
  metadata.deletionTimestamp === undefined;

/** True when nothing changed that matters to where this pod or others may run. */
export const samePlacement = (a: Pod, b: Pod): boolean =>
  a.metadata.uid === b.metadata.uid &&
  a.metadata.deletionTimestamp === b.metadata.deletionTimestamp &&
  jsonEqual(a.metadata.labels, b.metadata.labels) &&
  jsonEqual(a.spec, b.spec);

/**
 * The patch that tells users why a pod has no node, and which node others leave for it; undefined when it says so
 * already.
 */
export function unschedulablePatch(
  { metadata, status }: Pod,
  message: string,
  nominated: string | undefined,
  now: Instant,
): string | undefined {
  const known = status?.conditions?.find(({ type }) => type === 'PodScheduled');
  const isNamed = (status?.nominatedNodeName || undefined) === nominated;
  const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message };
  if (known?.status === 'False' && known.reason === condition.reason && known.message === message && isNamed)
    return undefined;
  const lastTransitionTime = known?.status === 'False' ? known.lastTransitionTime : toTime(now);
  return JSON.stringify({
    metadata: { uid: metadata.uid },
    status: {
      conditions: [{ ...condition, lastTransitionTime }],
      ...(isNamed ? {} : { nominatedNodeName: nominated ?? null }),
    },
  });
}

/** The patch that tells why a pod has to leave. */
export function preemptedPatch({ metadata }: Pod, schedulerName: string, now: Instant): string {
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'PreemptionByScheduler',
    message: `${schedulerName}: preempting to accommodate a higher priority pod`,
    lastTransitionTime: toTime(now),
  };
  return JSON.stringify({ metadata: { uid: metadata.uid }, status: { conditions: [condition] } });
}
