// Values of OPC UA to those of the SDK and back, with the type that the node really has. Pure.
import { DataType, Variant, VariantArrayType } from 'node-opcua-client';
import type { PropertyType } from '@kedge/model/kubeedge';
import { fault, type RawValue, refused } from '../mapper-sdk/index.ts';

/** Nothing in it is a fault of its own: `NoValue`. Lists and structures become JSON. */
export function toRaw({ dataType, arrayType, value }: Pick<Variant, 'dataType' | 'arrayType' | 'value'>): RawValue {
  if (value === null || value === undefined || dataType === DataType.Null) {
    throw fault('NoValue', 'the node has no value');
  }
  if (arrayType === VariantArrayType.Scalar) return scalar(dataType, value);
  return JSON.stringify(
    Array.from(value as Iterable<unknown>, (one) => {
      if (one === null || one === undefined) return null;
      const raw = scalar(dataType, one);
      if (raw instanceof Uint8Array) return Buffer.from(raw).toString('base64');
      return dataType === DataType.ExtensionObject ? (JSON.parse(String(raw)) as unknown) : raw;
    }),
    (_, one: unknown) => (typeof one === 'bigint' ? String(one) : one),
  );
}

function scalar(dataType: DataType, value: unknown): RawValue {
  switch (dataType) {
    case DataType.Int64:
    case DataType.UInt64: {
      // The library has them in two halves, the higher one first.
      const [high = 0, low = 0] = value as readonly number[];
      const all = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
      const exact = dataType === DataType.Int64 ? BigInt.asIntN(64, all) : all;
      return exact >= -(2n ** 53n) && exact <= 2n ** 53n ? Number(exact) : exact;
    }
    case DataType.ByteString:
      return new Uint8Array(value as Uint8Array);
    case DataType.DateTime:
      return (value as Date).toISOString();
    case DataType.LocalizedText:
      return (value as { text?: string | null }).text ?? '';
    case DataType.StatusCode:
      return (value as { name: string }).name;
    case DataType.ExtensionObject:
      return JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? String(one) : one));
    default:
      if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string') return value;
      return (value as { toString(): string }).toString();
  }
}

const whole: Readonly<Partial<Record<DataType, readonly [bigint, bigint]>>> = {
  [DataType.SByte]: [-128n, 127n],
  [DataType.Byte]: [0n, 255n],
  [DataType.Int16]: [-(2n ** 15n), 2n ** 15n - 1n],
  [DataType.UInt16]: [0n, 2n ** 16n - 1n],
  [DataType.Int32]: [-(2n ** 31n), 2n ** 31n - 1n],
  [DataType.UInt32]: [0n, 2n ** 32n - 1n],
  [DataType.Int64]: [-(2n ** 63n), 2n ** 63n - 1n],
  [DataType.UInt64]: [0n, 2n ** 64n - 1n],
};

export interface NodeType {
  readonly dataType: DataType;
  readonly isList: boolean;
}

/** Throws MAPPER_REFUSED when the value does not fit the node. */
export function toVariant(property: string, raw: RawValue, { dataType, isList }: NodeType): Variant {
  if (!isList)
    return new Variant({ dataType, arrayType: VariantArrayType.Scalar, value: encode(property, raw, dataType) });
  let list: unknown;
  try {
    list = JSON.parse(String(raw));
  } catch {
    list = undefined;
  }
  if (!Array.isArray(list)) throw no(property, `the node is a list of ${DataType[dataType]}, and takes a JSON list`);
  const value = list.map((one: unknown) => {
    if (typeof one !== 'number' && typeof one !== 'boolean' && typeof one !== 'string') {
      throw no(property, `${JSON.stringify(one)} in the list is no plain value`);
    }
    return encode(property, one, dataType);
  });
  return new Variant({ dataType, arrayType: VariantArrayType.Array, value });
}

const no = (property: string, why: string): Error => refused(`"${property}"`, why);
const shown = (raw: RawValue): string => (raw instanceof Uint8Array ? `${raw.length} bytes` : String(raw).slice(0, 40));

function encode(property: string, raw: RawValue, dataType: DataType): unknown {
  const misfit = (why = 'it does not fit'): Error =>
    no(property, `${shown(raw)} for a node of type ${DataType[dataType] ?? dataType}: ${why}`);
  const range = whole[dataType];
  if (range) {
    let value: bigint;
    try {
      value = BigInt(raw instanceof Uint8Array ? Number.NaN : typeof raw === 'string' ? raw.trim() : raw);
    } catch {
      throw misfit('it is no whole number');
    }
    if (raw === '' || value < range[0] || value > range[1]) throw misfit();
    if (dataType !== DataType.Int64 && dataType !== DataType.UInt64) return Number(value);
    return [Number(BigInt.asUintN(32, value >> 32n)), Number(BigInt.asUintN(32, value))];
  }
  switch (dataType) {
    case DataType.Boolean:
      if (raw === true || raw === 1 || raw === 'true' || raw === '1') return true;
      if (raw === false || raw === 0 || raw === 'false' || raw === '0') return false;
      throw misfit('true or false');
    case DataType.Float:
    case DataType.Double: {
      const value = raw instanceof Uint8Array || raw === '' ? Number.NaN : Number(raw);
      if (!Number.isFinite(value) || (dataType === DataType.Float && Math.abs(value) > 3.402_823_5e38)) throw misfit();
      return value;
    }
    case DataType.String:
    case DataType.XmlElement:
      return raw instanceof Uint8Array ? Buffer.from(raw).toString('utf8') : String(raw);
    case DataType.LocalizedText:
      return { text: String(raw) };
    case DataType.ByteString:
      return raw instanceof Uint8Array ? Buffer.from(raw) : Buffer.from(String(raw), 'utf8');
    case DataType.DateTime: {
      const value = new Date(typeof raw === 'bigint' ? Number(raw) : typeof raw === 'number' ? raw : String(raw));
      if (Number.isNaN(value.getTime()))
        throw misfit('a time is written as 2026-11-27T06:00:00Z, or in Unix milliseconds');
      return value;
    }
    default:
      throw misfit('values of this type cannot be written');
  }
}

/** What a property of such a node is in a DeviceModel. */
export function propertyType({ dataType, isList }: NodeType): PropertyType {
  if (isList) return 'STRING';
  if (whole[dataType]) return 'INT';
  switch (dataType) {
    case DataType.Boolean:
      return 'BOOLEAN';
    case DataType.Float:
      return 'FLOAT';
    case DataType.Double:
      return 'DOUBLE';
    case DataType.ByteString:
      return 'BYTES';
    default:
      return 'STRING';
  }
}
