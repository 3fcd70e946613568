import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Device, DeviceModel } from '@kedge/model/kubeedge';
import { fromAny } from '../config-values.ts';
import { toDmiDevice, toDmiModel } from '../to-dmi.ts';
import { toOldDevice, toOldModel } from './index.ts';

const model: DeviceModel = {
  metadata: { name: 'meter', namespace: 'default' },
  spec: {
    protocol: 'modbus',
    properties: [
      { name: 'power', type: 'INT', accessMode: 'ReadWrite', minimum: '-5', maximum: '500', unit: 'W' },
      { name: 'ratio', type: 'DOUBLE', accessMode: 'ReadOnly', maximum: '0.5' },
      { name: 'on', type: 'BOOLEAN', accessMode: 'ReadWrite' },
      { name: 'label', type: 'STRING' },
      { name: 'raw', type: 'BYTES', accessMode: 'ReadOnly' },
      { name: 'film', type: 'STREAM', accessMode: 'ReadOnly' },
    ],
  },
};

/** With one property, `power`, and a stream. */
function convert(protocolName: string, configData: object, visitor: object) {
  const device: Device = {
    metadata: { name: 'a', namespace: 'default' },
    spec: {
      deviceModelRef: { name: 'meter' },
      protocol: { protocolName, configData: { ...configData } },
      properties: [
        {
          name: 'power',
          collectCycle: 500,
          reportCycle: 2_000_000_000,
          desired: { value: '7', metadata: { timestamp: '17' } },
          visitors: { protocolName, configData: { ...visitor } },
        },
        { name: 'film' },
      ],
    },
  };
  return toOldDevice(toDmiDevice(device, model).device, toDmiModel(model));
}

const plain = (data: Record<string, Parameters<typeof fromAny>[0]> = {}) =>
  Object.fromEntries(Object.entries(data).map(([key, any]) => [key, fromAny(any)]));

