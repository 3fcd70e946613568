// Devices between an API in memory and edges that are only sockets: what goes down, what comes up, and what is kept.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { hours, milliseconds, seconds } from '@kedge/core/time';
import type { KubeObject } from '@kedge/model/k8s';
import type { Device, DeviceStatus, StatusCondition } from '@kedge/model/kubeedge';
import { deviceDefinitions } from '@kedge/model/kubeedge-definitions';
import type { RawMessage } from '@kedge/model/messages';
import type { CloudCoreSettings } from '../../apps/kedge/src/cloudcore.ts';
import { api, type CloudRig, edgeNode, fakeApi, type FakeEdge, installSyncs, settle, startCloud } from './cloud-rig.ts';
import { readRecording } from './recorded/read-recording.ts';

const devices = api('devices', 'devices.kubeedge.io', 'v1beta1');
const models = api('devicemodels', 'devices.kubeedge.io', 'v1beta1');
const statuses = api('devicestatuses', 'devices.kubeedge.io', 'v1beta1');
const syncs = api('objectsyncs', 'reliablesyncs.kubeedge.io', 'v1alpha1');
const definitions = api('customresourcedefinitions', 'apiextensions.k8s.io');

const config: NonNullable<CloudCoreSettings['devices']> = {
  limits: {
    perDevice: { interval: seconds(1), burst: 5 },
    total: { perSecond: 500, burst: 1_000 },
    refresh: seconds(10),
  },
  samples: { path: ':memory:', perProperty: 100, age: hours(24), series: 10 },
};

const model = (name = 'thermo-model'): KubeObject => ({
  apiVersion: 'devices.kubeedge.io/v1beta1',
  kind: 'DeviceModel',
  metadata: { name, namespace: 'default' },
  spec: {
    protocol: 'modbus',
    properties: [
      { name: 'temperature', type: 'INT', accessMode: 'ReadOnly', maximum: '100' },
      { name: 'switch', type: 'STRING', accessMode: 'ReadWrite' },
    ],
  },
});

const device = (name: string, nodeName: string | undefined, spec: object = {}): KubeObject => ({
  apiVersion: 'devices.kubeedge.io/v1beta1',
  kind: 'Device',
  metadata: { name, namespace: 'default' },
  spec: {
    deviceModelRef: { name: 'thermo-model' },
    ...(nodeName === undefined ? {} : { nodeName }),
    protocol: { protocolName: 'modbus', configData: { ip: '127.0.0.1' } },
    properties: [{ name: 'temperature' }, { name: 'switch', desired: { value: 'off' } }],
    ...spec,
  },
});

async function cloudWith(t: TestContext, edges: readonly string[], options: Partial<typeof config> = {}) {
  const cloud = await startCloud(t, { devices: { ...config, ...options } });
  for (const edge of edges) await cloud.kube.create(api('nodes'), undefined, edgeNode(edge));
  return { cloud, kube: cloud.kube, edges: edges.map((edge) => cloud.dial(edge)) };
}

/** Lets `ms` of time pass, and everybody work meanwhile. */
async function pass(cloud: CloudRig, ms: number): Promise<void> {
  await settle();
  await cloud.clock.advance(milliseconds(ms));
  await settle();
}

let ids = 0;
const report = (
  name: string,
  twin: object,
  { id = `report-${++ids}`, at = 1 }: { id?: string; at?: number } = {},
): RawMessage => ({
  header: { msg_id: id, timestamp: at },
  route: {
    source: 'twin',
    group: 'resource',
    operation: 'update',
    resource: `device/default/${name}/twin/edge_updated`,
  },
  content: { event_id: 'e', timestamp: at, twin },
});
const value = (text: string, version: number, at = 1_000 + version) => ({
  actual: { value: text, metadata: { timestamp: at } },
  optional: true,
  metadata: { type: 'int' },
  actual_version: { cloud: 0, edge: version },
});

const said = ({ route }: RawMessage): string => `${route.operation} ${route.resource}`;
const down = (edge: FakeEdge): string[] => edge.pushes().map(said);
const confirmed = (edge: FakeEdge, id: string): RawMessage | undefined =>
  edge.received.find(({ header }) => header.parent_msg_id === id);
