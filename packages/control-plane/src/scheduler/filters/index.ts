// All filters, in the order of kube-scheduler's default profile: a node is said to lack what the first one misses.
import { nodePorts, nodeResources } from './capacity-filters.ts';
import type { Filter } from './filter.ts';
import { interPodAffinity } from './inter-pod-affinity.ts';
import { nodeAffinity, nodeName, nodeUnschedulable, taintToleration } from './node-filters.ts';
import { topologySpread } from './topology-spread.ts';
import { volumeBinding, volumeZone } from './volume-filters.ts';
import { nodeVolumeLimits } from './volume-limits.ts';
import { volumeRestrictions } from './volume-restrictions.ts';

export const filters: readonly Filter[] = [
  nodeUnschedulable,
  nodeName,
  taintToleration,
  nodeAffinity,
  nodePorts,
  nodeResources,
  volumeRestrictions,
  nodeVolumeLimits,
  volumeBinding,
  volumeZone,
  topologySpread,
  interPodAffinity,
];
