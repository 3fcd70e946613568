import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '@kedge/model/k8s';
import type { Device } from '@kedge/model/kubeedge';
import { convert, convertReview } from './convert-devices.ts';

const [old, now] = ['devices.kubeedge.io/v1alpha2', 'devices.kubeedge.io/v1beta1'];
const metadata = { name: 'thermo-1', namespace: 'default', uid: 'u' };

const oldDevice: KubeObject = {
  apiVersion: old,
  kind: 'Device',
  metadata,
  spec: {
    deviceModelRef: { name: 'm' },
    nodeSelector: { nodeSelectorTerms: [{ matchExpressions: [{ key: '', operator: 'In', values: ['edge-1'] }] }] },
    protocol: { modbus: { slaveID: 1 }, common: { com: { serialPort: '/dev/ttyS0', baudRate: 9_600 } } },
    data: { dataTopic: 't' },
    propertyVisitors: [{ propertyName: 'temperature', modbus: { register: 'CoilRegister' } }],
  },
  status: { twins: [{ propertyName: 'temperature', desired: { value: '30' }, reported: { value: '24' } }] },
};

const newDevice: KubeObject = {
  apiVersion: now,
  kind: 'Device',
  metadata,
  spec: {
    deviceModelRef: { name: 'm' },
    nodeName: 'edge-1',
    protocol: { protocolName: 'opcua', configData: { url: 'opc.tcp://h:4840' } },
    properties: [
      { name: 'temperature', desired: { value: '30' }, reportToCloud: false, visitors: { protocolName: 'opcua' } },
    ],
    methods: [{ name: 'Set', propertyNames: ['temperature'] }],
  },
  status: { twins: [{ propertyName: 'temperature', reported: { value: '24' }, observedDesired: { value: '' } }] },
};

test('a v1alpha2 device becomes a v1beta1 one that says the same, and comes back as it was', () => {
  const up = convert(oldDevice, now)!;
  const { spec, status } = up as Device;
  assert.equal(up.apiVersion, now);
  assert.equal(spec?.nodeName, 'edge-1');
  assert.deepEqual(spec?.protocol, {
    protocolName: 'modbus',
    configData: { communicateMode: 'RTU', serialPort: '/dev/ttyS0', baudRate: 9_600, slaveID: 1 },
  });
  assert.equal(spec?.properties?.[0]?.desired?.value, '30');
  assert.deepEqual(status?.twins, [{ propertyName: 'temperature', reported: { value: '24' } }]);
  assert.deepEqual(convert(up, old), oldDevice);
});

test('a v1beta1 device shown in v1alpha2 comes back whole', () => {
  const down = convert(newDevice, old)!;
  assert.equal(down.apiVersion, old);
  const up = convert(down, now)!;
  assert.deepEqual(up['spec'], newDevice['spec']);
  assert.deepEqual(up.metadata, metadata);
});

test('what was changed in the old version counts', () => {
  const down = convert(newDevice, old)! as unknown as {
    spec: { nodeSelector: object };
    status: { twins: { desired: { value: string } }[] };
  };
  down.status.twins[0]!.desired = { value: '28' };
  const up = convert(down as unknown as KubeObject, now) as Device;
  assert.equal(up.spec?.properties?.[0]?.desired?.value, '28');
  assert.equal(up.spec?.nodeName, 'edge-1');
  assert.equal(up.spec?.protocol?.protocolName, 'opcua');
});

test('what was changed in the new version counts', () => {
  const up = convert(oldDevice, now)! as Device & KubeObject;
  const moved = { ...up, spec: { ...up.spec, nodeName: 'edge-2' } };
  const down = convert(moved, old) as unknown as { spec: { nodeSelector: unknown } };
  assert.deepEqual(down.spec.nodeSelector, {
    nodeSelectorTerms: [{ matchExpressions: [{ key: '', operator: 'In', values: ['edge-2'] }] }],
  });
});

test('models are converted both ways, a default value not lost', () => {
  const model: KubeObject = {
    apiVersion: old,
    kind: 'DeviceModel',
    metadata,
    spec: {
      properties: [{ name: 'temperature', type: { int: { accessMode: 'ReadOnly', defaultValue: 3, maximum: 100 } } }],
    },
  };
  const up = convert(model, now)!;
  assert.deepEqual((up['spec'] as { properties: unknown }).properties, [
    { name: 'temperature', type: 'INT', accessMode: 'ReadOnly', maximum: '100' },
  ]);
  assert.deepEqual(convert(up, old), model);
});

test('a review converts all or says why not, and nothing else passes for one', () => {
  const review = (desiredAPIVersion: string) =>
    JSON.parse(convertReview(JSON.stringify({ request: { uid: 'u1', desiredAPIVersion, objects: [oldDevice] } }))!) as {
      response: { uid: string; result: { status: string }; convertedObjects?: KubeObject[] };
    };
  assert.equal(review(now).response.convertedObjects?.[0]?.apiVersion, now);
  assert.equal(review('devices.kubeedge.io/v9').response.result.status, 'Failure');
  for (const text of ['', '{}', '[]', '{"request":3}', '{"request":{"uid":"u"}}'])
    assert.equal(convertReview(text), undefined);
});