const statusOf = async ({ kube }: CloudRig, name = 'thermo-1') =>
  ((await kube.get(devices, { namespace: 'default', name })) as Device).status ?? {};
const conditionOf = (conditions: StatusCondition[] | undefined, type: string) =>
  conditions?.find((condition) => condition.type === type);

test('a device goes to its node after its model, and its membership before both', async (t) => {
  const { cloud, kube, edges } = await cloudWith(t, ['edge-1', 'edge-2']);
  await settle();
  await kube.create(models, 'default', model());
  await kube.create(devices, 'default', device('thermo-1', 'edge-1'));
  await pass(cloud, 1_500);
  assert.deepEqual(down(edges[0]!), [
    'update membership',
    'insert default/devicemodel/thermo-model',
    'insert default/device/thermo-1',
  ]);
  assert.deepEqual(down(edges[1]!), []);
  const [membership, sentModel] = edges[0]!.pushes();
  assert.deepEqual((membership!.content as { added_devices: unknown }).added_devices, [
    { id: 'default/thermo-1', name: 'thermo-1' },
  ]);
  assert.equal((sentModel!.content as KubeObject).kind, 'DeviceModel');
  const records = (await kube.list(syncs)).items as (KubeObject & { spec: { objectKind: string } })[];
  assert.deepEqual(records.map(({ spec }) => spec.objectKind).toSorted(), ['Device', 'DeviceModel']);
});

test('a report is in the API when the edge is told so, the very first one too', async (t) => {
  const { cloud, kube, edges } = await cloudWith(t, ['edge-1']);
  const [edge] = edges;
  await kube.create(models, 'default', model());
  await kube.create(devices, 'default', device('thermo-1', 'edge-1'));
  await pass(cloud, 3_000);
  kube.failNext('patch', 'devices', new Error('the API is away'));
  await edge!.send(
    report(
      'thermo-1',
      { temperature: { ...value('24', 1), expected: { value: '30', metadata: { timestamp: 7 } } } },
      { id: 'r1' },
    ),
  );
  await pass(cloud, 30);
  assert.equal(confirmed(edge!, 'r1'), undefined);
  await pass(cloud, 2_000);
  assert.deepEqual(confirmed(edge!, 'r1')?.route, {
    source: 'devicecontroller',
    group: 'twin',
    operation: 'response',
    resource: 'twin',
  });
  assert.equal(confirmed(edge!, 'r1')?.content, 'OK');
  const { twins, summary } = await statusOf(cloud);
  assert.deepEqual(twins, [
    {
      propertyName: 'temperature',
      reported: { value: '24', metadata: { timestamp: '1001', type: 'int' } },
      observedDesired: { value: '30', metadata: { timestamp: '7', type: 'int' } },
    },
  ]);
  assert.equal(summary, 'temperature=24');
  // The node is not told of what it said itself, be it now or by a comparison later.
  const before = down(edge!).length;
  await pass(cloud, 20_000);
  assert.equal(down(edge!).length, before);
});

test('reports that come back to back become one write, and the newest value stays', async (t) => {
  const { cloud, kube, edges } = await cloudWith(t, ['edge-1']);
  const [edge] = edges;
  await kube.create(models, 'default', model());
  await kube.create(devices, 'default', device('thermo-1', 'edge-1'));
  await pass(cloud, 3_000);
  const before = (await kube.get(devices, { namespace: 'default', name: 'thermo-1' })).metadata.generation ?? 0;
  for (let i = 1; i <= 5; i++)
    await edge!.send(report('thermo-1', { temperature: value(String(i), i) }, { id: `b${i}` }));
  await pass(cloud, 100);
  for (let i = 1; i <= 5; i++) assert.ok(confirmed(edge!, `b${i}`), `report ${i}`);
  const stored = (await kube.get(devices, { namespace: 'default', name: 'thermo-1' })) as Device;
  assert.equal(stored.status?.twins?.[0]?.reported?.value, '5');
  assert.equal((stored.metadata.generation ?? 0) - before, 1);
});

