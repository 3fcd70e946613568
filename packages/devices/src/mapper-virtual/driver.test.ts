// Values from nowhere: as KubeEdge's virtual device has them, and the same each time where that is asked for.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { silentLog } from '@kedge/core/log';
import { seconds } from '@kedge/core/time';
import { FakeClock } from '@kedge/core/testing';
import type { PropertyType } from '@kedge/model/kubeedge';
import { mapperErrors, type RawValue, readConfig } from '../mapper-sdk/index.ts';
import { virtualMapper } from './index.ts';

async function device(chance = 0.999) {
  const clock = new FakeClock({ settle: async () => undefined });
  const { signal } = new AbortController();
  const random = { next: () => chance, uuid: () => '' };
  const config = readConfig(
    virtualMapper.protocolConfig,
    { deviceID: 1, serialPort: '/dev/ttyS0', baudRate: '9600' },
    '',
  );
  const connection = await virtualMapper.open(config, { clock, random, log: silentLog, signal });
  const property = (type: PropertyType, visitor: Record<string, unknown>) => {
    const point = {
      property: `${type} ${JSON.stringify(visitor)}`,
      type,
      access: 'ReadWrite' as const,
      visitor: readConfig(virtualMapper.visitorConfig, visitor, ''),
    };
    return {
      async read(): Promise<RawValue> {
        const [reading] = await connection.read([point], signal);
        assert.ok(reading && 'value' in reading);
        return reading.value;
      },
      write: (value: RawValue) => connection.write!(point, value, signal),
    };
  };
  return { clock, property };
}

describe('the virtual mapper', () => {
  test('an int is random below what is desired', async () => {
    const random = (await device()).property('INT', { dataType: 'int' });
    assert.equal(await random.read(), 99);
    await random.write(30);
    assert.equal(await random.read(), 29);
    await assert.rejects(random.write('warm'), mapperErrors.REFUSED.is);
  });

  test('a seed decides on all numbers', async () => {
    const take = async (seed: number) => {
      const random = (await device()).property('DOUBLE', { seed });
      return [await random.read(), await random.read(), await random.read()].map(Number);
    };
    const numbers = await take(7);
    assert.deepEqual(await take(7), numbers);
    assert.notDeepEqual(await take(8), numbers);
    assert.ok(new Set(numbers).size === 3 && numbers.every((number) => number >= 0 && number < 100));
  });

  test('a counter counts, and goes on from what is written', async () => {
    const counter = (await device()).property('INT', { generator: 'counter', start: 5, step: 2 });
    assert.deepEqual([await counter.read(), await counter.read()], [5, 7]);
    await counter.write(100);
    assert.deepEqual([await counter.read(), await counter.read()], [100, 102]);
  });

  test('a sine follows the clock and takes nothing', async () => {
    const { clock, property } = await device();
    const sine = property('FLOAT', { generator: 'sine', mean: 20, amplitude: 5, period: 4 });
    const course: number[] = [];
    for (let n = 0; n < 4; n++) {
      course.push(Number(await sine.read()));
      await clock.advance(seconds(1));
    }
    assert.deepEqual(
      course.map((value) => Math.round(value * 1e6) / 1e6).sort((a, b) => a - b),
      [15, 20, 20, 25],
    );
    await assert.rejects(sine.write(1), mapperErrors.REFUSED.is);
  });

  test('everything else keeps what is written', async () => {
    const { property } = await device();
    const word = property('STRING', { initial: 'off' });
    const light = property('BOOLEAN', {});
    assert.deepEqual([await word.read(), await light.read()], ['off', false]);
    await word.write('on');
    await light.write(true);
    assert.deepEqual([await word.read(), await light.read()], ['on', true]);
  });
});
