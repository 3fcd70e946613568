// What a node may and may not do, as a table: node `n1` runs pod `web` (account `app`), which uses ConfigMap `conf`,
// Secret `key` and claim `data`, and has device `thermo-1`; node `n2` runs pod `db`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KubeObject, nodeName } from '@kedge/model/k8s';
import { messageId, type ObjectRef, type Upstream } from '@kedge/model/messages';
import { authorize, type Belongings, mayRead } from './authorize.ts';

const own: Belongings = {
  pod: (namespace, name) =>
    namespace !== 'default'
      ? undefined
      : name === 'web'
        ? { node: 'n1', uid: 'u-web', serviceAccount: 'app' }
        : name === 'db'
          ? { node: 'n2', uid: 'u-db', serviceAccount: 'app' }
          : undefined,
  uses: (node, type, namespace, name) =>
    node === 'n1' &&
    namespace === 'default' &&
    ['configmap/conf', 'secret/key', 'persistentvolumeclaim/data', 'device/thermo-1', 'namespace/'].includes(
      `${type}/${name}`,
    ),
};

const base = { id: messageId('1'), at: 0 };
const ref = (type: string, name: string, namespace?: string): ObjectRef => ({ type, name, namespace });
const object = (name: string, rest: object = {}, metadata: object = {}): KubeObject => ({
  metadata: { name, ...metadata },
  ...rest,
});
const get = (type: string, name: string, namespace?: string): Upstream => ({
  ...base,
  kind: 'object.get',
  ref: ref(type, name, namespace),
});
const create = (type: string, of: KubeObject, name = of.metadata.name ?? '', namespace?: string): Upstream => ({
  ...base,
  kind: 'object.create',
  ref: ref(type, name, namespace),
  object: of,
});
const update = (type: string, of: KubeObject, namespace?: string): Upstream => ({
  ...base,
  kind: 'object.update',
  ref: ref(type, of.metadata.name ?? '', namespace),
  object: of,
});
const token = (account: string, bound?: object): Upstream => ({
  ...base,
  kind: 'token.request',
  namespace: 'default',
  serviceAccount: account,
  request: object('x', { spec: { boundObjectRef: bound } }),
});
const event = (involvedObject: object, source: object = {}): Upstream => ({
  ...base,
  kind: 'event.put',
  ref: ref('event', 'e', 'default'),
  event: object('e', { involvedObject, source }),
  change: 'insert',
});
const status = (kind: 'node.status' | 'pod.status', name: string, patch: object = {}): Upstream => ({
  ...base,
  kind,
  ref: kind === 'node.status' ? ref('node', name) : ref('pod', name, 'default'),
  patch: JSON.stringify(patch),
});
const remove = (name: string): Upstream => ({
  ...base,
  kind: 'pod.delete',
  ref: ref('pod', name, 'default'),
  uid: undefined,
  gracePeriodSeconds: 0,
});
const mirror = { annotations: { 'kubernetes.io/config.mirror': 'x' } };
const mirrorOf = (spec: object) => object('s', { spec: { nodeName: 'n1', ...spec } }, mirror);
const lease = 'kube-node-lease';

