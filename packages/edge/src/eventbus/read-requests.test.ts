import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { Twin } from '@kedge/model/messages';
import { maxRequestBytes, planReports, readQuestion, readState, readTwinUpdate, type Wanted } from './read-requests.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const update = (twin: unknown) => readTwinUpdate(bytes(JSON.stringify({ event_id: 'e', timestamp: 0, twin })));
const wanted = (twin: unknown): ReadonlyMap<string, Wanted> => {
  const read = update(twin);
  assert.ok(read.ok);
  return read.value;
};

describe('an update of twins', () => {
  test('is read', () => {
    const read = update({
      a: {
        expected: { value: '1', metadata: { timestamp: 5 } },
        actual: {},
        optional: false,
        metadata: { type: 'int' },
      },
      b: null,
      'c-_.,:/@#9': { expected: null, unheard: true },
    });
    assert.deepEqual(read, {
      ok: true,
      event: 'e',
      value: new Map<string, Wanted>([
        ['a', { expected: '1', optional: false, type: 'int' }],
        ['b', null],
        ['c-_.,:/@#9', {}],
      ]),
    });
  });

  test('that is too long is not looked at', () => {
    assert.equal(readTwinUpdate(bytes(`{"twin":{}${' '.repeat(maxRequestBytes)}}`)).ok, false);
  });

  test('in any bytes, or of any shape, gets an answer', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (payload) => {
        for (const read of [readTwinUpdate, readQuestion]) assert.equal(typeof read(payload).ok, 'boolean');
        readState(payload);
      }),
    );
    const twin = fc.dictionary(fc.string(), fc.oneof(fc.jsonValue(), fc.record({ expected: fc.jsonValue() })));
    fc.assert(
      fc.property(twin, (value) => {
        const read = update(value);
        if (read.ok) planReports(read.value, {});
        else assert.equal(read.event, 'e');
      }),
    );
  });
});

describe('a value has to fit the type of its twin', () => {
  const table: [string, string[], string[]][] = [
    ['string', ['', 'anything: {"at": "all"}'], []],
    ['int', ['0', '-5', '9223372036854775807'], ['5.0', 'five', '9223372036854775808', '1e3', ' 1']],
    ['integer', ['+7'], ['']],
    ['float', ['1', '-1.5', '.5', '1e-3', 'NaN'], ['1,5', 'warm', '1.5.2']],
    ['boolean', ['true', 'false'], ['True', '1']],
    ['double', [], ['1']],
  ];
  for (const [type, right, wrong] of table) {
    const plan = (value: string) => planReports(wanted({ a: { actual: { value }, metadata: { type } } }), {});
    for (const value of right) test(`"${value}" is ${type}`, () => assert.notEqual(typeof plan(value), 'string'));
    // An empty value is none.
    for (const value of wrong.filter((text) => text !== '')) {
      test(`"${value}" is not ${type}`, () => assert.match(String(plan(value)), /^twin a: the /));
    }
  }

  test('the one that is stored, whatever a client says now', () => {
    const stored: Record<string, Twin> = { a: { metadata: { type: 'int' } } };
    const say = planReports(wanted({ a: { actual: { value: 'x' }, metadata: { type: 'string' } } }), stored);
    assert.equal(say, 'twin a: the value is not int');
  });
});

test('names of things that every object has are names like others', () => {
  const twin = JSON.parse('{"constructor":{"actual":{"value":"1"}},"__proto__":{"actual":{"value":"2"}}}') as unknown;
  const reports = planReports(wanted(twin), {});
  assert.deepEqual(
    Array.isArray(reports) && reports.map(({ property, reported, type }) => [property, reported, type]),
    [
      ['constructor', '1', 'string'],
      ['__proto__', '2', 'string'],
    ],
  );
});

test('a device has so many twins and no more', () => {
  const many = Object.fromEntries(Array.from({ length: 1_001 }, (_, n) => [`p${n}`, {}]));
  assert.equal(planReports(wanted(many), {}), 'A device has at most 1000 twins');
  assert.equal(planReports(wanted({ p0: {} }), many)?.length, 1);
});