test('a device is written once a second after a burst, and an unchanged value much less often', async (t) => {
  const { cloud, kube, edges } = await cloudWith(t, ['edge-1']);
  const [edge] = edges;
  await kube.create(models, 'default', model());
  await kube.create(devices, 'default', device('thermo-1', 'edge-1'));
  await pass(cloud, 3_000);
  const generation = async () =>
    (await kube.get(devices, { namespace: 'default', name: 'thermo-1' })).metadata.generation ?? 0;
  let before = await generation();
  let version = 0;
  for (let i = 0; i < 50; i++) {
    version++;
    await edge!.send(report('thermo-1', { temperature: value(String(i), version) }));
    await pass(cloud, 100);
  }
  await pass(cloud, 2_000);
  const writes = (await generation()) - before;
  assert.ok(writes >= 9 && writes <= 12, `${writes} writes in 5 s, five of them at once`);
  before = await generation();
  for (let i = 0; i < 100; i++) {
    version++;
    await edge!.send(report('thermo-1', { temperature: value('49', version) }, { id: `same-${i}` }));
    await settle();
    assert.ok(confirmed(edge!, `same-${i}`), 'what the API has already is confirmed at once');
    await pass(cloud, 200);
  }
  await pass(cloud, 2_000);
  assert.ok((await generation()) - before <= 3, `${(await generation()) - before} writes in 20 s`);
});

test('a device that says something now and then never waits for its turn', async (t) => {
  const { cloud, kube, edges } = await cloudWith(t, ['edge-1']);
  const [edge] = edges;
  await kube.create(models, 'default', model());
  await kube.create(devices, 'default', device('thermo-1', 'edge-1'));
  await pass(cloud, 3_000);
  let version = 0;
  for (let burst = 0; burst < 3; burst++) {
    for (let i = 0; i < 5; i++) {
      version++;
      await edge!.send(report('thermo-1', { temperature: value(String(version), version) }, { id: `n${version}` }));
      // The last of a burst is given more time for what may come with it.
      await pass(cloud, i < 4 ? 60 : 150);
      assert.ok(confirmed(edge!, `n${version}`), `report ${version}`);
    }
    await pass(cloud, 6_000);
  }
});

test('what a busy device says in one breath, second after second, is one write and waits for little', async (t) => {
  const { cloud, kube, edges } = await cloudWith(t, ['edge-1']);
  const [edge] = edges;
  await kube.create(models, 'default', model());
  await kube.create(devices, 'default', device('thermo-1', 'edge-1'));
  await pass(cloud, 3_000);
  const late: string[] = [];
  for (let second = 0, version = 0; second < 30; second++) {
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) {
      version++;
      ids.push(`v${version}`);
      await edge!.send(report('thermo-1', { temperature: value(String(version), version) }, { id: `v${version}` }));
      await pass(cloud, 12);
    }
    await pass(cloud, 150);
    // After the burst is used up, and the next turn is known.
    if (second >= 5) late.push(...ids.filter((id) => !confirmed(edge!, id)));
    await cloud.keepAlive(edge!);
    await pass(cloud, 1_000 - 3 * 12 - 150);
  }
  assert.deepEqual(late, []);
});

test('an old report that comes again changes nothing and is confirmed', async (t) => {
  const { cloud, kube, edges } = await cloudWith(t, ['edge-1']);
  const [edge] = edges;
  await kube.create(models, 'default', model());
  await kube.create(devices, 'default', device('thermo-1', 'edge-1'));
  await pass(cloud, 3_000);
  await edge!.send(report('thermo-1', { temperature: value('7', 7) }));
  await pass(cloud, 2_000);
  await edge!.send(report('thermo-1', { temperature: value('3', 3) }, { id: 'old' }));
  await settle();
  assert.ok(confirmed(edge!, 'old'));
  await pass(cloud, 3_000);
  assert.equal((await statusOf(cloud)).twins?.[0]?.reported?.value, '7');
});

test('a restarted cloudcore takes no old report for a new one either', async (t) => {
  const { clock, kube } = fakeApi();
  await installSyncs(kube);
  await kube.create(api('nodes'), undefined, edgeNode('edge-1'));
  await kube.create(models, 'default', model());
  await kube.create(devices, 'default', device('thermo-1', 'edge-1'));
  const first = await startCloud(t, { kube, clock, devices: config });
  const edge = first.dial('edge-1');
  await edge.send(report('thermo-1', { temperature: value('7', 7) }));
  await pass(first, 3_000);
  await first.stop();
  const second = await startCloud(t, { kube, clock, devices: config });
  const again = second.dial('edge-1');
  await again.send(report('thermo-1', { temperature: value('3', 3) }, { id: 'old' }));
  await again.send(report('thermo-1', { temperature: value('5', 5) }, { id: 'older' }));
  await pass(second, 3_000);
  assert.equal((await statusOf(second)).twins?.[0]?.reported?.value, '7');
  assert.ok(confirmed(again, 'old') && confirmed(again, 'older'));
  await again.send(report('thermo-1', { temperature: value('8', 8) }));
  await pass(second, 3_000);
  assert.equal((await statusOf(second)).twins?.[0]?.reported?.value, '8');
});

