// Where a property is and what its bytes mean: the keys of KubeEdge's samples, every type in every order, there and back.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PropertyType } from '@kedge/model/kubeedge';
import { mapperErrors, type RawValue, readConfig } from '../mapper-sdk/index.ts';
import { byteOrders, visitorConfig } from './settings.ts';
import { decode, encodeBits, encodeRegisters, fieldOf, reorder } from './fields.ts';

const field = (visitor: Record<string, unknown>, type: PropertyType = 'INT') =>
  fieldOf({
    property: 'p',
    type,
    visitor: readConfig(visitorConfig, { register: 'HoldingRegister', offset: 0, ...visitor }, 'p'),
  });
const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));

describe('a field of a Modbus device', () => {
  const cases: [visitor: Record<string, unknown>, type: PropertyType, kind: string, count: number, order?: string][] = [
    [{ dataType: 'float', limit: 1, scale: 0.1, isSwap: false, isRegisterSwap: false }, 'FLOAT', 'uint16', 1],
    [{ dataType: 'float', limit: 2 }, 'FLOAT', 'float', 2],
    [{ dataType: 'double', limit: 2 }, 'DOUBLE', 'float', 2],
    [{ dataType: 'Int', limit: '2' }, 'INT', 'uint32', 2],
    [{ dataType: 'int', limit: 4 }, 'INT', 'uint64', 4],
    [{}, 'INT', 'uint16', 1],
    [{}, 'DOUBLE', 'double', 4],
    [{ limit: 8 }, 'STRING', 'string', 8],
    [{ register: 'coilregister' }, 'BOOLEAN', 'boolean', 1],
    [{ register: 'DiscreteInputRegister', limit: 12 }, 'INT', 'uint64', 12],
    [{ dataType: 'int32', isSwap: true }, 'INT', 'int32', 2, 'BADC'],
    [{ dataType: 'int32', isRegisterSwap: 'true' }, 'INT', 'int32', 2, 'CDAB'],
    [{ dataType: 'int32', isSwap: true, isRegisterSwap: true }, 'INT', 'int32', 2, 'DCBA'],
    [{ dataType: 'int32', isSwap: true, byteOrder: 'CDAB' }, 'INT', 'int32', 2, 'CDAB'],
  ];
  for (const [visitor, type, kind, count, order = 'ABCD'] of cases) {
    test(`${JSON.stringify(visitor)} of ${type} is ${kind} in ${count}, ${order}`, () => {
      const found = field(visitor, type);
      assert.deepEqual([found.kind, found.count, found.order], [kind, count, order]);
    });
  }

  const unusable: [visitor: Record<string, unknown>, says: RegExp][] = [
    [{ dataType: 'int32', limit: 1 }, /limit is 1 and does not go with dataType int32/],
    [{ dataType: 'bytes', limit: 126 }, /at most 125/],
    [{ dataType: 'int32', offset: 65_535 }, /end behind address 65535/],
    [{ register: 'CoilRegister', limit: 65 }, /64 coils/],
    [{ register: 'Register' }, /register/],
    [{ offset: 70_000 }, /offset/],
  ];
  for (const [visitor, says] of unusable) {
    test(`${JSON.stringify(visitor)} cannot be used`, () => {
      assert.throws(
        () => field(visitor),
        (error: unknown) => mapperErrors.BAD_CONFIG.is(error) && says.test(error.message),
      );
    });
  }
});

describe('bytes of a Modbus device', () => {
  test('each order is its own reverse', () => {
    const orders = { ABCD: '01020304', DCBA: '04030201', BADC: '02010403', CDAB: '03040102' };
    for (const order of byteOrders) {
      assert.equal(Buffer.from(reorder(bytes('01020304'), order)).toString('hex'), orders[order]);
      assert.deepEqual(reorder(reorder(bytes('0102030405060708'), order), order), bytes('0102030405060708'));
    }
  });

  const cases: [dataType: string, hex: string, value: RawValue, more?: Record<string, unknown>][] = [
    ['int16', 'fffe', -2],
    ['uint16', 'fffe', 65_534],
    ['int', 'fffe', 65_534],
    ['int32', 'fffffffe', -2],
    ['uint32', 'fffffffe', 4_294_967_294],
    ['int64', 'fffffffffffffffe', -2],
    ['uint64', 'fffffffffffffffe', 18_446_744_073_709_551_614n],
    ['float', '41ac0000', 21.5],
    ['double', '4035800000000000', 21.5],
    ['string', '6b65646765000000', 'kedge', { limit: 4 }],
    ['bytes', '00ff0102', Uint8Array.of(0, 255, 1, 2), { limit: 2 }],
    ['boolean', '0001', true],
    ['boolean', '0000', false],
  ];
  for (const [dataType, hex, value, more] of cases) {
    for (const byteOrder of byteOrders) {
      test(`${dataType} ${hex} in ${byteOrder}, there and back`, () => {
        const place = field({ dataType, byteOrder, ...more });
        const raw = reorder(bytes(hex), byteOrder);
        assert.deepEqual(decode(place, raw), value);
        assert.deepEqual(encodeRegisters(place, value), raw);
      });
    }
  }

  test('bits of registers and rows of coils', () => {
    assert.equal(decode(field({ dataType: 'bit', bit: 9 }), bytes('0200')), true);
    assert.equal(decode(field({ dataType: 'bit', bit: 1 }), bytes('0200')), false);
    const coils = field({ register: 'CoilRegister', limit: 10 });
    assert.equal(decode(coils, Uint8Array.of(0b0000_0101, 0b10)), 517);
    assert.deepEqual(encodeBits(coils, 517), [true, false, true, ...Array<boolean>(6).fill(false), true]);
  });

  const refusals: [dataType: string, value: RawValue][] = [
    ['uint16', 65_536],
    ['uint16', -1],
    ['int16', 32_768],
    ['int64', 2n ** 63n],
    ['float', 1e39],
    ['int32', 'warm'],
    ['string', 'three'],
    ['bit', Uint8Array.of(1)],
  ];
  for (const [dataType, value] of refusals) {
    test(`${String(value)} is refused as ${dataType}`, () => {
      const place = field({ dataType, ...(dataType === 'string' ? { limit: 2 } : {}) });
      assert.throws(() => encodeRegisters(place, value), mapperErrors.REFUSED.is);
    });
  }
});
