// Filters that look at the node alone: its name, labels, taints and whether it takes pods.
import { findUntolerated, matchesNode } from '@kedge/model/k8s-scheduling';
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
  prepare: ({ pod }) => {
    const { nodeSelector, affinity } = pod.spec ?? {};
    if (!nodeSelector && !affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution) return undefined;
    return ({ node }) => final(matchesNode(pod.spec, node), "node(s) didn't match Pod's node affinity/selector");
  },
};