test('the state of a device is stored, and when it was last online is not forgotten', async (t) => {
  const { cloud, kube, edges } = await cloudWith(t, ['edge-1']);
  const [edge] = edges;
  await kube.create(models, 'default', model());
  await kube.create(devices, 'default', device('thermo-1', 'edge-1'));
  await pass(cloud, 3_000);
  const state = (id: string, of: object): RawMessage => ({
    header: { msg_id: id, timestamp: 1 },
    route: { source: 'twin', group: 'resource', operation: 'update', resource: 'device/default/thermo-1/state/update' },
    content: JSON.stringify({ event_id: 'e', timestamp: ids++, device: of }),
  });
  await edge!.send(state('s1', { name: 'thermo-1', state: 'ok', lastOnlineTime: '2026-01-01T00:00:00Z' }));
  await pass(cloud, 2_000);
  assert.ok(confirmed(edge!, 's1'));
  await edge!.send(state('s2', { name: 'thermo-1', state: 'offline' }));
  await pass(cloud, 2_000);
  const { state: stored, lastOnlineTime, conditions } = await statusOf(cloud);
  assert.equal(stored, 'offline');
  assert.equal(lastOnlineTime, '2026-01-01T00:00:00Z');
  assert.equal(conditionOf(conditions, 'Reachable')?.status, 'False');
});

test('reports about a device of another node or about none change nothing, and do not come again', async (t) => {
  const { cloud, kube, edges } = await cloudWith(t, ['edge-1', 'edge-2']);
  await kube.create(models, 'default', model());
  await kube.create(devices, 'default', device('thermo-1', 'edge-1'));
  await pass(cloud, 3_000);
  await edges[1]!.send(report('thermo-1', { temperature: value('66', 9) }, { id: 'strange' }));
  await edges[1]!.send(report('nobody', { temperature: value('66', 9) }, { id: 'nobody' }));
  await pass(cloud, 2_000);
  assert.equal((await statusOf(cloud)).twins?.length ?? 0, 0);
  // An upstream edge repeats what is not answered, whatever the answer.
  assert.ok(confirmed(edges[1]!, 'strange') && confirmed(edges[1]!, 'nobody'));
});

test('a changed desired value reaches the node; a changed status does not', async (t) => {
  const { cloud, kube, edges } = await cloudWith(t, ['edge-1']);
  await kube.create(models, 'default', model());
  await kube.create(devices, 'default', device('thermo-1', 'edge-1'));
  await pass(cloud, 3_000);
  const before = down(edges[0]!).length;
  await kube.patch(
    devices,
    { namespace: 'default', name: 'thermo-1' },
    'merge',
    JSON.stringify({ status: { state: 'x' } }),
  );
  await pass(cloud, 10_000);
  assert.equal(down(edges[0]!).length, before);
  const properties = [{ name: 'temperature' }, { name: 'switch', desired: { value: 'on' } }];
  await kube.patch(
    devices,
    { namespace: 'default', name: 'thermo-1' },
    'merge',
    JSON.stringify({ spec: { properties } }),
  );
  await pass(cloud, 1_000);
  assert.deepEqual(down(edges[0]!).slice(before), ['update default/device/thermo-1']);
});

