// Whether a node still speaks to us, judged by our own clock: what a node writes into its timestamps may be off.
import { type Duration, type Instant, seconds, toTime } from '@kedge/core/time';
import type { Lease, Node, NodeCondition } from '@kedge/model/k8s-types';

/** After this long without a sign of life a node's conditions are unknown. */
const silenceLimit: Duration = seconds(50);
/** A node that has just been added, or that we have just started to watch, gets a little longer. */
const startupLimit: Duration = seconds(60);

/** The last sign of life: what it said, and when we saw it. */
export interface Pulse {
  readonly heartbeat: string;
  readonly renewal: string;
  readonly seenAt: Duration;
  readonly isFirst: boolean;
}

const readyOf = ({ status }: Node): NodeCondition | undefined =>
  status?.conditions?.find(({ type }) => type === 'Ready');

/** The pulse after looking at the node and its lease at `now` (monotonic). */
export function takePulse(before: Pulse | undefined, node: Node, lease: Lease | undefined, now: Duration): Pulse {
  const heartbeat = readyOf(node)?.lastHeartbeatTime ?? '';
  const renewal = lease?.spec?.renewTime ?? '';
  if (!before) return { heartbeat, renewal, seenAt: now, isFirst: true };
  // Our own writing of Unknown leaves the heartbeat as it was, so it is no sign of life.
  if (before.heartbeat === heartbeat && before.renewal === renewal) return before;
  return { heartbeat, renewal, seenAt: now, isFirst: false };
}

/** How long until the node counts as silent; 0 or less when it does. */
export const patienceLeft = ({ seenAt, isFirst }: Pulse, now: Duration): Duration =>
  (seenAt + (isFirst ? startupLimit : silenceLimit) - now) as Duration;

const watched = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];

/** Conditions for a node that is silent; undefined when they say so already. */
export function unknownConditions({ status, metadata }: Node, now: Instant): NodeCondition[] | undefined {
  const time = toTime(now);
  const changed = watched.flatMap((type): NodeCondition[] => {
    const known = status?.conditions?.find((condition) => condition.type === type);
    if (known?.status === 'Unknown') return [];
    const why = known
      ? { reason: 'NodeStatusUnknown', message: 'Kubelet stopped posting node status.' }
      : { reason: 'NodeStatusNeverUpdated', message: 'Kubelet never posted node status.' };
    const lastHeartbeatTime = known?.lastHeartbeatTime ?? metadata.creationTimestamp ?? time;
    return [{ type, status: 'Unknown', ...why, lastHeartbeatTime, lastTransitionTime: time }];
  });
  return changed.length > 0 ? changed : undefined;
}

export const isNodeReady = (node: Node): boolean => readyOf(node)?.status === 'True';
