// What a device's configuration means, as KubeEdge's samples have it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mapperErrors, readConfig } from '../mapper-sdk/index.ts';
import { protocolConfig, readSettings } from './settings.ts';

const read = (data: Record<string, unknown>) => readSettings(readConfig(protocolConfig, data, 'protocol'));

describe('settings of a Modbus device', () => {
  const cases: [data: Record<string, unknown>, settings: unknown][] = [
    [
      { communicateMode: 'TCP', ip: '10.0.0.5', port: '5502', slaveID: 1 },
      { line: { kind: 'tcp', host: '10.0.0.5', port: 5_502 }, unit: 1, timeout: 5_000 },
    ],
    [
      { ip: '10.0.0.5', slaveId: 3, timeout: 2 },
      { line: { kind: 'tcp', host: '10.0.0.5', port: 502 }, unit: 3, timeout: 2_000 },
    ],
    [
      {
        communicateMode: 'rtu',
        serialPort: '/dev/ttyS0',
        baudRate: '19200',
        dataBits: 7,
        stopBits: 2,
        parity: 'EVEN',
        slaveID: '9',
      },
      {
        line: { kind: 'rtu', path: '/dev/ttyS0', baudRate: 19_200, dataBits: 7, stopBits: 2, parity: 'even' },
        unit: 9,
        timeout: 5_000,
      },
    ],
    [
      { serialName: '/dev/ttyS1', parity: 'mark', rs485Enabled: 'true' },
      {
        line: { kind: 'rtu', path: '/dev/ttyS1', baudRate: 9_600, dataBits: 8, stopBits: 1, parity: 'none' },
        unit: 1,
        timeout: 5_000,
      },
    ],
  ];
  for (const [data, settings] of cases) test(JSON.stringify(data), () => assert.deepEqual(read(data), settings));

  const unusable: [data: Record<string, unknown>, says: RegExp][] = [
    [{}, /ip or serialPort is not set/],
    [{ communicateMode: 'TCP', serialPort: '/dev/ttyS0' }, /ip is not set/],
    [{ communicateMode: 'RTU', ip: '10.0.0.5' }, /serialPort is not set/],
    [{ serialPort: '/dev/ttyS0', slaveID: 0 }, /slaveID is 0, needs 1 to 247/],
    [{ ip: '10.0.0.5', port: 70_000 }, /port/],
    [{ ip: '10.0.0.5', communicateMode: 'UDP' }, /communicateMode/],
  ];
  for (const [data, says] of unusable) {
    test(`${JSON.stringify(data)} cannot be used`, () => {
      assert.throws(
        () => read(data),
        (error: unknown) => mapperErrors.BAD_CONFIG.is(error) && says.test(error.message),
      );
    });
  }
});
