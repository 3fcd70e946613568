// Filters that look at the node alone: its name, labels, taints and whether it takes pods.
import { findUntolerated, matchesNode } from '@kedge/model/k8s-scheduling';
import type { PodFacts } from '../state/pod-facts.ts';
import { type Filter, passes, refuseForGood, type Verdict } from './filter.ts';

const unschedulableTaint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

const final = (isOk: boolean, reason: string): Verdict => (isOk ? passes : refuseForGood(reason));

export const nodeUnschedulable: Filter = {
  name: 'NodeUnschedulable',
  helpedBy: ['node'],
  prepare: ({ pod }) => {
    const isTolerated = findUntolerated([unschedulableTaint], pod.spec?.tolerations, ['NoSchedule']) === undefined;
    if (isTolerated) return undefined;
    return ({ node }) => final(node.spec?.unschedulable !== true, 'node(s) were unschedulable');
  },
};

/** A pod that names its node is the kubelet's; this is for the moment before the name is seen here. */
export const nodeName: Filter = {
  name: 'NodeName',
  helpedBy: ['node'],
  prepare: ({ pod }) => {
    const wanted = pod.spec?.nodeName;
    return wanted ? ({ name }) => final(name === wanted, "node(s) didn't match the requested node name") : undefined;
  },
};

export const taintToleration: Filter = {
  name: 'TaintToleration',
  helpedBy: ['node'],
  prepare:
    ({ pod }) =>
    ({ node }) => {
      const taint = findUntolerated(node.spec?.taints, pod.spec?.tolerations, ['NoSchedule', 'NoExecute']);
      return taint ? refuseForGood(`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`) : passes;
    },
};

export const nodeAffinity: Filter = {
  name: 'NodeAffinity',
  helpedBy: ['node'],
  prepare: (pod) => {
    const { nodeSelector, affinity } = pod.pod.spec ?? {};
    if (!nodeSelector && !affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution) return undefined;
    if (namedNodes(pod)?.size === 0) return { message: 'pod affinity terms conflict' };
    return ({ node }) => final(matchesNode(pod.pod.spec, node), "node(s) didn't match Pod's node affinity/selector");
  },
  narrow: namedNodes,
};

/** The nodes that the alternatives of the required affinity name; undefined when one of them names none. */
function namedNodes({ pod }: PodFacts): ReadonlySet<string> | undefined {
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (!required || required.nodeSelectorTerms.length === 0) return undefined;
  const named = new Set<string>();
  for (const { matchFields = [] } of required.nodeSelectorTerms) {
    const lists = matchFields.filter(({ key, operator }) => key === 'metadata.name' && operator === 'In');
    if (lists.length === 0) return undefined;
    for (const name of lists[0]!.values ?? [])
      if (lists.every(({ values = [] }) => values.includes(name))) named.add(name);
  }
  return named;
}
