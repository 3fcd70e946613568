// The decision as tables: which nodes will do for a pod, and what is said when none will.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Affinity, Node, Pod, PodAffinityTerm, PodSpec, TopologySpreadConstraint } from '@kedge/model/k8s-types';
import { chooseNode, filterNodes } from './choose-node.ts';
import type { ClusterFacts, VolumeFacts } from './filters/filter.ts';
import { ClusterTable } from './state/cluster-table.ts';
import { podFacts } from './state/pod-facts.ts';
import { noStorage } from './testing/no-storage.ts';

const node = (
  name: string,
  more: { labels?: Record<string, string>; spec?: Node['spec']; cpu?: string; pods?: string; images?: string[] } = {},
): Node => ({
  metadata: { name, labels: { 'kubernetes.io/hostname': name, ...more.labels } },
  ...(more.spec ? { spec: more.spec } : {}),
  status: {
    allocatable: { cpu: more.cpu ?? '4', memory: '8Gi', pods: more.pods ?? '110' },
    images: (more.images ?? []).map((image) => ({ names: [image], sizeBytes: 500_000_000 })),
  },
});

interface PodParts {
  readonly labels?: Record<string, string>;
  readonly cpu?: string;
  readonly spec?: Partial<PodSpec>;
  readonly owner?: string;
}
const pod = (name: string, { labels = {}, cpu, spec = {}, owner }: PodParts = {}): Pod => ({
  metadata: {
    name,
    namespace: 'default',
    labels,
    ...(owner
      ? { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: owner, controller: true }] }
      : {}),
  },
  spec: {
    containers: [{ name: 'main', image: 'app:1', ...(cpu ? { resources: { requests: { cpu } } } : {}) }],
    ...spec,
  },
});

function cluster(
  nodes: readonly Node[],
  placed: Record<string, readonly Pod[]> = {},
  storage: Partial<VolumeFacts> = {},
): ClusterFacts {
  const table = new ClusterTable();
  for (const one of nodes) table.putNode(one);
  for (const [name, pods] of Object.entries(placed)) for (const one of pods) table.putPod(one, name);
  const all = table.nodes();
  return {
    nodes: all,
    repelling: table.repelling,
    nodeOf: (key) => all.find(({ name }) => name === table.placeOf(key)),
    namespaceLabels: (name) => ({ name }),
    nominated: new Map(),
    storage: { ...noStorage, ...storage },
  };
}

const dusty: NonNullable<Node['spec']> = { taints: [{ key: 'dusty', effect: 'NoSchedule' }] };
const ofRevision: PodAffinityTerm = {
  topologyKey: 'kubernetes.io/hostname',
  labelSelector: { matchLabels: { app: 'web' } },
  matchLabelKeys: ['rev'],
};
const spreadBy = (
  topologyKey: string,
  maxSkew = 1,
  more: Partial<TopologySpreadConstraint> = {},
): Partial<PodSpec> => ({
  topologySpreadConstraints: [
    {
      topologyKey,
      maxSkew,
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: { matchLabels: { app: 'web' } },
      ...more,
    },
  ],
});
const near = (app: string, topologyKey: string): Affinity => ({
  podAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey, labelSelector: { matchLabels: { app } } }],
  },
});
const far = (app: string, topologyKey: string): Affinity => ({
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey, labelSelector: { matchLabels: { app } } }],
  },
});
const web = { app: 'web' };
const hostname = 'kubernetes.io/hostname';
const port = (hostPort: number, hostIP?: string): Partial<PodSpec> => ({
  containers: [{ name: 'main', ports: [{ containerPort: 80, hostPort, ...(hostIP ? { hostIP } : {}) }] }],
});
const named = (...names: string[]): Affinity => ({
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: names }] }],
    },
  },
});
const using = (...claims: string[]): Partial<PodSpec> => ({
  volumes: claims.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })),
});
/** Claims that are bound to volumes of their own name, made by a driver `csi.example.org`. */
const bound: Partial<VolumeFacts> = {
  claim: (namespace, name) => ({
    metadata: { namespace, name, annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } },
    spec: { volumeName: name, accessModes: [name.startsWith('single') ? 'ReadWriteOncePod' : 'ReadWriteOnce'] },
  }),
  volume: (name) => ({ metadata: { name }, spec: { csi: { driver: 'csi.example.org', volumeHandle: name } } }),
};
const atMost = (count: number): Partial<VolumeFacts> => ({
  ...bound,
  csiNode: (name) => ({
    metadata: { name },
    spec: { drivers: [{ name: 'csi.example.org', nodeID: name, allocatable: { count } }] },
  }),
});
/** A claim that waits for its first pod, and a class whose driver makes volumes in the north and says what it has. */
const making = (capacity: string, zone = 'north'): Partial<VolumeFacts> => ({
  claim: (namespace, name) => ({
    metadata: { namespace, name },
    spec: { storageClassName: 'fast', resources: { requests: { storage: '10Gi' } } },
  }),
  storageClass: (name) => ({
    metadata: { name },
    provisioner: 'csi.example.org',
    volumeBindingMode: 'WaitForFirstConsumer',
    allowedTopologies: [{ matchLabelExpressions: [{ key: 'zone', values: [zone] }] }],
  }),
  csiDriver: (name) => ({ metadata: { name }, spec: { storageCapacity: true } }),
  capacities: () => [
    {
      metadata: { name: 'here' },
      storageClassName: 'fast',
      capacity,
      nodeTopology: { matchLabels: { zone: 'north' } },
    },
  ],
});
const disk = (pdName: string, readOnly = false): Partial<PodSpec> => ({
  volumes: [{ name: 'disk', gcePersistentDisk: { pdName, readOnly } }],
});
const north = { labels: { zone: 'north' } };
const south = { labels: { zone: 'south' } };