test('a model is sent to the nodes that use it, changed there, and taken away with its last device', async (t) => {
  const { cloud, kube, edges } = await cloudWith(t, ['edge-1', 'edge-2']);
  const [one, two] = edges;
  await kube.create(models, 'default', model());
  await kube.create(models, 'default', model('unused'));
  for (const name of ['a', 'b']) await kube.create(devices, 'default', device(name, 'edge-1'));
  await pass(cloud, 3_000);
  assert.ok(!down(one!).some((message) => message.includes('unused')));
  const target = { namespace: 'default', name: 'thermo-model' };
  await kube.patch(models, target, 'merge', JSON.stringify({ spec: { protocol: 'other' } }));
  await pass(cloud, 1_000);
  assert.equal(down(one!).at(-1), 'update default/devicemodel/thermo-model');
  assert.deepEqual(down(two!), []);
  await kube.delete(devices, { namespace: 'default', name: 'a' });
  await pass(cloud, 1_000);
  assert.ok(!down(one!).includes('delete default/devicemodel/thermo-model'));
  await kube.delete(devices, { namespace: 'default', name: 'b' });
  await pass(cloud, 10_000);
  assert.deepEqual(down(one!).slice(-3).toSorted(), [
    'delete default/device/b',
    'delete default/devicemodel/thermo-model',
    'update membership',
  ]);
  assert.deepEqual((await kube.list(syncs)).items, []);
});

test('a device that moves is taken from one node and given to the other, whose clock may be behind', async (t) => {
  const { cloud, kube, edges } = await cloudWith(t, ['edge-1', 'edge-2']);
  await kube.create(models, 'default', model());
  await kube.create(devices, 'default', device('thermo-1', 'edge-1'));
  await pass(cloud, 3_000);
  await edges[0]!.send(report('thermo-1', { temperature: value('1', 50, 9_000) }));
  await pass(cloud, 2_000);
  const target = { namespace: 'default', name: 'thermo-1' };
  await kube.patch(devices, target, 'merge', JSON.stringify({ spec: { nodeName: 'edge-2' } }));
  await pass(cloud, 3_000);
  assert.deepEqual(down(edges[0]!).slice(-3).toSorted(), [
    'delete default/device/thermo-1',
    'delete default/devicemodel/thermo-model',
    'update membership',
  ]);
  assert.deepEqual(down(edges[1]!), [
    'update membership',
    'insert default/devicemodel/thermo-model',
    'insert default/device/thermo-1',
  ]);
  await edges[1]!.send(report('thermo-1', { temperature: value('2', 1, 500) }));
  await pass(cloud, 3_000);
  assert.equal((await statusOf(cloud)).twins?.[0]?.reported?.value, '2');
});

test('what changed while a node was away is made up for, and its question for members answered', async (t) => {
  const { cloud, kube, edges } = await cloudWith(t, ['edge-1']);
  await kube.create(models, 'default', model());
  for (const name of ['stays', 'goes']) await kube.create(devices, 'default', device(name, 'edge-1'));
  await pass(cloud, 3_000);
  edges[0]!.socket.terminate();
  await settle();
  await kube.delete(devices, { namespace: 'default', name: 'goes' });
  await kube.create(devices, 'default', device('new', 'edge-1'));
  await kube.patch(devices, { namespace: 'default', name: 'stays' }, 'merge', '{"spec":{"methods":[]}}');
  await pass(cloud, 5_000);
  const edge = cloud.dial('edge-1');
  await pass(cloud, 6_000);
  assert.deepEqual(down(edge).toSorted(), [
    'delete default/device/goes',
    'insert default/device/new',
    'update default/device/stays',
  ]);
  const event = JSON.stringify({ event_type: 'group_membership_event', event_id: 'ask-1', operation: 'detail' });
  await edge.send({
    header: { msg_id: 'm1', timestamp: 1 },
    route: { source: 'twin', group: 'resource', operation: 'get', resource: 'membership/detail' },
    content: event,
  });
  await settle();
  const detail = edge.received.find(({ route }) => route.resource === 'membership/detail');
  assert.equal(detail?.header.parent_msg_id, undefined);
  const { devices: members, event_id: id } = detail!.content as { devices: { id: string }[]; event_id: string };
  assert.equal(id, 'ask-1');
  assert.deepEqual(members.map((member) => member.id).toSorted(), ['default/new', 'default/stays']);
  assert.equal(confirmed(edge, 'm1')?.content, 'OK');
});