const table: [string, Upstream, boolean][] = [
  ['keepalive', { ...base, kind: 'keepalive' }, true],
  ['the CA of the API', { ...base, kind: 'ca.get' }, true],
  ['own Node', get('node', 'n1'), true],
  ['another Node', get('node', 'n2'), false],
  ['own Lease', get('lease', 'n1', lease), true],
  ['another Lease', get('lease', 'n2', lease), false],
  ['a Lease elsewhere', get('lease', 'n1', 'kube-system'), false],
  ['own pod', get('pod', 'web', 'default'), true],
  ['another node’s pod', get('pod', 'db', 'default'), false],
  ['a pod that nobody knows', get('pod', 'ghost', 'default'), true],
  ['a ConfigMap of its pod', get('configmap', 'conf', 'default'), true],
  ['a ConfigMap of that name elsewhere', get('configmap', 'conf', 'kube-system'), false],
  ['a ConfigMap of nobody', get('configmap', 'other', 'default'), false],
  ['a Secret of its pod', get('secret', 'key', 'default'), true],
  ['any other Secret', get('secret', 'casecret', 'kubeedge'), false],
  ['a claim of its pod', get('persistentvolumeclaim', 'data', 'default'), true],
  ['another claim', get('persistentvolumeclaim', 'mine', 'default'), false],
  ['the services around its pods', get('servicelist', 'all', 'default'), true],
  ['the services of another namespace', get('servicelist', 'all', 'kube-system'), false],
  ['something unheard of', get('clusterrole', 'admin'), false],
  ['creating its Node', create('node', object('n1')), true],
  ['creating another Node', create('node', object('n2')), false],
  ['creating its Node under another name', create('node', object('n2'), 'n1'), false],
  [
    'a reserved label',
    create('node', object('n1', {}, { labels: { 'node-restriction.kubernetes.io/pci': 'x' } })),
    false,
  ],
  [
    'a reserved label below',
    create('node', object('n1', {}, { labels: { 'a.node-restriction.kubernetes.io/x': '' } })),
    false,
  ],
  ['creating its Lease', create('lease', object('n1'), 'n1', lease), true],
  ['creating another Lease', create('lease', object('n2'), 'n2', lease), false],
  ['a mirror pod', create('pod', object('s', { spec: { nodeName: 'n1' } }, mirror), 's', 'default'), true],
  ['a pod that is no mirror', create('pod', object('s', { spec: { nodeName: 'n1' } }), 's', 'default'), false],
  [
    'a mirror pod for another node',
    create('pod', object('s', { spec: { nodeName: 'n2' } }, mirror), 's', 'default'),
    false,
  ],
  [
    'a mirror pod that reaches for a Secret',
    create(
      'pod',
      object('s', { spec: { nodeName: 'n1', volumes: [{ name: 'v', secret: {} }] } }, mirror),
      's',
      'default',
    ),
    false,
  ],
  [
    'a mirror pod that reaches for a Secret through its environment',
    create(
      'pod',
      mirrorOf({ containers: [{ name: 'c', envFrom: [{ secretRef: { name: 'casecret' } }] }] }),
      's',
      'kubeedge',
    ),
    false,
  ],
  ['a mirror pod that pulls with a Secret', create('pod', mirrorOf({ imagePullSecrets: [{ name: 'a' }] }), 's'), false],
  ['a mirror pod with an account', create('pod', mirrorOf({ serviceAccount: 'admin' }), 's'), false],
  ['creating a Secret', create('secret', object('x'), 'x', 'default'), false],
  ['a certificate request', create('certificatesigningrequest', object('metaserver-csr-1')), true],
  ['labelling its Node', update('node', object('n1')), true],
  ['labelling another Node', update('node', object('n2')), false],
  ['renewing its Lease', update('lease', object('n1'), lease), true],
  ['renewing another Lease', update('lease', object('n2'), lease), false],
  ['updating a pod', update('pod', object('web'), 'default'), false],
  ['its status', status('node.status', 'n1'), true],
  ['another node’s status', status('node.status', 'n2'), false],
  ['the status of its pod', status('pod.status', 'web'), true],
  ['the status of another node’s pod', status('pod.status', 'db'), false],
  ['a status that names its pod’s uid', status('pod.status', 'web', { metadata: { uid: 'u' }, status: {} }), true],
  ['a status that labels its pod', status('pod.status', 'web', { metadata: { labels: { app: 'db' } } }), false],
  ['a status that frees its pod', status('pod.status', 'web', { metadata: { finalizers: null } }), false],
  ['a status with a specification', status('node.status', 'n1', { spec: { taints: [] }, status: {} }), false],
  ['a status with a plain label', status('node.status', 'n1', { metadata: { labels: { zone: 'a' } } }), true],
  [
    'a status with a reserved label',
    status('node.status', 'n1', { metadata: { labels: { 'node-restriction.kubernetes.io/x': 'y' } } }),
    false,
  ],
  [
    'a status that makes it a control plane',
    status('node.status', 'n1', { metadata: { labels: { 'node-role.kubernetes.io/control-plane': '' } } }),
    false,
  ],
  [
    'a status that takes all labels away',
    status('node.status', 'n1', { metadata: { labels: { $patch: 'replace' } } }),
    false,
  ],
  ['ending its pod', remove('web'), true],
  ['ending another node’s pod', remove('db'), false],
  ['ending a pod that is no more', remove('ghost'), true],
  ['a token for its pod', token('app', { kind: 'Pod', name: 'web', uid: 'u-web' }), true],
  ['a token for an older pod of that name', token('app', { kind: 'Pod', name: 'web', uid: 'u-old' }), false],
  ['a token of another account', token('admin', { kind: 'Pod', name: 'web', uid: 'u-web' }), false],
  ['a token for another node’s pod', token('app', { kind: 'Pod', name: 'db', uid: 'u-db' }), false],
  ['a token bound to nothing', token('app'), false],
  ['a token bound to a Secret', token('app', { kind: 'Secret', name: 'key', uid: 'u' }), false],
  ['an event about its pod', event({ kind: 'Pod', namespace: 'default', name: 'web' }, { host: 'n1' }), true],
  ['an event about itself', event({ kind: 'Node', name: 'n1' }), true],
  ['an event about another node', event({ kind: 'Node', name: 'n2' }), false],
  ['an event about another node’s pod', event({ kind: 'Pod', namespace: 'default', name: 'db' }), false],
  ['an event in another node’s name', event({ kind: 'Node', name: 'n1' }, { host: 'n2' }), false],
  ['an event about its device', event({ kind: 'Device', namespace: 'default', name: 'thermo-1' }), true],
  ['an event about another node’s device', event({ kind: 'Device', namespace: 'default', name: 'valve' }), false],
  ['an event about a Deployment', event({ kind: 'Deployment', namespace: 'default', name: 'web' }), false],
  [
    'an old report that names another node',
    {
      ...base,
      kind: 'legacy.status',
      of: 'node',
      ref: ref('node', 'n1'),
      reports: [{ uid: 'u', name: 'n2', status: {} }],
    },
    false,
  ],
  [
    'an old report about its pod',
    {
      ...base,
      kind: 'legacy.status',
      of: 'pod',
      ref: ref('pod', '', 'default'),
      reports: [{ uid: 'u', name: 'web', status: {} }],
    },
    true,
  ],
  [
    'an old report about another node’s pod among its own',
    {
      ...base,
      kind: 'legacy.status',
      of: 'pod',
      ref: ref('pod', '', 'default'),
      reports: ['web', 'db'].map((name) => ({ uid: 'u', name, status: {} })),
    },
    false,
  ],
];