const cases: [sentence: string, pod: Pod, cluster: ClusterFacts, possible: string[], message?: string][] = [
  ['any node will do for a pod that asks for nothing', pod('p'), cluster([node('a'), node('b')]), ['a', 'b']],
  ['there are no nodes', pod('p'), cluster([]), [], 'no nodes available to schedule pods'],
  [
    'taints, resources and cordons are told apart',
    pod('p', { cpu: '2' }),
    cluster([
      node('a', { spec: { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] } }),
      node('b', { cpu: '1' }),
      node('c', { cpu: '1' }),
      node('d', { spec: { unschedulable: true } }),
    ]),
    [],
    '0/4 nodes are available: 1 node(s) had untolerated taint {k: v}, 1 node(s) were unschedulable, 2 Insufficient cpu.',
  ],
  [
    'a tolerated taint is none',
    pod('p', { spec: { tolerations: [{ key: 'k', operator: 'Exists' }] } }),
    cluster([node('a', { spec: { taints: [{ key: 'k', effect: 'NoExecute' }] } })]),
    ['a'],
  ],
  [
    'a soft taint keeps nobody away',
    pod('p'),
    cluster([node('a', { spec: { taints: [{ key: 'k', effect: 'PreferNoSchedule' }] } })]),
    ['a'],
  ],
  [
    'a cordon can be tolerated',
    pod('p', {
      spec: { tolerations: [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' }] },
    }),
    cluster([node('a', { spec: { unschedulable: true } })]),
    ['a'],
  ],
  [
    'labels decide with nodeSelector',
    pod('p', { spec: { nodeSelector: { zone: 'north' } } }),
    cluster([node('a', north), node('b', south)]),
    ['a'],
  ],
  [
    'nobody has the label',
    pod('p', { spec: { nodeSelector: { gpu: 'yes' } } }),
    cluster([node('a'), node('b')]),
    [],
    "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
  ],
  [
    'what runs already counts',
    pod('p', { cpu: '3' }),
    cluster([node('a'), node('b')], { a: [pod('x', { cpu: '2' })] }),
    ['b'],
  ],
  [
    'a node has room for so many pods',
    pod('p'),
    cluster([node('a', { pods: '1' })], { a: [pod('x')] }),
    [],
    '0/1 nodes are available: 1 Too many pods.',
  ],
  [
    'an extended resource that no node has',
    pod('p', { spec: { containers: [{ name: 'm', resources: { requests: { 'example.org/camera': '1' } } }] } }),
    cluster([node('a')]),
    [],
    '0/1 nodes are available: 1 Insufficient example.org/camera.',
  ],
  [
    'a host port is taken once',
    pod('p', { spec: port(8080) }),
    cluster([node('a'), node('b')], { a: [pod('x', { spec: port(8080, '10.0.0.1') })] }),
    ['b'],
  ],
  [
    'the same port on two addresses is two ports',
    pod('p', { spec: port(8080, '10.0.0.2') }),
    cluster([node('a')], { a: [pod('x', { spec: port(8080, '10.0.0.1') })] }),
    ['a'],
  ],
  [
    'affinity leads to the domain of its friends',
    pod('p', { spec: { affinity: near('web', 'zone') } }),
    cluster([node('a', north), node('b', north), node('c', south)], { a: [pod('x', { labels: web })] }),
    ['a', 'b'],
  ],
  [
    'affinity to nobody',
    pod('p', { spec: { affinity: near('web', 'zone') } }),
    cluster([node('a', north)]),
    [],
    "0/1 nodes are available: 1 node(s) didn't match pod affinity rules.",
  ],
  [
    'the first of a group that wants to be together goes anywhere that has the domain',
    pod('p', { labels: web, spec: { affinity: near('web', 'zone') } }),
    cluster([node('a', north), node('b')]),
    ['a'],
  ],
  [
    'anti-affinity keeps replicas apart',
    pod('p', { labels: web, spec: { affinity: far('web', hostname) } }),
    cluster([node('a'), node('b')], { a: [pod('x', { labels: web })] }),
    ['b'],
  ],
  [
    'a pod that shuns others is left alone',
    pod('p', { labels: web }),
    cluster([node('a'), node('b')], { a: [pod('x', { spec: { affinity: far('web', hostname) } })] }),
    ['b'],
  ],
  [
    'affinity stays within the namespace unless it says otherwise',
    pod('p', { spec: { affinity: near('web', 'zone') } }),
    cluster([node('a', north)], {
      a: [{ ...pod('x', { labels: web }), metadata: { name: 'x', namespace: 'other', labels: web } }],
    }),
    [],
    "0/1 nodes are available: 1 node(s) didn't match pod affinity rules.",
  ],
  [
    'affinity can select namespaces by label',
    pod('p', {
      spec: {
        affinity: {
          podAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              {
                topologyKey: 'zone',
                labelSelector: { matchLabels: web },
                namespaceSelector: { matchLabels: { name: 'other' } },
              },
            ],
          },
        },
      },
    }),
    cluster([node('a', north)], { a: [{ ...pod('x'), metadata: { name: 'x', namespace: 'other', labels: web } }] }),
    ['a'],
  ],
  [
    'hard spread sends the next pod to the emptiest zone',
    pod('p', { labels: web, spec: spreadBy('zone') }),
    cluster([node('a', north), node('b', south)], { a: [pod('x', { labels: web })] }),
    ['b'],
  ],
  [
    'a pod that names its node is said not to want the others',
    pod('p', { cpu: '9', spec: { affinity: named('a') } }),
    cluster([node('a'), node('b'), node('c')]),
    [],
    "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity].",
  ],
  [
    'a pod that names no node at all fits nowhere',
    pod('p', { spec: { affinity: named() } }),
    cluster([node('a')]),
    [],
    '0/1 nodes are available: pod affinity terms conflict.',
  ],
  [
    'overhead counts',
    pod('p', { cpu: '3', spec: { overhead: { cpu: '2' } } }),
    cluster([node('a')]),
    [],
    '0/1 nodes are available: 1 Insufficient cpu.',
  ],
  [
    'a driver attaches so many volumes to a node',
    pod('p', { spec: using('one') }),
    cluster([node('a'), node('b')], { a: [pod('x', { spec: using('two', 'three') })] }, atMost(2)),
    ['b'],
  ],
  [
    'a volume that is there already takes no more room',
    pod('p', { spec: using('two') }),
    cluster([node('a')], { a: [pod('x', { spec: using('two', 'three') })] }, atMost(2)),
    ['a'],
  ],
  [
    'more volumes than any node takes',
    pod('p', { spec: using('one', 'two') }),
    cluster([node('a')], {}, atMost(1)),
    [],
    '0/1 nodes are available: 1 node(s) exceed max volume count.',
  ],
  [
    'a driver that sets no limit has none',
    pod('p', { spec: using('one', 'two') }),
    cluster([node('a')], { a: [pod('x', { spec: using('three') })] }, bound),
    ['a'],
  ],
  [
    'a claim for one pod is taken everywhere',
    pod('p', { spec: using('single') }),
    cluster([node('a'), node('b')], { a: [pod('x', { spec: using('single') })] }, bound),
    [],
    '0/2 nodes are available: 2 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode.',
  ],
  [
    'a disk is attached once',
    pod('p', { spec: disk('data') }),
    cluster([node('a'), node('b')], {
      a: [pod('x', { spec: disk('data', true) })],
      b: [pod('y', { spec: disk('log') })],
    }),
    ['b'],
  ],
  [
    'unless everybody only reads',
    pod('p', { spec: disk('data', true) }),
    cluster([node('a')], { a: [pod('x', { spec: disk('data', true) })] }),
    ['a'],
  ],
  [
    'a volume is made where its class says',
    pod('p', { spec: using('new') }),
    cluster([node('a', north), node('b', south)], {}, making('20Gi')),
    ['a'],
  ],
  [
    'where its driver has room',
    pod('p', { spec: using('new') }),
    cluster([node('a', north), node('b', south)], {}, making('5Gi')),
    [],
    "0/2 nodes are available: 1 node(s) did not have enough free storage, 1 node(s) didn't find available persistent volumes to bind.",
  ],
  [
    'too few domains count as an empty one',
    pod('p', { labels: web, spec: spreadBy('zone', 1, { minDomains: 2 }) }),
    cluster([node('a', north)], { a: [pod('x', { labels: web })] }),
    [],
    "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints.",
  ],
  [
    'a zone the pod may not go to counts as an empty one only if the constraint says so',
    pod('p', {
      labels: web,
      spec: { nodeSelector: { zone: 'north' }, ...spreadBy('zone', 1, { nodeAffinityPolicy: 'Ignore' }) },
    }),
    cluster([node('a', north), node('b', south)], { a: [pod('x', { labels: web })] }),
    [],
  ],
  [
    'by default it does not count',
    pod('p', { labels: web, spec: { nodeSelector: { zone: 'north' }, ...spreadBy('zone') } }),
    cluster([node('a', north), node('b', south)], { a: [pod('x', { labels: web })] }),
    ['a'],
  ],
  [
    'a tainted zone counts by default',
    pod('p', { labels: web, spec: spreadBy('zone') }),
    cluster([node('a', north), node('b', { ...south, spec: dusty })], { a: [pod('x', { labels: web })] }),
    [],
  ],
  [
    'and not if the constraint honours taints',
    pod('p', { labels: web, spec: spreadBy('zone', 1, { nodeTaintsPolicy: 'Honor' }) }),
    cluster([node('a', north), node('b', { ...south, spec: dusty })], { a: [pod('x', { labels: web })] }),
    ['a'],
  ],
  [
    'matchLabelKeys count the pods of one revision only',
    pod('p', { labels: { ...web, rev: '2' }, spec: spreadBy('zone', 1, { matchLabelKeys: ['rev'] }) }),
    cluster([node('a', north), node('b', south)], { a: [pod('x', { labels: { ...web, rev: '1' } })] }),
    ['a', 'b'],
  ],
  [
    'matchLabelKeys narrow anti-affinity, too',
    pod('p', {
      labels: { ...web, rev: '2' },
      spec: { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [ofRevision] } } },
    }),
    cluster([node('a'), node('b')], {
      a: [pod('x', { labels: { ...web, rev: '1' } })],
      b: [pod('y', { labels: { ...web, rev: '2' } })],
    }),
    ['a'],
  ],
  [
    'a node without the topology label takes no part in a hard spread',
    pod('p', { labels: web, spec: spreadBy('zone') }),
    cluster([node('a')]),
    [],
    "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label).",
  ],
];
for (const [sentence, subject, state, possible, message] of cases) {
  test(sentence, () => {
    const found = filterNodes(podFacts(subject), state).possible.map(({ name }) => name);
    assert.deepEqual(found, possible);
    const choice = chooseNode(podFacts(subject), state, () => 0);
    if (message !== undefined) assert.equal(choice.ok ? '' : choice.message, message);
  });
}

