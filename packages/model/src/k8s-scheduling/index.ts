// What decides where a pod may run, shared by the scheduler, the controllers and the node itself: taints and
// tolerations, node selection by labels, resource requests.
export { claimNames } from './claim-names.ts';
export { matchesNode, matchesNodeSelector, matchesNodeTerm } from './node-selection.ts';
export { addAmounts, amountsOf, maxAmounts, podLimits, podRequests, subtractAmounts } from './pod-requests.ts';
export type { Amounts } from './pod-requests.ts';
export { findUntolerated, toleratedSeconds, tolerates } from './tolerations.ts';
export { findVolume, isVolumeFor, storageClassOf } from './volume-matching.ts';
