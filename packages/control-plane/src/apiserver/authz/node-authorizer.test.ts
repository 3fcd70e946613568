// What the agent of a node may ask for: a table of questions.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Pod } from '@kedge/model/k8s-types';
import type { Attributes } from './attributes.ts';
import { createNodeAuthorizer } from './node-authorizer.ts';

const pod: Pod = {
  metadata: { name: 'mine', namespace: 'ns' },
  spec: {
    nodeName: 'me',
    serviceAccountName: 'account',
    containers: [{ name: 'a', env: [{ name: 'E', valueFrom: { secretKeyRef: { name: 'env', key: 'k' } } }] }],
    volumes: [
      { name: 's', secret: { secretName: 'volume' } },
      { name: 'c', configMap: { name: 'map' } },
      { name: 'p', persistentVolumeClaim: { claimName: 'claim' } },
      { name: 'e', ephemeral: { volumeClaimTemplate: { spec: {} } } },
    ],
  },
};
const authorizer = createNodeAuthorizer({
  get: (namespace, name) => (namespace === 'ns' && name === 'mine' ? pod : undefined),
  on: (node, namespace) => (node === 'me' && namespace === 'ns' ? [pod] : []),
  claimOf: (volume) => (volume === 'bound' ? { namespace: 'ns', name: 'claim' } : undefined),
  attachedTo: (attachment) => (attachment === 'here' ? 'me' : 'other'),
});
const user = { name: 'system:node:me', groups: ['system:nodes'] };

function may(question: string): boolean {
  const [verb = '', what = '', name = '', selector = ''] = question.split(' ');
  const [whole = '', subresource = ''] = what.split('/');
  const [resource = '', ...group] = whole.split('.');
  const namespace = /^(?:nodes|persistentvolumes|volumeattachments|csinodes)$/.test(resource) ? '' : 'ns';
  const asked: Attributes = {
    isResource: true,
    verb,
    group: group.join('.'),
    resource,
    subresource,
    namespace: resource === 'leases' ? 'kube-node-lease' : namespace,
    name: name === '-' ? '' : name,
    ...(selector ? { fieldSelector: selector } : {}),
  };
  return authorizer.decide(user, asked).allowed;
}

const allowed = [
  'create nodes',
  'get nodes me',
  'patch nodes/status me',
  'watch nodes me',
  'get pods mine',
  'list pods - spec.nodeName=me',
  'watch pods - spec.nodeName==me',
  'delete pods mine',
  'get secrets env',
  'watch secrets volume',
  'get configmaps map',
  'get persistentvolumeclaims claim',
  'get persistentvolumeclaims mine-e',
  'get persistentvolumes bound',
  'get volumeattachments.storage.k8s.io here',
  'get serviceaccounts account',
  'create serviceaccounts/token account',
  'update leases.coordination.k8s.io me',
  'list services',
  'create certificatesigningrequests.certificates.k8s.io',
  'create events',
];
const refused = [
  'get nodes other',
  'list nodes',
  'get pods yours',
  'list pods',
  'list pods - spec.nodeName=other',
  'list pods - spec.nodeName!=me',
  'get secrets other',
  'list secrets',
  'create secrets env',
  'get configmaps other',
  'get persistentvolumeclaims other',
  'get persistentvolumes free',
  'get volumeattachments.storage.k8s.io there',
  'create serviceaccounts/token other',
  'update leases.coordination.k8s.io other',
  'get deployments.apps web',
  'delete nodes me',
];

describe('a node', () => {
  for (const question of allowed) test(`may ${question}`, () => assert.equal(may(question), true));
  for (const question of refused) test(`may not ${question}`, () => assert.equal(may(question), false));
  test('is told by group and name', () => {
    const asked = {
      isResource: true,
      verb: 'get',
      group: '',
      resource: 'nodes',
      subresource: '',
      namespace: '',
      name: 'me',
    } as const;
    assert.equal(authorizer.decide({ name: 'system:node:me', groups: [] }, asked).allowed, false);
    assert.equal(authorizer.decide({ name: 'me', groups: ['system:nodes'] }, asked).allowed, false);
  });
});
