// Backends, Endpoints and slices as tables.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointSlice, Pod, Service, ServiceSpec } from '@kedge/model/k8s-types';
import { planEndpoints } from './plan-endpoints.ts';
import { planSlices } from './plan-slices.ts';
import { backendsOf, serviceSelector } from './service-backends.ts';

const service = (spec: Partial<ServiceSpec> = {}): Service => ({
  metadata: { name: 'web', namespace: 'default', uid: 'svc', labels: { team: 'a' } },
  spec: { clusterIP: '10.96.0.5', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }], ...spec },
});
interface PodParts {
  readonly ready?: boolean;
  readonly leaving?: boolean;
  readonly phase?: string;
  readonly ip?: string | undefined;
  readonly port?: number;
  readonly hostname?: string;
}
const pod = (
  name: string,
  { ready = true, leaving = false, phase = 'Running', ip = `10.0.0.${name}`, port = 8080, hostname }: PodParts = {},
): Pod => ({
  metadata: { name, namespace: 'default', uid: `uid-${name}`, ...(leaving ? { deletionTimestamp: 'now' } : {}) },
  spec: {
    nodeName: 'edge-1',
    containers: [{ name: 'main', ports: [{ name: 'http', containerPort: port }] }],
    ...(hostname ? { hostname, subdomain: 'web' } : {}),
  },
  status: {
    phase,
    conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    ...(ip ? { podIP: ip, podIPs: [{ ip }] } : {}),
  },
});

const endpointsOf = (subject: Service, pods: Pod[]) => planEndpoints(subject, backendsOf(subject, pods), undefined);
const shape = (subject: Service, pods: Pod[]) =>
  (endpointsOf(subject, pods).subsets ?? []).map(({ addresses = [], notReadyAddresses = [], ports }) => ({
    ready: addresses.map(({ ip }) => ip),
    notReady: notReadyAddresses.map(({ ip }) => ip),
    ports: ports?.map(({ name, port }) => (name ? `${name}:${port}` : port)),
  }));

const cases: [sentence: string, service: Service, pods: Pod[], expected: ReturnType<typeof shape>][] = [
  ['nobody stands behind it', service(), [], []],
  [
    'ready pods are addresses, others wait',
    service(),
    [pod('2'), pod('1'), pod('3', { ready: false })],
    [{ ready: ['10.0.0.1', '10.0.0.2'], notReady: ['10.0.0.3'], ports: [8080] }],
  ],
  [
    'pods that end, have ended or have no address are left out',
    service(),
    [pod('1', { leaving: true }), pod('2', { phase: 'Succeeded' }), { ...pod('3'), status: { phase: 'Pending' } }],
    [],
  ],
  [
    'unless everything is to be published',
    service({ publishNotReadyAddresses: true }),
    [pod('1', { leaving: true }), pod('2', { ready: false })],
    [{ ready: ['10.0.0.1', '10.0.0.2'], notReady: [], ports: [8080] }],
  ],
  [
    'a port name means what it means in each pod',
    service(),
    [pod('1'), pod('2', { port: 9090 })],
    [
      { ready: ['10.0.0.1'], notReady: [], ports: [8080] },
      { ready: ['10.0.0.2'], notReady: [], ports: [9090] },
    ],
  ],
  [
    'several ports with the same addresses are one subset',
    service({
      ports: [
        { name: 'b', port: 1 },
        { name: 'a', port: 2, targetPort: 3 },
      ],
    }),
    [pod('1')],
    [{ ready: ['10.0.0.1'], notReady: [], ports: ['a:3', 'b:1'] }],
  ],
  [
    'a headless Service without ports has addresses without ports',
    service({ clusterIP: 'None', ports: [] }),
    [pod('1')],
    [{ ready: ['10.0.0.1'], notReady: [], ports: undefined }],
  ],
];
for (const [sentence, subject, pods, expected] of cases) {
  test(`Endpoints: ${sentence}`, () => assert.deepEqual(shape(subject, pods), expected));
}

test('an address names its pod, its node, and its own name when the Service is its subdomain', () => {
  assert.deepEqual(endpointsOf(service(), [pod('1', { hostname: 'web-0' })]).subsets![0]!.addresses, [
    {
      ip: '10.0.0.1',
      hostname: 'web-0',
      nodeName: 'edge-1',
      targetRef: { kind: 'Pod', namespace: 'default', name: '1', uid: 'uid-1' },
    },
  ]);
});

