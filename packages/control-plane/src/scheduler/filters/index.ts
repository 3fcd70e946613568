// All filters, in the order they are asked: cheap and final ones first.
import { nodePorts, nodeResources } from './capacity-filters.ts';
import type { Filter } from './filter.ts';
import { interPodAffinity } from './inter-pod-affinity.ts';
import { nodeAffinity, nodeName, nodeUnschedulable, taintToleration } from './node-filters.ts';
import { topologySpread } from './topology-spread.ts';
import { volumeBinding, volumeRestrictions, volumeZone } from './volume-filters.ts';

export const filters: readonly Filter[] = [
  nodeUnschedulable,
  nodeName,
  taintToleration,
  nodeAffinity,
  nodePorts,
  nodeResources,
  volumeRestrictions,
  volumeBinding,
  volumeZone,
  topologySpread,
  interPodAffinity,
];
