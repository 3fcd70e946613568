// A node is born with the taint of one that is not ready: nothing is placed on it before it has said how it is, and the node
// lifecycle controller takes the taint away.
import type { Node } from '@kedge/model/k8s-types';
import type { AdmissionStep } from './admission.ts';

const notReady = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' } as const;

export const taintNewNodes: AdmissionStep = {
  name: 'TaintNodesByCondition',
  admit({ operation, kind, subresource, object }) {
    if (operation !== 'create' || kind.collection !== 'nodes' || subresource !== undefined || !object) return;
    const node = object as unknown as Node;
    const { taints = [] } = node.spec ?? {};
    if (taints.some(({ key, effect }) => key === notReady.key && effect === notReady.effect)) return;
    node.spec = { ...node.spec, taints: [...taints, { ...notReady }] };
  },
};
