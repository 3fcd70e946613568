// The Modbus mapper over a serial line: modbus-serial's server on one pseudo terminal, the mapper on the other.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { describe, test, type TestContext } from 'node:test';
import { silentLog } from '@kedge/core/log';
import { createRandom, systemClock } from '@kedge/platform/node';
import { describeMapper } from '@kedge/testing/contracts';
import { hasSocat, startSerialLine } from '@kedge/testing/serial';
import type { ServerSerial as Server } from 'modbus-serial';
import { createModbusMapper } from '../src/mapper-modbus/index.ts';
import { mapperErrors, readConfig } from '../src/mapper-sdk/index.ts';

const load = createRequire(import.meta.url);
const { ServerSerial } = load('modbus-serial') as { ServerSerial: typeof Server };
const driver = createModbusMapper({ load: async (name) => load(name) as unknown });
const deps = { clock: systemClock, random: createRandom() };

/** A device behind a line, with 100 addresses of each kind. */
async function place(t: TestContext) {
  const line = await startSerialLine(t);
  const holding = new Uint16Array(100);
  const at = (address: number): number => {
    if (address < 100) return address;
    throw Object.assign(new Error('no such address'), { modbusErrorCode: 2 });
  };
  const server = new ServerSerial(
    {
      getCoil: async (address: number) => at(address) % 2 === 1,
      getHoldingRegister: async (address: number) => holding[at(address)]!,
      setRegister: async (address: number, value: number) => void (holding[at(address)] = value),
    },
    { path: line.device, baudRate: 19_200, unitID: 7 } as ConstructorParameters<typeof Server>[1],
  );
  server.on('error', () => undefined).on('socketError', () => undefined);
  await once(server, 'initialized');
  t.after(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const protocolConfig = { communicateMode: 'RTU', serialPort: line.host, baudRate: '19200', slaveID: 7, timeout: 1 };
  return { line, holding, protocolConfig };
}

describe('Modbus over a serial line', { skip: !hasSocat && 'socat is not installed' }, () => {
  describeMapper('Modbus RTU', driver, deps, async (t) => {
    const { line, holding, protocolConfig } = await place(t);
    holding.set([215, 0xffff, 0xfffe]);
    return {
      protocolConfig,
      properties: {
        plain: { type: 'INT', visitor: { register: 'HoldingRegister', offset: 0 }, value: 215 },
        signed: { type: 'INT', visitor: { register: 'HoldingRegister', offset: 1, dataType: 'int32' }, value: -2 },
        coil: { type: 'BOOLEAN', visitor: { register: 'CoilRegister', offset: 3 }, value: true },
      },
      writable: 'plain',
      written: 300,
      missing: { register: 'HoldingRegister', offset: 500 },
      unusable: { register: 'SomeRegister', offset: 0 },
      set: async (_, value) => void (holding[0] = Number(value)),
      stop: line.unplug,
    };
  });

  test('a slave that is not on the line is silent, and the others answer after it', async (t) => {
    const { holding, protocolConfig } = await place(t);
    holding[0] = 42;
    const stop = new AbortController();
    t.after(() => stop.abort(new Error('the test is over')));
    const open = async (slaveID: number) => {
      const config = readConfig(driver.protocolConfig, { ...protocolConfig, slaveID, timeout: 0.2 }, 'protocol');
      const connection = await driver.open(config, { ...deps, log: silentLog, signal: stop.signal });
      t.after(() => connection.close());
      return connection;
    };
    const visitor = readConfig(driver.visitorConfig, { register: 'HoldingRegister', offset: 0 }, 'visitor');
    const point = { property: 'p', type: 'INT', access: 'ReadOnly', visitor } as const;
    const [silent, good] = await Promise.all(
      [await open(9), await open(7)].map((connection) => connection.read([point], stop.signal)),
    );
    assert.ok(silent![0] && 'error' in silent![0]);
    assert.ok(mapperErrors.FAULT.is(silent![0].error) && silent![0].error.details.reason === 'Timeout');
    assert.ok(good![0] && 'value' in good![0] && good![0].value === 42);
  });
});