test('more than a thousand addresses are cut, those that serve first, and it says so', () => {
  const pods = Array.from({ length: 1_200 }, (_, at) =>
    pod(String(at), { ready: at >= 300, ip: `10.1.${at >> 8}.${at & 255}` }),
  );
  const { subsets, metadata } = endpointsOf(service({ ports: [{ port: 80 }] }), pods);
  assert.deepEqual([subsets![0]!.addresses!.length, subsets![0]!.notReadyAddresses!.length], [900, 100]);
  assert.deepEqual(metadata.annotations, { 'endpoints.kubernetes.io/over-capacity': 'truncated' });
});

test('a Service without selector, or an external one, is looked after by somebody else', () => {
  const { selector: _, ...spec } = service().spec!;
  assert.equal(serviceSelector({ ...service(), spec }), undefined);
  assert.equal(serviceSelector(service({ type: 'ExternalName' })), undefined);
});

const many = (count: number) =>
  Array.from({ length: count }, (_, at) => pod(String(at).padStart(4, '0'), { ip: `10.1.${at >> 8}.${at & 255}` }));
const slicesFor = (pods: Pod[], existing: EndpointSlice[] = [], subject = service()) =>
  planSlices(subject, backendsOf(subject, pods), existing, () => 'north');
const stored = (slices: readonly EndpointSlice[]) =>
  slices.map((slice, at) => ({
    ...slice,
    metadata: { ...slice.metadata, name: `web-${at}`, uid: `s${at}`, resourceVersion: '1' },
  }));

test('a slice holds a hundred endpoints with their conditions, zone and owner', () => {
  const { create } = slicesFor([...many(150), pod('900', { leaving: true })]);
  assert.deepEqual(
    create.map(({ endpoints }) => endpoints.length),
    [100, 51],
  );
  const [first] = create;
  assert.deepEqual(first!.metadata.labels, {
    team: 'a',
    'kubernetes.io/service-name': 'web',
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
  });
  assert.equal(first!.metadata.ownerReferences![0]!.uid, 'svc');
  assert.deepEqual(first!.ports, [{ name: '', port: 8080, protocol: 'TCP' }]);
  assert.equal(first!.endpoints[0]!.zone, 'north');
  const leaving = create.flatMap(({ endpoints }) => endpoints).find(({ targetRef }) => targetRef!.name === '900')!;
  assert.deepEqual(leaving.conditions, { ready: false, serving: true, terminating: true });
});

test('nothing is written when nothing changed, and one change touches one slice', () => {
  const existing = stored(slicesFor(many(150)).create);
  assert.deepEqual(slicesFor(many(150), existing), { create: [], update: [], delete: [] });
  const changed = slicesFor([...many(149), pod('0149', { ready: false, ip: '10.1.0.149' })], existing);
  assert.deepEqual([changed.create.length, changed.update.length, changed.delete.length], [0, 1, 0]);
});

test('new endpoints fill up slices that have room before new ones are made', () => {
  const existing = stored(slicesFor(many(150)).create);
  const plan = slicesFor(many(210), existing);
  assert.deepEqual(
    [plan.update.map(({ endpoints }) => endpoints.length), plan.create.map(({ endpoints }) => endpoints.length)],
    [[100], [10]],
  );
});

test('slices that run empty go, but one stays to say that there is nobody', () => {
  const existing = stored(slicesFor(many(150)).create);
  const fewer = slicesFor(many(50), existing);
  assert.deepEqual([fewer.update.length, fewer.delete.length], [1, 1]);
  const none = slicesFor([]);
  assert.deepEqual(
    none.create.map(({ endpoints }) => endpoints),
    [[]],
  );
  assert.deepEqual(slicesFor([], stored(none.create)), { create: [], update: [], delete: [] });
});

test('each endpoint is for its own zone, where the Service prefers what is close', () => {
  const hints = (spec: Partial<ServiceSpec>, zone: string | undefined) => {
    const subject = service(spec);
    const plan = planSlices(subject, backendsOf(subject, [pod('1')]), [], () => zone);
    return plan.create[0]!.endpoints[0]!.hints;
  };
  assert.deepEqual(hints({ trafficDistribution: 'PreferClose' }, 'north'), { forZones: [{ name: 'north' }] });
  assert.equal(hints({ trafficDistribution: 'PreferClose' }, undefined), undefined);
  assert.equal(hints({}, 'north'), undefined);
});

test('a dual-stack Service has slices of both families', () => {
  const subject = service({ ipFamilies: ['IPv4', 'IPv6'] });
  const both: Pod = { ...pod('1'), status: { ...pod('1').status, podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] } };
  const { create } = planSlices(subject, backendsOf(subject, [both]), [], () => undefined);
  assert.deepEqual(
    create.map(({ addressType, endpoints }) => [addressType, endpoints[0]!.addresses]),
    [
      ['IPv4', ['10.0.0.1']],
      ['IPv6', ['fd00::1']],
    ],
  );
});
