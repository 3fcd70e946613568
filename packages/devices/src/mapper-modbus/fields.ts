// Where a property is among the registers, and what the bytes there mean. Pure.
import type { PropertyType } from '@kedge/model/kubeedge';
import { mapperErrors, type Point, type RawValue, refused } from '../mapper-sdk/index.ts';
import type { byteOrders, dataTypes, ModbusVisitor } from './settings.ts';

export type Table = 'coil' | 'discrete' | 'holding' | 'input';
export type ByteOrder = (typeof byteOrders)[number];
type DataType = (typeof dataTypes)[number];
type Kind = Exclude<DataType, 'int'>;

export interface Field {
  readonly property: string;
  readonly table: Table;
  readonly address: number;
  /** Registers, or coils. */
  readonly count: number;
  readonly kind: Kind;
  readonly order: ByteOrder;
  readonly bit: number;
}

const tables = {
  CoilRegister: 'coil',
  DiscreteInputRegister: 'discrete',
  HoldingRegister: 'holding',
  InputRegister: 'input',
} as const satisfies Record<string, Table>;
const kindOf: Readonly<Partial<Record<PropertyType, DataType>>> = {
  INT: 'int',
  FLOAT: 'float',
  DOUBLE: 'double',
  BOOLEAN: 'boolean',
  STRING: 'string',
};
const widths: Readonly<Partial<Record<Kind, number>>> = {
  int16: 1,
  uint16: 1,
  int32: 2,
  uint32: 2,
  float: 2,
  int64: 4,
  uint64: 4,
  double: 4,
  bit: 1,
};
/** What KubeEdge's `int` is: without sign, as wide as `limit` says. */
const unsigned: Readonly<Record<number, Kind>> = { 1: 'uint16', 2: 'uint32', 4: 'uint64' };
const mostRegisters = 125;

export const holdsBits = (table: Table): boolean => table === 'coil' || table === 'discrete';

/** Throws MAPPER_BAD_CONFIG when the keys do not go together. */
export function fieldOf({
  property,
  type,
  visitor,
}: Pick<Point<ModbusVisitor>, 'property' | 'type' | 'visitor'>): Field {
  const where = `property "${property}": visitors.configData`;
  const bad = (problem: string): Error => mapperErrors.BAD_CONFIG({ where, problems: [problem] });
  const table = tables[visitor.register];
  const asked = visitor.dataType ?? kindOf[type] ?? 'bytes';
  const { offset: address, bit, limit } = visitor;
  const order = visitor.byteOrder ?? orderOf(visitor.isSwap, visitor.isRegisterSwap);
  let field: Field;
  if (holdsBits(table)) {
    const count = limit ?? 1;
    const kind = count === 1 ? 'boolean' : asked === 'bytes' || asked === 'string' ? 'bytes' : 'uint64';
    if (kind === 'uint64' && count > 64) throw bad(`limit is ${count}: a number holds 64 coils, use dataType bytes`);
    field = { property, table, address, count, kind, order: 'ABCD', bit: 0 };
  } else {
    const kind = registerKind(asked, limit);
    const count = limit ?? widths[kind] ?? 1;
    if (kind === undefined || (widths[kind] ?? count) !== count) {
      throw bad(`limit is ${count} and does not go with dataType ${asked}`);
    }
    if (count > mostRegisters) throw bad(`limit is ${count}, needs at most ${mostRegisters} registers`);
    field = { property, table, address, count, kind, order, bit };
  }
  if (address + field.count > 65_536) throw bad(`offset ${address} and limit ${field.count} end behind address 65535`);
  return field;
}

/**
 * Fewer registers than a float has are a whole number that `scale` makes one with a point: KubeEdge's own samples
 * have `dataType: float, limit: 1, scale: 0.1`.
 */
function registerKind(asked: DataType, limit: number | undefined): Kind {
  if (asked === 'int') return unsigned[limit ?? 1] ?? 'uint16';
  if (limit === 1 && (asked === 'float' || asked === 'double')) return 'uint16';
  if (limit === 2 && asked === 'double') return 'float';
  return asked;
}

/** KubeEdge's two switches: bytes within each register, and registers among each other. */
function orderOf(swapBytes: boolean, swapRegisters: boolean): ByteOrder {
  if (swapBytes) return swapRegisters ? 'DCBA' : 'BADC';
  return swapRegisters ? 'CDAB' : 'ABCD';
}

/** From the order of the device to the order of the network, and back: each order undoes itself. */
export function reorder(bytes: Uint8Array, order: ByteOrder): Uint8Array {
  const result = Uint8Array.from(bytes);
  if (order === 'DCBA' || order === 'CDAB') result.reverse();
  // What was reversed whole has its bytes swapped already.
  if (order === 'BADC' || order === 'CDAB') {
    for (let at = 0; at + 1 < result.length; at += 2) result.subarray(at, at + 2).reverse();
  }
  return result;
}

