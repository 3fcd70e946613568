import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Twin } from '@kedge/model/messages';
import * as fc from 'fast-check';
import { DeviceRecord, isStale } from './device-record.ts';

const properties = new Set(['p']);
const spec = [{ name: 'p' }];
const twin = (value: string, edge: number, at: number): Twin => ({
  actual: { value, metadata: { timestamp: at } },
  metadata: { type: 'string' },
  actual_version: { cloud: 0, edge },
});
const valueOf = (record: DeviceRecord): string | undefined => record.twins(spec)[0]?.reported?.value;

test('whatever the order and number of times reports come in, the newest value stays', () => {
  const reports = fc.array(fc.record({ wait: fc.integer({ min: 0, max: 5 }), value: fc.string() }), { minLength: 1 });
  fc.assert(
    fc.property(reports, fc.infiniteStream(fc.nat()), (made, order) => {
      let at = 1_000;
      const sent = made.map(({ wait, value }, i) => twin(`${i}:${value}`, i + 1, (at += wait)));
      const record = new DeviceRecord('u', 'n', 0, true);
      for (let i = 0; i < sent.length * 2; i++) {
        record.merge({ p: sent[order.next().value! % sent.length]! }, properties, 1);
      }
      record.merge({ p: sent.at(-1)! }, properties, 1);
      record.merge({ p: sent[order.next().value! % sent.length]! }, properties, 1);
      assert.equal(valueOf(record), sent.at(-1)!.actual!.value);
    }),
  );
});

// What was said, what is known, whether it may be a repetition, and whether it is old.
const verdicts: readonly [
  string,
  [at?: number, version?: number],
  [at?: number, version?: number],
  boolean,
  boolean,
][] = [
  ['a later count', [5, 2], [5, 1], true, false],
  ['a later count of a clock that was set back', [1, 9], [5, 8], true, false],
  ['an earlier count', [4, 1], [5, 2], true, true],
  ['an earlier count of the same moment', [5, 1], [5, 2], true, true],
  ['a lower count later, shortly after a connect', [9, 1], [5, 7], true, true],
  ['a count that began anew', [9, 1], [5, 7], false, false],
  ['a count that began anew with a clock behind', [1, 1], [5, 7], false, false],
  ['an earlier time without counts', [4], [5], true, true],
  ['an earlier time when nothing is repeated any more', [4], [5], false, false],
  ['no time at all', [], [5], true, false],
];
for (const [what, [at, version], [knownAt, knownVersion], mayRepeat, expected] of verdicts) {
  test(`${what} is ${expected ? 'old' : 'new'}`, () => {
    assert.equal(isStale({ at, version }, { at: knownAt, version: knownVersion }, mayRepeat), expected);
  });
}

test('a value that stays the same is no reason to write, its time is one for later', () => {
  const record = new DeviceRecord('u', 'n', 0, true);
  assert.equal(record.merge({ p: twin('1', 1, 1) }, properties, 1), 'value');
  assert.equal(record.merge({ p: twin('1', 2, 2) }, properties, 1), 'time');
  assert.equal(record.merge({ p: twin('1', 2, 2) }, properties, 1), 'nothing');
  assert.equal(record.revision, 1);
  assert.ok(record.isDirty);
});

test('a twin that was deleted at the edge goes', () => {
  const record = new DeviceRecord('u', 'n', 0, true);
  record.merge({ p: twin('1', 1, 1) }, properties, 1);
  assert.equal(record.merge({ p: null }, properties, 1), 'value');
  assert.equal(valueOf(record), undefined);
});

test('what the API has is taken where it is newer, and the conditions of the edge stay its own', () => {
  const record = new DeviceRecord('u', 'n', 0, true);
  record.merge({ p: twin('mine', 1, 50) }, properties, 1);
  const stored = (value: string, timestamp: string) => ({
    twins: [{ propertyName: 'p', reported: { value, metadata: { timestamp } } }],
  });
  record.learn(stored('older', '40'), []);
  assert.equal(valueOf(record), 'mine');
  const time = { lastTransitionTime: '2026-01-01T00:00:00Z' };
  record.learn(stored('newer', '60'), [
    { type: 'Valid', status: 'True', ...time },
    { type: 'Communicating', status: 'False', reason: 'Timeout', message: 'm', ...time },
  ]);
  assert.equal(valueOf(record), 'newer');
  assert.deepEqual(
    record.edgeConditions.map(({ type, reason }) => [type, reason]),
    [['Communicating', 'Timeout']],
  );
});