test('what is wrong with a device stands in its conditions, and other devices are not touched', async (t) => {
  const { cloud, kube, edges } = await cloudWith(t, ['edge-1']);
  await kube.create(devices, 'default', device('thermo-1', 'edge-1'));
  await kube.create(devices, 'default', device('no-model', undefined, { deviceModelRef: undefined }));
  await kube.create(devices, 'default', device('odd', 'edge-1', { properties: [{ name: 'humidity' }] }));
  await pass(cloud, 3_000);
  const valid = async (name: string) => conditionOf((await statusOf(cloud, name)).conditions, 'Valid');
  assert.equal((await valid('thermo-1'))?.reason, 'ModelNotFound');
  assert.equal((await valid('no-model'))?.reason, 'NoModelReference');
  await kube.create(models, 'default', model());
  await pass(cloud, 3_000);
  assert.equal((await valid('thermo-1'))?.status, 'True');
  assert.equal((await valid('odd'))?.reason, 'PropertyNotInModel');
  assert.match((await valid('odd'))?.message ?? '', /spec\.properties\[0\]\.name: "humidity" is not in DeviceModel/);
  await edges[0]!.send(report('thermo-1', { temperature: value('hot', 1), unheard: value('1', 1) }));
  await pass(cloud, 2_000);
  const { conditions, twins } = await statusOf(cloud);
  assert.equal(twins?.[0]?.reported?.value, 'hot', 'what the device says is stored all the same');
  const values = conditionOf(conditions, 'ValuesValid');
  assert.equal(values?.status, 'False');
  assert.match(values?.message ?? '', /unheard: is reported.*temperature: "hot" is not an INT/);
  const told = cloud.logged.filter(({ sentence }) => sentence === 'something is wrong with a device');
  assert.deepEqual(
    told.filter(({ fields }) => fields['device'] === 'default/thermo-1').map(({ fields }) => fields['reason']),
    ['ModelNotFound', 'UnknownProperty'],
  );
  const placed = async (name: string) => conditionOf((await statusOf(cloud, name)).conditions, 'Placed')?.reason;
  assert.equal(await placed('no-model'), 'NoNode');
  assert.equal(await placed('thermo-1'), 'NodeNotReady');
  const ready = { status: { conditions: [{ type: 'Ready', status: 'True' }] } };
  await kube.patch(api('nodes'), { name: 'edge-1', subresource: 'status' }, 'merge', JSON.stringify(ready));
  await pass(cloud, 3_000);
  assert.equal(await placed('thermo-1'), 'NodeReady');
  const settled = (await kube.get(devices, { namespace: 'default', name: 'thermo-1' })).metadata.resourceVersion;
  await pass(cloud, 60_000);
  assert.equal((await kube.get(devices, { namespace: 'default', name: 'thermo-1' })).metadata.resourceVersion, settled);
});

test('twins of properties that are no more leave the status', async (t) => {
  const { cloud, kube, edges } = await cloudWith(t, ['edge-1']);
  await kube.create(models, 'default', model());
  await kube.create(devices, 'default', device('thermo-1', 'edge-1'));
  await pass(cloud, 3_000);
  await edges[0]!.send(report('thermo-1', { temperature: value('1', 1), switch: value('on', 1) }));
  await pass(cloud, 2_000);
  assert.equal((await statusOf(cloud)).twins?.length, 2);
  const target = { namespace: 'default', name: 'thermo-1' };
  await kube.patch(devices, target, 'merge', JSON.stringify({ spec: { properties: [{ name: 'switch' }] } }));
  await pass(cloud, 12_000);
  assert.deepEqual(
    (await statusOf(cloud)).twins?.map(({ propertyName }) => propertyName),
    ['switch'],
  );
});