for (const [what, message, expected] of table) {
  test(`a node ${expected ? 'may have' : 'may not have'}: ${what}`, () => {
    const verdict = authorize(nodeName('n1'), message, own);
    assert.equal(verdict.allow, expected);
    if (!verdict.allow) assert.notEqual(verdict.say, '');
  });
}

const volumes: [string, ObjectRef, KubeObject, boolean][] = [
  [
    'a volume of its claim',
    ref('persistentvolume', 'pv'),
    object('pv', { spec: { claimRef: { namespace: 'default', name: 'data' } } }),
    true,
  ],
  [
    'a volume of another claim',
    ref('persistentvolume', 'pv'),
    object('pv', { spec: { claimRef: { namespace: 'default', name: 'x' } } }),
    false,
  ],
  ['a free volume', ref('persistentvolume', 'pv'), object('pv', { spec: {} }), false],
  ['its attachment', ref('volumeattachment', 'va'), object('va', { spec: { nodeName: 'n1' } }), true],
  ['another node’s attachment', ref('volumeattachment', 'va'), object('va', { spec: { nodeName: 'n2' } }), false],
];

for (const [what, of, found, expected] of volumes) {
  test(`a node ${expected ? 'may read' : 'may not read'} ${what}`, () => {
    assert.equal(mayRead(nodeName('n1'), of, found, own).allow, expected);
  });
}
