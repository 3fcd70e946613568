// Whether a pod that is new here fits beside those that were taken before, and which of them have to go for one that the
// system cannot do without. Pure. The words are the kubelet's. Source: the kubelet's admission (general predicates) and
// "Guaranteed scheduling for critical add-on pods" in the Kubernetes documentation.
import { addAmounts, type Amounts, matchesNode, podRequests } from '@kedge/model/k8s-scheduling';
import type { Node, Pod } from '@kedge/model/k8s-types';
import { isCritical } from '../eviction/rank-pods.ts';
import { initContainersOf, isSidecar, qosClassOf, specOf, uidOf } from './pod-spec.ts';
import type { Refusal } from './unsupported.ts';

export interface AdmissionInput {
  readonly pod: Pod;
  /** Those that were taken and have not ended. */
  readonly others: readonly Pod[];
  /** What pods may have, thousandths for CPU; a resource that is not in it is not counted here. */
  readonly allocatable: Amounts;
  /** As the cloud has it; undefined where it cannot be asked: then its labels decide nothing. */
  readonly node: Node | undefined;
}

export type Verdict =
  | { readonly do: 'admit' }
  | { readonly do: 'refuse'; readonly refusal: Refusal }
  /** These have to end first. */
  | { readonly do: 'preempt'; readonly victims: readonly Pod[] };

export function planAdmission(input: AdmissionInput): Verdict {
  const { pod, others, node } = input;
  const lacking = lackingResource(input, others);
  if (lacking && isCritical(pod)) {
    const victims = planPreemption(input);
    if (victims) return { do: 'preempt', victims };
  }
  if (lacking) return refuse(lacking.reason, lacking.message);
  if (node && !matchesNode(pod.spec, node)) {
    return refuse('NodeAffinity', "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector");
  }
  const port = takenPort(pod, others);
  if (port === undefined) return { do: 'admit' };
  return refuse('NodePorts', `Predicate NodePorts failed: node(s) didn't have free ports (${port})`);
}

const refuse = (reason: string, message: string): Verdict => ({
  do: 'refuse',
  refusal: { reason, message: `Pod was rejected: ${message}` },
});

function lackingResource({ pod, allocatable }: AdmissionInput, others: readonly Pod[]): Refusal | undefined {
  const used = usedBy(others);
  const maxPods = allocatable.get('pods');
  if (maxPods !== undefined && others.length + 1 > maxPods) return lacks('pods', 1, others.length, maxPods);
  for (const [name, requested] of podRequests(pod.spec)) {
    const capacity = allocatable.get(name);
    if (requested <= 0 || capacity === undefined) continue;
    const taken = used.get(name) ?? 0;
    if (requested > capacity - taken) return lacks(name, requested, taken, capacity);
  }
  return undefined;
}

const lacks = (name: string, requested: number, used: number, capacity: number): Refusal => ({
  reason: `OutOf${name}`,
  message: `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
});

const usedBy = (pods: readonly Pod[]): Amounts =>
  pods.map(({ spec }) => podRequests(spec)).reduce(addAmounts, new Map());

const classes = ['BestEffort', 'Burstable', 'Guaranteed'];

/**
 * The fewest and least important that make room: those without promises first, of equals the lower priority. Undefined
 * when there is no room even without all of them.
 */
function planPreemption(input: AdmissionInput): Pod[] | undefined {
  const candidates = input.others
    .filter((other) => !isCritical(other))
    .toSorted(
      (a, b) =>
        classes.indexOf(qosClassOf(a)) - classes.indexOf(qosClassOf(b)) ||
        (specOf(a).priority ?? 0) - (specOf(b).priority ?? 0) ||
        (uidOf(a) < uidOf(b) ? -1 : 1),
    );
  const fits = (gone: ReadonlySet<Pod>): boolean =>
    lackingResource(
      input,
      input.others.filter((other) => !gone.has(other)),
    ) === undefined;
  const gone = new Set(candidates);
  if (!fits(gone)) return undefined;
  // The most important come back first, as long as there is room for them.
  for (const pod of candidates.toReversed()) {
    gone.delete(pod);
    if (!fits(gone)) gone.add(pod);
  }
  return candidates.filter((pod) => gone.has(pod));
}

/** The first port of the host that another pod has; addresses that are not said mean all. */
function takenPort(pod: Pod, others: readonly Pod[]): string | undefined {
  const taken = others.flatMap(hostPorts);
  const clash = hostPorts(pod).find((mine) =>
    taken.some(
      (other) =>
        other.port === mine.port &&
        other.protocol === mine.protocol &&
        (other.ip === mine.ip || other.ip === anyAddress || mine.ip === anyAddress),
    ),
  );
  return clash && `${clash.protocol} ${clash.port}`;
}

const anyAddress = '0.0.0.0';

function hostPorts(pod: Pod): { port: number; protocol: string; ip: string }[] {
  const containers = [...initContainersOf(pod).filter(isSidecar), ...specOf(pod).containers];
  return containers.flatMap(({ ports = [] }) =>
    ports
      .filter(({ hostPort }) => hostPort)
      .map(({ hostPort = 0, protocol = 'TCP', hostIP }) => ({ port: hostPort, protocol, ip: hostIP || anyAddress })),
  );
}