test('where devices have no twins in their schema, as in v1.23, the status goes to a DeviceStatus', async (t) => {
  const { clock, kube } = fakeApi();
  await installSyncs(kube);
  const definition = structuredClone(
    deviceDefinitions.find(({ spec }) => spec.names.kind === 'Device'),
  )! as unknown as {
    spec: { versions: { schema: { openAPIV3Schema: { properties: { status: unknown } } } }[] };
  } & KubeObject;
  for (const { schema } of definition.spec.versions) schema.openAPIV3Schema.properties.status = { type: 'object' };
  await kube.delete(definitions, { name: 'devices.devices.kubeedge.io' });
  await kube.create(definitions, undefined, definition);
  const established = { status: { conditions: [{ type: 'Established', status: 'True' }] } };
  await kube.patch(
    definitions,
    { name: 'devices.devices.kubeedge.io', subresource: 'status' },
    'merge',
    JSON.stringify(established),
  );
  await kube.create(api('nodes'), undefined, edgeNode('edge-1'));
  await kube.create(models, 'default', model());
  const { metadata } = await kube.create(devices, 'default', device('thermo-1', 'edge-1'));
  const cloud = await startCloud(t, { kube, clock, devices: config });
  const edge = cloud.dial('edge-1');
  await edge.send(report('thermo-1', { temperature: value('24', 1) }, { id: 'r1' }));
  await pass(cloud, 3_000);
  assert.ok(confirmed(edge, 'r1'));
  await edge.send(report('thermo-1', { temperature: value('25', 2) }));
  await pass(cloud, 3_000);
  const stored = (await kube.get(statuses, { namespace: 'default', name: 'thermo-1' })) as DeviceStatus;
  assert.equal(stored.status?.twins?.[0]?.reported?.value, '25');
  assert.equal(stored.metadata.ownerReferences?.[0]?.uid, metadata.uid);
  assert.equal(stored.status?.extensions?.['summary'], 'temperature=25');
  assert.equal((await statusOf(cloud)).twins, undefined);
});

const name = (message: RawMessage): string => `${message.route.source} ${said(message)}`;

for (const recording of ['10-create-model-device', '14-cloud-desired-change', '16-delete-device']) {
  test(`the cloud sends what a real one did: ${recording}`, async (t) => {
    const { cloud, kube, edges } = await cloudWith(t, ['real-edge']);
    const [edge] = edges;
    const frames = readRecording(recording).map(({ message }) => message);
    const find = (type: string) =>
      frames.find((frame) => frame.route.resource?.includes(`/${type}/`) && typeof frame.content === 'object')
        ?.content as KubeObject | undefined;
    const clean = (object: KubeObject): KubeObject => {
      const {
        uid: _,
        resourceVersion: __,
        managedFields: ___,
        generation: ____,
        creationTimestamp: _____,
        ...metadata
      } = object.metadata;
      return { ...object, metadata };
    };
    const [sentModel, sentDevice] = [find('devicemodel') ?? model(), find('device')!];
    if (recording.startsWith('14')) {
      const { spec, metadata } = sentDevice as Device;
      const off = { ...spec, properties: spec!.properties!.map((one) => ({ ...one, desired: { value: 'off' } })) };
      await kube.create(models, 'default', clean(sentModel));
      await kube.create(devices, 'default', clean({ ...sentDevice, spec: off }));
      await pass(cloud, 3_000);
      edge!.received.length = 0;
      await kube.patch(devices, { namespace: 'default', name: metadata.name! }, 'merge', JSON.stringify({ spec }));
    } else {
      await kube.create(models, 'default', clean(sentModel));
      await kube.create(devices, 'default', clean(sentDevice));
      if (recording.startsWith('16')) {
        await pass(cloud, 3_000);
        edge!.received.length = 0;
        await kube.delete(devices, { namespace: 'default', name: sentDevice.metadata.name! });
      }
    }
    await pass(cloud, 3_000);
    const isDevice = ({ route }: RawMessage): boolean =>
      route.source === 'devicecontroller' && route.operation !== 'response';
    // Ours tells the members before all else.
    const theirs = frames.filter(isDevice).map(name);
    assert.deepEqual(edge!.pushes().filter(isDevice).map(name).toSorted(), [...new Set(theirs)].toSorted());
    const last = edge!.pushes().findLast(({ route }) => route.resource?.includes('/device/'));
    const theirLast = frames.filter(isDevice).findLast(({ route }) => route.resource?.includes('/device/'));
    assert.deepEqual((last!.content as KubeObject)['spec'], (theirLast!.content as KubeObject)['spec']);
  });
}

for (const recording of ['13a-mqtt-twin-update-reported', '13b-mqtt-twin-update-reported-ns']) {
  test(`the cloud takes and confirms what a real edge reported: ${recording}`, async (t) => {
    const { cloud, kube, edges } = await cloudWith(t, ['real-edge']);
    await kube.create(models, 'default', model());
    await kube.create(devices, 'default', device('thermo-1', 'real-edge'));
    await pass(cloud, 3_000);
    const frames = readRecording(recording);
    for (const { dir, message } of frames) {
      if (dir !== 'edge>cloud' || message.route.source !== 'twin') continue;
      await edges[0]!.send(message);
      await pass(cloud, 2_000);
      const theirs = frames.find((frame) => frame.message.header.parent_msg_id === message.header.msg_id);
      assert.deepEqual(confirmed(edges[0]!, message.header.msg_id)?.route, theirs?.message.route);
      const { twin } = message.content as { twin: { temperature: { actual: { value: string } } } };
      assert.equal((await statusOf(cloud)).twins?.[0]?.reported?.value, twin.temperature.actual.value);
    }
  });
}

