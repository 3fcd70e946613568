// The simulated thermostat, as the Modbus mapper reads and sets it.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { openScope } from '@kedge/core/flow';
import { silentLog } from '@kedge/core/log';
import { seconds } from '@kedge/core/time';
import { createRandom, systemClock } from '@kedge/platform/node';
import { freePort } from '@kedge/testing/free-port';
import { createModbusMapper } from '../src/mapper-modbus/index.ts';
import { mapperErrors, readConfig } from '../src/mapper-sdk/index.ts';
import { createThermostat } from '../src/simulated/index.ts';

const require = createRequire(import.meta.url);
const load = async (name: string): Promise<unknown> => require(name) as unknown;

test('the thermostat has its registers, takes what is sensible, and refuses the rest', async () => {
  const port = await freePort();
  const scope = openScope({ clock: systemClock, name: 'thermostat' });
  await createThermostat({ clock: systemClock, log: silentLog, load }, { address: '127.0.0.1', port }).start(scope);
  const driver = createModbusMapper({ load });
  const context = { clock: systemClock, log: silentLog, random: createRandom(), signal: scope.signal };
  const config = readConfig(driver.protocolConfig, { ip: '127.0.0.1', port }, 'protocol');
  const connection = await driver.open(config, context);
  const point = (property: string, visitor: Record<string, unknown>) => ({
    property,
    type: 'INT' as const,
    access: 'ReadWrite' as const,
    visitor: readConfig(driver.visitorConfig, { dataType: 'int16', ...visitor }, property),
  });
  const target = point('target', { register: 'HoldingRegister', offset: 0 });
  const enabled = point('enabled', { register: 'CoilRegister', offset: 0, dataType: 'boolean' });
  const heating = point('heating', { register: 'DiscreteInputRegister', offset: 0, dataType: 'boolean' });
  const temperature = point('temperature', { register: 'InputRegister', offset: 0 });
  const read = async () => {
    const readings = await connection.read([target, enabled, heating, temperature], scope.signal);
    return Object.fromEntries(readings.map((one) => [one.property, 'value' in one ? one.value : one.error]));
  };
  try {
    const first = await read();
    assert.deepEqual([first['target'], first['enabled'], first['heating']], [210, true, true]);
    assert.ok(Number(first['temperature']) >= 180 && Number(first['temperature']) < 210);
    await connection.write!(target, 125, scope.signal);
    await connection.write!(enabled, false, scope.signal);
    const second = await read();
    assert.deepEqual([second['target'], second['enabled'], second['heating']], [125, false, false]);
    await assert.rejects(
      connection.write!(target, 990, scope.signal),
      (error: Error) => mapperErrors.REFUSED.is(error) && /illegal data value/.test(error.message),
    );
    const nowhere = point('nowhere', { register: 'HoldingRegister', offset: 7 });
    const [missing] = await connection.read([nowhere], scope.signal);
    assert.ok('error' in missing! && /illegal data address/.test(missing.error.message));
  } finally {
    await connection.close();
    assert.deepEqual(await scope.close(seconds(5)), []);
  }
});
