// Neighbours share a request, as far as the protocol allows.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assert as check, array, constantFrom, integer, property as forAll, record } from 'fast-check';
import type { Field, Table } from './fields.ts';
import { cut, planReads } from './plan-reads.ts';

const field = (table: Table, address: number, count = 1): Field => ({
  property: `${table}-${address}-${count}`,
  table,
  address,
  count,
  kind: 'bytes',
  order: 'ABCD',
  bit: 0,
});

describe('planned reads', () => {
  const cases: [why: string, fields: Field[], reads: [Table, number, number][]][] = [
    ['nothing', [], []],
    ['neighbours', [field('holding', 1), field('holding', 0)], [['holding', 0, 2]]],
    ['a gap of 16', [field('holding', 0), field('holding', 17)], [['holding', 0, 18]]],
    [
      'a gap of 17',
      [field('holding', 0), field('holding', 18)],
      [
        ['holding', 0, 1],
        ['holding', 18, 1],
      ],
    ],
    ['one inside another', [field('input', 0, 4), field('input', 1)], [['input', 0, 4]]],
    [
      'tables apart',
      [field('input', 0), field('holding', 1)],
      [
        ['holding', 1, 1],
        ['input', 0, 1],
      ],
    ],
    ['125 registers', [field('holding', 0, 100), field('holding', 100, 25)], [['holding', 0, 125]]],
    [
      '126 registers',
      [field('holding', 0, 100), field('holding', 100, 26)],
      [
        ['holding', 0, 100],
        ['holding', 100, 26],
      ],
    ],
    ['2000 coils', [field('coil', 0, 1_990), field('coil', 1_990, 10)], [['coil', 0, 2_000]]],
    [
      '2001 coils',
      [field('coil', 0, 1_990), field('coil', 1_990, 11)],
      [
        ['coil', 0, 1_990],
        ['coil', 1_990, 11],
      ],
    ],
  ];
  for (const [why, fields, reads] of cases) {
    test(why, () => {
      assert.deepEqual(
        planReads(fields).map(({ table, address, count }) => [table, address, count]),
        reads,
      );
    });
  }

  test('who cannot be read with neighbours is read alone', () => {
    const fields = [field('holding', 0), field('holding', 1), field('holding', 2)];
    const plan = planReads(fields, new Set([fields[1]!.property]));
    assert.deepEqual(plan.map(({ address, count }) => [address, count]).sort(), [
      [0, 3],
      [1, 1],
    ]);
  });

  test('whatever is asked: each field once, whole, within the limits', () => {
    const any = record({
      table: constantFrom<Table>('coil', 'discrete', 'holding', 'input'),
      address: integer({ min: 0, max: 600 }),
      count: integer({ min: 1, max: 125 }),
    });
    check(
      forAll(array(any, { maxLength: 40 }), (places) => {
        const fields = places.map(({ table, address, count }) => field(table, address, count));
        const plan = planReads(fields);
        assert.equal(plan.flatMap((read) => read.fields).length, fields.length);
        for (const read of plan) {
          assert.ok(read.count <= (read.table === 'coil' || read.table === 'discrete' ? 2_000 : 125));
          for (const one of read.fields) {
            assert.equal(one.table, read.table);
            assert.ok(one.address >= read.address && one.address + one.count <= read.address + read.count);
          }
        }
      }),
    );
  });

  test('each field gets its part of the answer', () => {
    const [first, last] = [field('holding', 10), field('holding', 12, 2)];
    const [read] = planReads([first, last]);
    assert.deepEqual(cut(read!, last, Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7)), Uint8Array.of(4, 5, 6, 7));
    const coils = [field('coil', 0), field('coil', 7, 3)];
    const [bits] = planReads(coils);
    assert.deepEqual(cut(bits!, coils[1]!, Uint8Array.of(0b1000_0000, 0b10)), Uint8Array.of(0b101));
  });
});