test('500 edges report 5 times back to back: every device has its newest value, and every report is confirmed', async (t) => {
  const cloud = await startCloud(t, { devices: config, config: { nodeLimit: 600 } });
  const { kube } = cloud;
  await kube.create(models, 'default', model());
  const names = Array.from({ length: 500 }, (_, i) => `edge-${i}`);
  for (const edge of names) {
    await kube.create(api('nodes'), undefined, edgeNode(edge));
    await kube.create(devices, 'default', device(`of-${edge}`, edge));
  }
  await settle();
  const edges = names.map((edge) => cloud.dial(edge));
  await pass(cloud, 10_000);
  for (let i = 1; i <= 5; i++) {
    for (const edge of edges) {
      await edge.send(report(`of-${edge.node}`, { temperature: value(String(i), i) }, { id: `${edge.node}-${i}` }));
    }
  }
  for (let i = 0; i < 20; i++) await pass(cloud, 100);
  for (const edge of edges) {
    for (let i = 1; i <= 5; i++) assert.ok(confirmed(edge, `${edge.node}-${i}`), `${edge.node} ${i}`);
  }
  for (const stored of (await kube.list(devices)).items as Device[]) {
    assert.equal(stored.status?.twins?.[0]?.reported?.value, '5', stored.metadata.name);
  }
});

test('a device whose model comes late is sent again behind it, and one that names none is not sent', async (t) => {
  const { cloud, kube, edges } = await cloudWith(t, ['edge-1']);
  await kube.create(devices, 'default', device('thermo-1', 'edge-1'));
  await kube.create(devices, 'default', device('bare', 'edge-1', { deviceModelRef: undefined }));
  await pass(cloud, 3_000);
  assert.deepEqual(down(edges[0]!), ['update membership', 'insert default/device/thermo-1']);
  await kube.create(models, 'default', model());
  await pass(cloud, 5_000);
  assert.deepEqual(down(edges[0]!).slice(2), [
    'insert default/devicemodel/thermo-model',
    'update default/device/thermo-1',
  ]);
});

test('two cloudcores on one API do not write over each other, whichever of them the edge is connected to', async (t) => {
  const { clock, kube } = fakeApi();
  await installSyncs(kube);
  await kube.create(api('nodes'), undefined, edgeNode('edge-1'));
  await kube.create(models, 'default', model());
  await kube.create(devices, 'default', device('thermo-1', 'edge-1'));
  const one = await startCloud(t, { kube, clock, devices: config });
  const two = await startCloud(t, { kube, clock, devices: config });
  const version = async () =>
    (await kube.get(devices, { namespace: 'default', name: 'thermo-1' })).metadata.resourceVersion;
  const quiet = async (): Promise<void> => {
    await pass(one, 15_000);
    const before = await version();
    await pass(one, 30_000);
    assert.equal(await version(), before, 'nobody writes when nothing happens');
  };
  const first = one.dial('edge-1');
  await first.send(report('thermo-1', { temperature: value('warm', 7) }));
  await quiet();
  assert.equal((await statusOf(one)).twins?.[0]?.reported?.value, 'warm');
  first.socket.terminate();
  const second = two.dial('edge-1');
  await second.send(report('thermo-1', { temperature: value('old', 5) }));
  await second.send(report('thermo-1', { temperature: value('8', 8) }));
  await quiet();
  const { twins, conditions } = await statusOf(one);
  assert.equal(twins?.[0]?.reported?.value, '8');
  assert.equal(conditionOf(conditions, 'ValuesValid')?.status, 'True');
  second.socket.terminate();
  const third = one.dial('edge-1');
  await third.send(report('thermo-1', { temperature: value('old', 7) }));
  await quiet();
  assert.equal((await statusOf(one)).twins?.[0]?.reported?.value, '8');
});
