// Values of configurations as google.protobuf.Any. KubeEdge sends every number as a 32-bit float, which a mapper in Go
// expects; a number that does not survive that goes as a 64-bit integer or, towards our own mappers only, as a double.
import { type Any, BoolValue, DoubleValue, FloatValue, Int32Value, Int64Value, StringValue } from './dmi.generated.ts';

export type ConfigValue = string | number | boolean;

const prefix = 'type.googleapis.com/google.protobuf.';

/** Undefined for what DMI cannot carry: lists, groups of keys, null. */
export function toAny(value: unknown): Any | undefined {
  switch (typeof value) {
    case 'string':
      return { typeUrl: `${prefix}StringValue`, value: StringValue.encode({ value }).finish() };
    case 'boolean':
      return { typeUrl: `${prefix}BoolValue`, value: BoolValue.encode({ value }).finish() };
    case 'number':
      if (Number.isSafeInteger(value) && Math.fround(value) !== value) {
        return { typeUrl: `${prefix}Int64Value`, value: Int64Value.encode({ value: BigInt(value) }).finish() };
      }
      return { typeUrl: `${prefix}FloatValue`, value: FloatValue.encode({ value }).finish() };
    default:
      return undefined;
  }
}

/** Undefined for types that are none of a configuration's. */
export function fromAny({ typeUrl = '', value = new Uint8Array(0) }: Any): ConfigValue | undefined {
  switch (typeUrl.slice(typeUrl.lastIndexOf('.') + 1)) {
    case 'StringValue':
      return StringValue.decode(value).value ?? '';
    case 'BoolValue':
      return BoolValue.decode(value).value ?? false;
    case 'Int32Value':
      return Int32Value.decode(value).value ?? 0;
    case 'Int64Value':
      return Number(Int64Value.decode(value).value ?? 0n);
    case 'FloatValue':
      return shortest(FloatValue.decode(value).value ?? 0);
    case 'DoubleValue':
      return DoubleValue.decode(value).value ?? 0;
    default:
      return undefined;
  }
}

/** 0.1 comes back from 32 bits as 0.10000000149011612: the shortest decimal that means the same float is what was meant. */
function shortest(value: number): number {
  if (!Number.isFinite(value) || Number.isInteger(value)) return value;
  for (let digits = 1; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}
