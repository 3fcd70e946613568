import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deliversSamples, type Device, parseDeviceId, readDevice, readDeviceModel, stateReportOf } from './index.ts';

const metadata = { name: 'thermo-1', namespace: 'default' };

test('a device of today is read as it is', () => {
  const device = { metadata, spec: { nodeName: 'edge-1', properties: [{ name: 'temperature' }] } };
  assert.equal(readDevice(device), device);
});

test('a v1alpha2 Modbus device says the same in v1beta1', () => {
  const device = readDevice({
    apiVersion: 'devices.kubeedge.io/v1beta1',
    kind: 'Device',
    metadata,
    spec: {
      deviceModelRef: { name: 'm' },
      nodeSelector: { nodeSelectorTerms: [{ matchExpressions: [{ key: '', operator: 'In', values: ['edge-1'] }] }] },
      protocol: { modbus: { slaveID: 1 }, common: { tcp: { ip: '10.0.0.5', port: 502 }, collectTimeout: 3 } },
      propertyVisitors: [
        {
          propertyName: 'temperature',
          collectCycle: 500,
          modbus: { register: 'HoldingRegister', offset: 2, limit: 1 },
          customizedValues: { dataType: 'int' },
        },
      ],
    },
    status: { twins: [{ propertyName: 'temperature', desired: { value: '30' }, reported: { value: '' } }] },
  });
  assert.deepEqual(device.spec, {
    deviceModelRef: { name: 'm' },
    nodeName: 'edge-1',
    protocol: {
      protocolName: 'modbus',
      configData: { communicateMode: 'TCP', ip: '10.0.0.5', port: 502, collectTimeout: 3, slaveID: 1 },
    },
    properties: [
      {
        name: 'temperature',
        desired: { value: '30' },
        collectCycle: 500,
        reportToCloud: true,
        visitors: {
          protocolName: 'modbus',
          configData: { dataType: 'int', register: 'HoldingRegister', offset: 2, limit: 1 },
        },
      },
    ],
  });
});

test('a selector that could be several nodes names none', () => {
  const nodeSelector = {
    nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }] }],
  };
  assert.equal(readDevice({ metadata, spec: { nodeSelector } }).spec?.nodeName, undefined);
});

test('a v1alpha2 model has its types as words', () => {
  const model = readDeviceModel({
    metadata,
    spec: {
      properties: [
        { name: 'temperature', type: { int: { accessMode: 'ReadOnly', maximum: 100, unit: 'C' } } },
        { name: 'on', type: { boolean: { accessMode: 'ReadWrite' } } },
      ],
    },
  });
  assert.deepEqual(model.spec?.properties, [
    { name: 'temperature', type: 'INT', accessMode: 'ReadOnly', maximum: '100', unit: 'C' },
    { name: 'on', type: 'BOOLEAN', accessMode: 'ReadWrite' },
  ]);
});

test('whatever somebody stored is read as some device', () => {
  for (const spec of [undefined, null, 'x', [], { properties: 'x' }, { properties: [1] }, { protocol: 3 }]) {
    const device = readDevice({ metadata, spec });
    assert.ok(device.spec?.properties === undefined || device.spec.properties.every((property) => property !== null));
    readDeviceModel({ metadata, spec });
  }
});

test('the state report stands in either version of the place', () => {
  const device = (rest: Partial<Device>): Device => ({ metadata, ...rest });
  assert.deepEqual(stateReportOf(device({ status: { reportToCloud: true, reportCycle: 5 } })), {
    reportToCloud: true,
    reportCycle: 5,
  });
  assert.deepEqual(stateReportOf(device({ spec: { stateReport: { reportCycle: 7 } }, status: { reportCycle: 5 } })), {
    reportCycle: 7,
  });
  assert.equal(stateReportOf(device({})), undefined);
});

test('properties are marked for the delivery of every sample by name or all at once', () => {
  const marked = (value: string): Device => ({
    metadata: { ...metadata, annotations: { 'devices.kedge.io/deliver-samples': value } },
  });
  assert.ok(deliversSamples(marked('temperature, pressure'), 'pressure'));
  assert.ok(deliversSamples(marked('*'), 'pressure'));
  assert.ok(!deliversSamples(marked('temperature'), 'pressure'));
  assert.ok(!deliversSamples({ metadata }, 'pressure'));
});

test('a device id has one slash', () => {
  assert.deepEqual(parseDeviceId('a/b'), { namespace: 'a', name: 'b' });
  for (const id of ['', 'a', 'a/', '/b', 'a/b/c']) assert.equal(parseDeviceId(id), undefined);
});
