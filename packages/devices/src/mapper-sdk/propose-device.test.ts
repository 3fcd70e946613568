// A proposal is what admission takes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkDevice, checkDeviceModel } from '@kedge/model/kubeedge';
import { proposeDevice } from './propose-device.ts';

test('a found device becomes a model and a device that fit', () => {
  const { model, device } = proposeDevice(
    {
      name: 'boiler',
      description: 'Acme boiler 3',
      protocolConfig: { ip: '10.0.0.5', port: 502 },
      properties: [
        { name: 'flow', type: 'INT', access: 'ReadOnly', description: 'was 7', visitorConfig: { offset: 3 } },
        { name: 'pump', type: 'BOOLEAN', access: 'ReadWrite', visitorConfig: { offset: 0 } },
      ],
    },
    { protocol: 'modbus', node: 'edge-1', namespace: 'plant' },
  );
  assert.deepEqual(checkDeviceModel(model), []);
  assert.deepEqual(checkDevice(device, model), []);
  assert.equal(device.metadata.annotations?.['devices.kedge.io/found'], 'Acme boiler 3');
  assert.deepEqual(model.spec?.properties?.[0], {
    name: 'flow',
    type: 'INT',
    accessMode: 'ReadOnly',
    description: 'was 7',
  });
  assert.deepEqual(device.spec?.protocol, { protocolName: 'modbus', configData: { ip: '10.0.0.5', port: 502 } });
  assert.deepEqual(device.spec?.properties?.[1]?.visitors?.configData, { offset: 0 });
});
