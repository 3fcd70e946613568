// What a node's agent may write, as a table of requests and refusals.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Call } from '@kedge/engine/kube-api';
import { isStatus, type KubeObject } from '@kedge/model/k8s';
import type { Kind } from '../kinds/kind.ts';
import { nodeRestriction } from './node-restriction.ts';

const me = { metadata: { name: 'me', uid: 'u1' } };
const step = nodeRestriction({
  readPod: (_, name) => ({
    metadata: { name, uid: `uid-${name}` },
    spec: { nodeName: name === 'mine' ? 'me' : 'other' },
  }),
  readNode: () => me,
});
interface Asked {
  operation?: 'create' | 'update' | 'delete';
  name?: string;
  namespace?: string;
  subresource?: string;
  object?: KubeObject;
  before?: KubeObject;
}
async function outcome(collection: string, asked: Asked): Promise<string> {
  const { operation = 'create', name = 'me', namespace, subresource, object, before } = asked;
  const kind = { collection, served: { group: '', resource: collection } } as unknown as Kind;
  const user = { name: 'system:node:me', groups: ['system:nodes'] };
  try {
    await step.admit!(
      { operation, kind, namespace, name, subresource, object, before, user, dryRun: false },
      {} as Call,
    );
    return 'admitted';
  } catch (error) {
    if (!isStatus(error, 'Forbidden')) throw error;
    return error.message.replace(/^.* is forbidden: /, '');
  }
}
const node = (labels: Record<string, string>, more: object = {}): KubeObject => ({
  metadata: { name: 'me', labels, ...more },
});
const owner = { apiVersion: 'v1', kind: 'Node', name: 'me', uid: 'u1', controller: true };
const mirror = (metadata: object = {}, spec: object = {}): KubeObject => ({
  metadata: {
    name: 'static',
    annotations: { 'kubernetes.io/config.mirror': 'x' },
    ownerReferences: [owner],
    ...metadata,
  },
  spec: { nodeName: 'me', containers: [{ name: 'a' }], ...spec },
});
const pod = (nodeName: string, labels = {}): KubeObject => ({ metadata: { labels }, spec: { nodeName } });

const table: [what: string, collection: string, Asked, says: string][] = [
  ['its own Node', 'nodes', { object: node({ 'kubernetes.io/os': 'linux', 'my.company/x': 'y' }) }, 'admitted'],
  ['another Node', 'nodes', { name: 'other', object: node({}) }, 'node "me" is not allowed to modify node "other"'],
  [
    'labels that lure pods',
    'nodes',
    { object: node({ 'node-restriction.kubernetes.io/a': 'b', 'node-role.kubernetes.io/edge': '' }) },
    'node "me" is not allowed to set the following labels: node-restriction.kubernetes.io/a, node-role.kubernetes.io/edge',
  ],
  [
    'labels changed later',
    'nodes',
    { operation: 'update', object: node({ 'foo.k8s.io/a': 'c' }), before: node({ 'foo.k8s.io/a': 'b' }) },
    'is not allowed to modify labels: foo.k8s.io/a',
  ],
  [
    'its taints',
    'nodes',
    {
      operation: 'update',
      object: node({}),
      before: { ...node({}), spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } },
    },
    'node "me" is not allowed to modify taints',
  ],
  [
    'its owners',
    'nodes',
    { operation: 'update', object: node({}, { ownerReferences: [owner] }), before: node({}) },
    'node "me" is not allowed to modify ownerReferences',
  ],
  ['a mirror pod', 'pods', { object: mirror() }, 'admitted'],
  [
    'a pod that mirrors nothing',
    'pods',
    { object: mirror({ annotations: {} }) },
    'pod does not have "kubernetes.io/config.mirror" annotation, node "me" can only create mirror pods',
  ],
  [
    'a mirror pod elsewhere',
    'pods',
    { object: mirror({}, { nodeName: 'other' }) },
    'node "me" can only create pods with spec.nodeName set to itself',
  ],
  [
    'a mirror pod of nobody',
    'pods',
    { object: mirror({ ownerReferences: [] }) },
    'node "me" can only create pods with an owner reference set to itself',
  ],
  [
    'a mirror pod of an earlier Node',
    'pods',
    { object: mirror({ ownerReferences: [{ ...owner, uid: 'u0' }] }) },
    'node me UID mismatch: expected u0 got u1',
  ],
  [
    'a mirror pod with a secret',
    'pods',
    { object: mirror({}, { volumes: [{ name: 'v', secret: { secretName: 's' } }] }) },
    'node "me" can not create pods that reference secrets',
  ],
  [
    'a mirror pod with an account',
    'pods',
    { object: mirror({}, { serviceAccountName: 'x' }) },
    'node "me" can not create pods that reference a service account',
  ],
  ['the end of its pod', 'pods', { operation: 'delete', before: pod('me') }, 'admitted'],
  [
    'the end of another pod',
    'pods',
    { operation: 'delete', before: pod('other') },
    'node "me" can only delete pods with spec.nodeName set to itself',
  ],
  [
    'a pod as such',
    'pods',
    { operation: 'update', object: pod('me'), before: pod('me') },
    'unexpected operation "UPDATE", node "me" can only create and delete mirror pods',
  ],
  [
    'the status of its pod',
    'pods',
    { operation: 'update', subresource: 'status', object: pod('me'), before: pod('me') },
    'admitted',
  ],
  [
    'labels by way of the status',
    'pods',
    { operation: 'update', subresource: 'status', object: pod('me', { a: 'b' }), before: pod('me') },
    'node "me" cannot update labels through pod status',
  ],
  ['the eviction of its pod', 'pods', { subresource: 'eviction', name: 'mine', object: mirror() }, 'admitted'],
  [
    'the eviction of another',
    'pods',
    { subresource: 'eviction', name: 'yours', object: mirror() },
    'node me can only evict pods with spec.nodeName set to itself',
  ],
  [
    'a binding',
    'pods',
    { subresource: 'binding', object: mirror() },
    `unexpected pod subresource "binding", only 'status' and 'eviction' are allowed`,
  ],
  ['its lease', 'leases.coordination.k8s.io', { namespace: 'kube-node-lease', object: node({}) }, 'admitted'],
  [
    'a lease elsewhere',
    'leases.coordination.k8s.io',
    { namespace: 'default', object: node({}) },
    'can only access leases in the "kube-node-lease" system namespace',
  ],
  [
    "a claim's phase",
    'persistentvolumeclaims',
    {
      operation: 'update',
      subresource: 'status',
      object: { metadata: {}, status: { phase: 'Bound' } },
      before: { metadata: {}, status: { phase: 'Lost' } },
    },
    'node "me" is not allowed to update fields other than status.quantity and status.conditions',
  ],
  [
    "a claim's size",
    'persistentvolumeclaims',
    {
      operation: 'update',
      subresource: 'status',
      object: { metadata: {}, status: { capacity: { storage: '2Gi' } } },
      before: { metadata: {}, status: { capacity: { storage: '1Gi' } } },
    },
    'admitted',
  ],
  ['anything else', 'configmaps', { object: node({}) }, 'admitted'],
];

describe('a node writes', () => {
  for (const [what, collection, asked, says] of table)
    test(what, async () => assert.equal(await outcome(collection, asked), says));
});
