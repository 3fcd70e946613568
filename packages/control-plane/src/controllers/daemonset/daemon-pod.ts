// The pod a DaemonSet wants on a node: pinned to it by name, and tolerating what befalls nodes. Pure.
import { collections } from '@kedge/engine/kube-client';
import type { Affinity, DaemonSet, NodeSelectorTerm, Pod, Toleration } from '@kedge/model/k8s-types';
import { controllerRef } from '../ownership/controller-ref.ts';
import { podFromTemplate } from '../pods/pod-from-template.ts';

export const hashLabel = 'controller-revision-hash';
const generationLabel = 'pod-template-generation';
const generationAnnotation = 'deprecated.daemonset.template.generation';

const onEveryNode: readonly (readonly [key: string, effect: string])[] = [
  ['not-ready', 'NoExecute'],
  ['unreachable', 'NoExecute'],
  ['disk-pressure', 'NoSchedule'],
  ['memory-pressure', 'NoSchedule'],
  ['pid-pressure', 'NoSchedule'],
  ['unschedulable', 'NoSchedule'],
];

/** The template's tolerations and those that every daemon has. */
export function daemonTolerations({ spec }: DaemonSet): Toleration[] {
  const { tolerations = [], hostNetwork } = spec?.template.spec ?? {};
  const keys = hostNetwork ? [...onEveryNode, ['network-unavailable', 'NoSchedule'] as const] : onEveryNode;
  const daemon = keys.map(([key, effect]) => ({ key: `node.kubernetes.io/${key}`, operator: 'Exists', effect }));
  const isThere = (one: Toleration) =>
    tolerations.some(
      ({ key, operator, effect }) => key === one.key && operator === one.operator && effect === one.effect,
    );
  return [...tolerations, ...daemon.filter((one) => !isThere(one))];
}

export function daemonPod(set: DaemonSet, node: string, hash: string): Pod {
  const generation = set.metadata.annotations?.[generationAnnotation];
  const pod = podFromTemplate(
    set.spec?.template,
    { generateName: `${set.metadata.name}-` },
    controllerRef(collections.daemonSets, set),
  );
  const labels = {
    ...pod.metadata.labels,
    [hashLabel]: hash,
    ...(generation === undefined ? {} : { [generationLabel]: generation }),
  };
  return {
    ...pod,
    metadata: { ...pod.metadata, labels },
    spec: {
      ...pod.spec,
      containers: pod.spec?.containers ?? [],
      affinity: pinnedTo(node, pod.spec?.affinity),
      tolerations: daemonTolerations(set),
    },
  };
}

/** Replaces what the template requires of nodes, since that has been decided already. */
function pinnedTo(node: string, affinity: Affinity | undefined): Affinity {
  const term: NodeSelectorTerm = { matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] };
  return {
    ...affinity,
    nodeAffinity: {
      ...affinity?.nodeAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] },
    },
  };
}

/** The node a daemon pod is for, whether or not it has been bound. */
export function nodeOfDaemonPod({ spec }: Pod): string | undefined {
  if (spec?.nodeName) return spec.nodeName;
  const terms = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const fields = terms.flatMap(({ matchFields = [] }) => matchFields);
  return fields.find(({ key, operator }) => key === 'metadata.name' && operator === 'In')?.values?.[0];
}