const choices: [sentence: string, pod: Pod, cluster: ClusterFacts, node: string][] = [
  [
    'the emptier node wins',
    pod('p', { cpu: '1' }),
    cluster([node('a'), node('b')], { a: [pod('x', { cpu: '2' })] }),
    'b',
  ],
  [
    'a preferred label outweighs free resources',
    pod('p', {
      spec: {
        affinity: {
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 50, preference: { matchExpressions: [{ key: 'zone', operator: 'In', values: ['south'] }] } },
            ],
          },
        },
      },
    }),
    cluster([node('a', north), node('b', south)], { b: [pod('x', { cpu: '2' })] }),
    'b',
  ],
  [
    'a soft taint makes a node the last choice',
    pod('p'),
    cluster([node('a', { spec: { taints: [{ key: 'k', effect: 'PreferNoSchedule' }] } }), node('b')], {
      b: [pod('x', { cpu: '1' })],
    }),
    'b',
  ],
  [
    'replicas of one owner keep apart',
    pod('p', { owner: 'web', cpu: '100m' }),
    cluster([node('a'), node('b', { cpu: '2' })], { a: [pod('x', { owner: 'web', cpu: '100m' })] }),
    'b',
  ],
  [
    'soft spread prefers the emptier zone',
    pod('p', { labels: web, spec: spreadBy('zone', 1, { whenUnsatisfiable: 'ScheduleAnyway' }) }),
    cluster([node('a', north), node('b', { ...south, cpu: '3' })], { a: [pod('x', { labels: web })] }),
    'b',
  ],
  [
    'and a node that is in no zone is the last choice',
    pod('p', { labels: web, spec: spreadBy('zone', 1, { whenUnsatisfiable: 'ScheduleAnyway' }) }),
    cluster([node('a', { ...north, cpu: '3' }), node('b')], { a: [pod('x', { labels: web })] }),
    'a',
  ],
  [
    'CPU and memory in balance',
    pod('p', { cpu: '1' }),
    cluster([node('a', { cpu: '8' }), node('b', { cpu: '8' })], {
      a: [pod('x', { cpu: '2' })],
      b: [pod('y', { spec: { containers: [{ name: 'm', resources: { requests: { memory: '2Gi' } } }] } })],
    }),
    'b',
  ],
  [
    'a node that has the image already is preferred',
    pod('p'),
    cluster([node('a'), node('b', { images: ['app:1'] })]),
    'b',
  ],
  [
    'preferred anti-affinity keeps away where it can',
    pod('p', {
      spec: {
        affinity: {
          podAntiAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              {
                weight: 100,
                podAffinityTerm: { topologyKey: hostname, labelSelector: { matchLabels: { app: 'noisy' } } },
              },
            ],
          },
        },
      },
    }),
    cluster([node('a'), node('b')], { a: [pod('x', { labels: { app: 'noisy' } })], b: [pod('y', { cpu: '1' })] }),
    'b',
  ],
];
for (const [sentence, subject, state, expected] of choices) {
  test(sentence, () => {
    assert.deepEqual(
      chooseNode(podFacts(subject), state, () => 0),
      { ok: true, node: expected },
    );
  });
}

test('chance decides between equals', () => {
  const state = cluster([node('a'), node('b')]);
  const pick = (random: number) => {
    const choice = chooseNode(podFacts(pod('p')), state, () => random);
    return choice.ok && choice.node;
  };
  assert.deepEqual([pick(0), pick(0.99)], ['a', 'b']);
});

test('replicas of one owner keep to different zones, where zones are known', () => {
  const zone = (name: string) => ({ labels: { 'topology.kubernetes.io/zone': name } });
  const nodes = [node('a1', zone('a')), node('a2', zone('a')), node('b1', zone('b'))];
  const facts = cluster(nodes, { a1: [pod('one', { owner: 'web' })] });
  const choice = chooseNode(podFacts(pod('two', { owner: 'web' })), facts, () => 0);
  assert.deepEqual(choice, { ok: true, node: 'b1' });
});