const exact = (value: bigint): RawValue =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** `bytes`: the registers of the field, high byte first, or its coils, eight in a byte, the first one lowest. */
export function decode(field: Field, raw: Uint8Array): RawValue {
  if (holdsBits(field.table)) {
    if (field.kind === 'boolean') return (raw[0]! & 1) === 1;
    if (field.kind === 'bytes') return Uint8Array.from(raw);
    return exact(raw.reduce((sum, byte, at) => sum | (BigInt(byte) << BigInt(8 * at)), 0n));
  }
  const bytes = reorder(raw, field.order);
  const view = viewOf(bytes);
  switch (field.kind) {
    case 'int16':
      return view.getInt16(0);
    case 'uint16':
      return view.getUint16(0);
    case 'int32':
      return view.getInt32(0);
    case 'uint32':
      return view.getUint32(0);
    case 'int64':
      return exact(view.getBigInt64(0));
    case 'uint64':
      return exact(view.getBigUint64(0));
    case 'float':
      return view.getFloat32(0);
    case 'double':
      return view.getFloat64(0);
    case 'boolean':
      return bytes.some((byte) => byte !== 0);
    case 'bit':
      return ((view.getUint16(0) >> field.bit) & 1) === 1;
    case 'string': {
      const end = bytes.indexOf(0);
      return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
    }
    case 'bytes':
      return bytes;
  }
}

/** Coils of a field that is written. */
export function encodeBits(field: Field, value: RawValue): boolean[] {
  if (field.kind === 'boolean') return [truthOf(field, value)];
  if (field.kind === 'bytes') {
    const bytes = bytesOf(field, value);
    if (bytes.length !== Math.ceil(field.count / 8)) {
      throw no(field, `${bytes.length} bytes are not what ${field.count} coils hold`);
    }
    return Array.from({ length: field.count }, (_, at) => ((bytes[at >> 3]! >> (at & 7)) & 1) === 1);
  }
  const whole = wholeOf(field, value, 0n, (1n << BigInt(field.count)) - 1n);
  return Array.from({ length: field.count }, (_, at) => ((whole >> BigInt(at)) & 1n) === 1n);
}

/** Registers of a field that is written, high byte first; of kind `bit` only what is to be set. */
export function encodeRegisters(field: Field, value: RawValue): Uint8Array {
  const bytes = new Uint8Array(field.count * 2);
  const view = viewOf(bytes);
  switch (field.kind) {
    case 'int16':
    case 'int32':
    case 'int64': {
      const half = 1n << BigInt(field.count * 16 - 1);
      putWhole(bytes, BigInt.asUintN(field.count * 16, wholeOf(field, value, -half, half - 1n)));
      break;
    }
    case 'uint16':
    case 'uint32':
    case 'uint64':
      putWhole(bytes, wholeOf(field, value, 0n, (1n << BigInt(field.count * 16)) - 1n));
      break;
    case 'float':
    case 'double': {
      const number = numberOf(field, value);
      if (field.kind === 'double') view.setFloat64(0, number);
      else if (Number.isFinite(Math.fround(number))) view.setFloat32(0, number);
      else throw no(field, `${number} does not fit 32 bits`);
      break;
    }
    case 'boolean':
      bytes[bytes.length - 1] = truthOf(field, value) ? 1 : 0;
      break;
    case 'bit':
      view.setUint16(0, truthOf(field, value) ? 1 << field.bit : 0);
      break;
    case 'string':
    case 'bytes': {
      const given = bytesOf(field, value);
      if (given.length > bytes.length)
        throw no(field, `${given.length} bytes are more than ${field.count} registers hold`);
      bytes.set(given);
      break;
    }
  }
  return reorder(bytes, field.order);
}

const no = ({ property }: Field, reason: string): Error => refused(`"${property}"`, reason);

function putWhole(bytes: Uint8Array, value: bigint): void {
  for (let at = bytes.length - 1, rest = value; at >= 0; at--, rest >>= 8n) bytes[at] = Number(rest & 0xffn);
}

function numberOf(field: Field, value: RawValue): number {
  const number = value instanceof Uint8Array || value === '' ? Number.NaN : Number(value);
  if (!Number.isFinite(number)) throw no(field, 'the value is no number');
  return number;
}

function wholeOf(field: Field, value: RawValue, low: bigint, high: bigint): bigint {
  const whole = typeof value === 'bigint' ? value : BigInt(Math.round(numberOf(field, value)));
  if (whole < low || whole > high) throw no(field, `${whole} is not within ${low} and ${high}`);
  return whole;
}

function truthOf(field: Field, value: RawValue): boolean {
  if (typeof value === 'boolean') return value;
  if (value === 'true' || value === 'false') return value === 'true';
  return numberOf(field, value) !== 0;
}

const bytesOf = (_: Field, value: RawValue): Uint8Array =>
  value instanceof Uint8Array ? value : new TextEncoder().encode(String(value));