describe('a device of v1alpha1', () => {
  test('over Modbus TCP: ports are numbers, cycles nanoseconds, and what has no place is beside it', () => {
    const { spec, name } = convert(
      'modbus',
      { communicateMode: 'TCP', ip: '10.0.0.5', port: '502', slaveID: 3, collectTimeout: 9, serialType: 'RS485' },
      { dataType: 'int', register: 'HoldingRegister', offset: 2, limit: 1, scale: 0.1, isSwap: 'true', order: 'CDAB' },
    );
    assert.equal(name, 'a');
    assert.deepEqual(spec?.protocol?.modbus, { slaveID: 3n });
    const { tcp, com, collectTimeout, customizedValues } = spec?.protocol?.common ?? {};
    assert.deepEqual([tcp, com, collectTimeout], [{ ip: '10.0.0.5', port: 502n }, undefined, 9n]);
    assert.deepEqual(plain(customizedValues?.data), { serialType: 'RS485' });
    const [visitor, more] = spec?.propertyVisitors ?? [];
    assert.equal(more, undefined);
    assert.deepEqual(
      [visitor?.propertyName, visitor?.collectCycle, visitor?.reportCycle],
      ['power', 500_000_000n, 2_000_000_000n],
    );
    const register = { register: 'HoldingRegister', offset: 2n, limit: 1n, scale: 0.1, isSwap: true };
    assert.deepEqual(visitor?.modbus, { ...register, isRegisterSwap: false });
    assert.deepEqual(plain(visitor?.customizedValues?.data), { order: 'CDAB' });
  });

  test('over a serial line', () => {
    const line = { serialPort: '/dev/ttyS0', baudRate: 9600, dataBits: 8, parity: 'even', stopBits: 1 };
    const { spec } = convert('modbus', { communicateMode: 'RTU', slaveID: '1', ...line }, {});
    const expected = { ...line, baudRate: 9600n, dataBits: 8n, stopBits: 1n };
    assert.deepEqual([spec?.protocol?.common?.com, spec?.protocol?.common?.tcp], [expected, undefined]);
    // A factor that nobody gave is one, and free values that nobody has are none.
    assert.equal(spec?.propertyVisitors?.[0]?.modbus?.scale, 1);
    assert.equal(spec?.propertyVisitors?.[0]?.customizedValues, undefined);
  });

  test('over OPC UA', () => {
    const { spec } = convert(
      'opcua',
      { url: 'opc.tcp://host:4840', userName: 'me', securityMode: 'Sign', timeout: 5 },
      { nodeID: 'ns=2;i=2', browseName: 'power' },
    );
    const { url, userName, securityMode, timeout } = spec?.protocol?.opcua ?? {};
    assert.deepEqual([url, userName, securityMode, timeout], ['opc.tcp://host:4840', 'me', 'Sign', 5n]);
    assert.deepEqual(spec?.propertyVisitors?.[0]?.opcua, { nodeID: 'ns=2;i=2', browseName: 'power' });
  });

  test('over Bluetooth: groups of keys, which DMI carries as text, are groups again', () => {
    const { spec } = convert(
      'bluetooth',
      { macAddress: 'AA:BB' },
      {
        characteristicUUID: 'f000',
        dataWrite: { ON: [1, 2], OFF: 'AA==' },
        dataConverter: {
          startIndex: 1,
          endIndex: 2,
          orderOfOperations: [{ operationType: 'Add', operationValue: 0.5 }],
        },
      },
    );
    assert.deepEqual(spec?.protocol?.bluetooth, { macAddress: 'AA:BB' });
    const { dataWrite, dataConverter } = spec?.propertyVisitors?.[0]?.bluetooth ?? {};
    assert.deepEqual(dataWrite, { ON: Uint8Array.of(1, 2), OFF: Uint8Array.of(0) });
    assert.deepEqual([dataConverter?.startIndex, dataConverter?.endIndex], [1n, 2n]);
    assert.deepEqual(dataConverter?.orderOfOperations, [{ operationType: 'Add', operationValue: 0.5 }]);
  });

  test('over a protocol of its own: names and values as they are', () => {
    const { spec } = convert('toy', { box: 'b', deep: { a: 1 } }, { register: 4 });
    assert.equal(spec?.protocol?.customizedProtocol?.protocolName, 'toy');
    assert.deepEqual(plain(spec?.protocol?.customizedProtocol?.configData?.data), { box: 'b', deep: '{"a":1}' });
    assert.deepEqual(plain(spec?.propertyVisitors?.[0]?.customizedProtocol?.configData?.data), { register: 4 });
  });

  test('has a twin of each property, with a type and everything that is dereferenced', () => {
    const { status } = convert('modbus', {}, {});
    assert.deepEqual(status?.twins, [
      {
        propertyName: 'power',
        desired: { value: '7', metadata: { timestamp: '17', type: 'int' } },
        reported: { value: '', metadata: { timestamp: '0', type: 'int' } },
      },
    ]);
  });
});

test('a model of v1alpha1 has typed properties, bounds as numbers, and no streams', () => {
  const { name, spec } = toOldModel(toDmiModel(model), 'modbus');
  assert.deepEqual([name, spec?.protocol], ['meter', 'modbus']);
  const types = spec?.properties?.map((property) => [property.name, property.type]);
  const none = { minimum: 0, maximum: 0, unit: '' };
  assert.deepEqual(types, [
    ['power', { int: { accessMode: 'ReadWrite', unit: 'W', minimum: -5n, maximum: 500n } }],
    ['ratio', { double: { ...none, accessMode: 'ReadOnly', maximum: 0.5 } }],
    ['on', { boolean: { accessMode: 'ReadWrite' } }],
    ['label', { string: { accessMode: 'ReadWrite' } }],
    ['raw', { bytes: { accessMode: 'ReadOnly' } }],
  ]);
});
