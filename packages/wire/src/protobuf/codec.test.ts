import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assert as check, property, uint8Array } from 'fast-check';
import { codecsOf } from './codec.ts';

interface Lamp {
  name?: string;
  watts?: number;
  since?: bigint;
  on?: boolean;
  lux?: number;
  raw?: Uint8Array;
  levels?: number[];
  tags?: string[];
  labels?: Record<string, string>;
  parent?: Lamp;
  others?: Lamp[];
  rooms?: Record<string, Lamp>;
}

const codec = codecsOf({
  Lamp: [
    '1:name:string 2:watts:int32 3:since:int64 4:on:bool 5:lux:double 6:raw:bytes 7:levels:*int32 8:tags:*string',
    '9:labels:%string 10:parent:Lamp 11:others:*Lamp 12:rooms:%Lamp',
  ].join(' '),
  Nothing: '',
});
const lamp = codec<Lamp>('Lamp');
const bytesOf = (message: Lamp): string => Buffer.from(lamp.encode(message).finish()).toString('hex');
const read = (hex: string): Lamp => lamp.decode(Uint8Array.from(Buffer.from(hex, 'hex')));

const zero: Lamp = {
  name: '',
  watts: 0,
  since: 0n,
  on: false,
  lux: 0,
  raw: new Uint8Array(0),
  levels: [],
  tags: [],
  labels: {},
  parent: undefined!,
  others: [],
  rooms: {},
};

describe('protobuf by table', () => {
  test('writes what the encoding document says', () => {
    assert.equal(bytesOf({ name: 'testing' }), '0a0774657374696e67');
    assert.equal(bytesOf({ watts: 150 }), '109601');
    assert.equal(bytesOf({ watts: -1 }), '10ffffffffffffffffff01');
    assert.equal(bytesOf({ levels: [3, 270, 86_942] }), '3a06038e029ea705');
    assert.equal(bytesOf({ labels: { a: 'b', c: '' } }), '4a060a01611201624a030a0163');
    assert.equal(bytesOf({ parent: { watts: 150 } }), '5203109601');
    assert.equal(bytesOf({ parent: {}, others: [{}] }), '52005a00');
  });

  test('zero values are not written, and what is absent is read as zero', () => {
    assert.equal(bytesOf({ ...zero }), '');
    assert.deepEqual(read(''), zero);
    assert.deepEqual(codec('Nothing').decode(new Uint8Array(0)), {});
  });

  test('what is written is read', () => {
    const whole: Lamp = {
      ...zero,
      name: 'hall é',
      watts: -40,
      since: -(2n ** 63n),
      on: true,
      lux: 0.25,
      raw: new Uint8Array([0, 255]),
      levels: [0, 1],
      tags: ['', 'x'],
      labels: { '': 'empty', a: '' },
      parent: { ...zero, parent: { ...zero, name: 'cellar' } },
      others: [zero, { ...zero, on: true }],
      rooms: { k: { ...zero, watts: 1 } },
    };
    assert.deepEqual(lamp.decode(lamp.encode(whole).finish()), whole);
  });

  test('unknown fields and fields of another wire type are stepped over; lists may be packed or not', () => {
    assert.deepEqual(read('f801019a010178109601'), { ...zero, watts: 150 });
    assert.deepEqual(read('08011201611001'), { ...zero, watts: 1 });
    assert.deepEqual(read('380338fa013a020102'), { ...zero, levels: [3, 250, 1, 2] });
  });

  test('of a field that was sent twice the last counts', () => {
    assert.deepEqual(read('10011002'), { ...zero, watts: 2 });
  });

  test('no key of a map reaches the prototype', () => {
    const { labels } = read('4a0e0a095f5f70726f746f5f5f120178');
    assert.deepEqual(Object.keys(labels!), ['__proto__']);
    assert.equal(Object.getPrototypeOf(labels), Object.prototype);
  });

  test('numbers that do not fit are refused', () => {
    assert.throws(() => bytesOf({ since: 2n ** 63n }), RangeError);
    assert.throws(() => bytesOf({ watts: 2 ** 31 }), /int32/);
  });

  test('depth is bounded', () => {
    const nested = (depth: number): Uint8Array => {
      let message: Lamp = { on: true };
      for (let i = 0; i < depth; i++) message = { parent: message };
      return lamp.encode(message).finish();
    };
    assert.equal(lamp.decode(nested(50)).name, '');
    assert.throws(() => lamp.decode(nested(51)), RangeError);
  });

  test('any bytes are a message or an error', () => {
    check(
      property(uint8Array({ maxLength: 80 }), (bytes) => {
        try {
          assert.equal(typeof lamp.decode(bytes).name, 'string');
        } catch (error) {
          assert.ok(error instanceof Error && error.name !== 'AssertionError', String(error));
        }
      }),
    );
  });
});
