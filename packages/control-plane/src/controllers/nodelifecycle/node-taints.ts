// The taints that say how a node is, derived from its conditions. Pure.
import { type Instant, toTime } from '@kedge/core/time';
import type { Node, Taint } from '@kedge/model/k8s-types';

const prefix = 'node.kubernetes.io/';
const notReady = `${prefix}not-ready`;
const unreachable = `${prefix}unreachable`;
const unschedulable = `${prefix}unschedulable`;

/** Which taint a condition stands for, by its status. */
const taintsOfConditions: readonly (readonly [type: string, status: string, key: string])[] = [
  ['Ready', 'False', notReady],
  ['Ready', 'Unknown', unreachable],
  ['MemoryPressure', 'True', `${prefix}memory-pressure`],
  ['DiskPressure', 'True', `${prefix}disk-pressure`],
  ['PIDPressure', 'True', `${prefix}pid-pressure`],
  ['NetworkUnavailable', 'True', `${prefix}network-unavailable`],
];
const ownNoSchedule = new Set([...taintsOfConditions.map(([, , key]) => key), unschedulable]);
const ownNoExecute = new Set([notReady, unreachable]);

const isOwn = ({ key, effect }: Taint): boolean =>
  (effect === 'NoSchedule' && ownNoSchedule.has(key)) || (effect === 'NoExecute' && ownNoExecute.has(key));

/** `all`: pods have to go; `none`: nobody has to, whatever was said before; `later`: it is not this node's turn yet. */
export type Evicting = 'all' | 'later' | 'none';

/** True when pods are to be moved off the node and are not yet. */
export const isNewlyGone = ({ spec, status }: Node): boolean =>
  status?.conditions?.find(({ type }) => type === 'Ready')?.status !== 'True' &&
  status?.conditions?.some(({ type }) => type === 'Ready') === true &&
  !(spec?.taints ?? []).some(({ key, effect }) => effect === 'NoExecute' && ownNoExecute.has(key));

/** The taints the node should have; undefined when it has them. */
export function planTaints({ spec, status }: Node, now: Instant, evicting: Evicting): Taint[] | undefined {
  const before = spec?.taints ?? [];
  const evicts = evicting === 'all';
  const keys = taintsOfConditions
    .filter(([type, is]) => status?.conditions?.some((condition) => condition.type === type && condition.status === is))
    .map(([, , key]) => key);
  const wanted: Taint[] = [
    ...keys.map((key) => ({ key, effect: 'NoSchedule' })),
    ...(spec?.unschedulable ? [{ key: unschedulable, effect: 'NoSchedule' }] : []),
    ...(evicts ? keys.filter((key) => ownNoExecute.has(key)).map((key) => ({ key, effect: 'NoExecute' })) : []),
  ];
  const same = (a: Taint) => (b: Taint) => a.key === b.key && a.effect === b.effect;
  const kept = before.filter((taint) => !isOwn(taint) || wanted.some(same(taint)));
  const added = wanted
    .filter((taint) => !before.some(same(taint)))
    .map((taint) => ({ ...taint, timeAdded: toTime(now) }));
  return kept.length === before.length && added.length === 0 ? undefined : [...kept, ...added];
}
