// Kubernetes events about pods and the node: the same happening again counts up instead of adding an object, and a pod
// that fails all the time does not flood the link.
import type { Random } from '@kedge/core/ports';
import { type Clock, type Instant, seconds, toTime } from '@kedge/core/time';
import type { Event, ObjectReference, Pod } from '@kedge/model/k8s-types';
import type { NodeName } from '@kedge/model/k8s';
import type { Outbox } from './ports.ts';

export interface EventRecorder {
  pod(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string, container?: string): void;
  node(type: 'Normal' | 'Warning', reason: string, message: string): void;
}

interface Known {
  readonly name: string;
  count: number;
  readonly first: Instant;
  sentAt: Instant;
}

const knownLimit = 512;
const quiet = seconds(10);
const longestMessage = 1_024;

export function createEventRecorder(deps: {
  clock: Clock;
  random: Random;
  outbox: Pick<Outbox, 'event'>;
  node: NodeName;
  enabled: boolean;
}): EventRecorder {
  const { clock, outbox, node } = deps;
  const known = new Map<string, Known>();

  function record(involved: ObjectReference, type: string, reason: string, text: string): void {
    if (!deps.enabled) return;
    const message = text.slice(0, longestMessage);
    const now = clock.now();
    const key = [involved.kind, involved.uid, involved.fieldPath, type, reason, message].join('\n');
    const before = known.get(key);
    const entry = before ?? { name: eventName(involved, deps.random), count: 0, first: now, sentAt: now };
    entry.count += 1;
    // Repetitions that follow at once are counted and told with the next one.
    if (before && now - before.sentAt < quiet) return;
    entry.sentAt = now;
    known.delete(key);
    known.set(key, entry);
    for (const oldest of known.keys()) {
      if (known.size <= knownLimit) break;
      known.delete(oldest);
    }
    const namespace = involved.namespace ?? 'default';
    const event: Event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: entry.name, namespace },
      involvedObject: involved,
      reason,
      message,
      type,
      count: entry.count,
      firstTimestamp: toTime(entry.first),
      lastTimestamp: toTime(now),
      source: { component: 'kubelet', host: node },
      reportingComponent: 'kubelet',
      reportingInstance: node,
    };
    outbox.event({
      ref: { type: 'event', namespace, name: entry.name },
      event,
      change: entry.count === 1 ? 'insert' : 'update',
    });
  }

  return {
    pod(pod, type, reason, message, container) {
      const { name, namespace, uid } = pod.metadata;
      const involved: ObjectReference = { kind: 'Pod', apiVersion: 'v1' };
      if (name !== undefined) involved.name = name;
      if (namespace !== undefined) involved.namespace = namespace;
      if (uid !== undefined) involved.uid = uid;
      if (container !== undefined) involved.fieldPath = fieldPath(pod, container);
      record(involved, type, reason, message);
    },
    node: (type, reason, message) => record({ kind: 'Node', name: node, uid: node }, type, reason, message),
  };
}

function fieldPath(pod: Pod, container: string): string {
  const isInit = pod.spec?.initContainers?.some(({ name }) => name === container);
  return `spec.${isInit ? 'initContainers' : 'containers'}{${container}}`;
}

/** As every client names events: the object, a dot, and something unique. */
const eventName = ({ name }: ObjectReference, random: Random): string =>
  `${name}.${random.uuid().replaceAll('-', '').slice(0, 16)}`;
