// Values between the device's form and the text that twins hold: scale and offset, data type, range. Pure.
import type { RawValue } from './driver.ts';
import type { PropertySettings } from './device-settings.ts';
import { mapperErrors } from './sdk-errors.ts';

type Shape = Pick<PropertySettings, 'name' | 'type' | 'minimum' | 'maximum' | 'conversion'>;

const bad = (property: string, fault: string, reason: string): Error =>
  mapperErrors.BAD_VALUE({ property, fault, reason });

/** Throws MAPPER_BAD_VALUE when the value cannot be of the property's type. Bytes become base64. */
export function toText(raw: RawValue, property: Shape): string {
  const text = toAnyText(raw, property);
  // In UTF-8 a letter has at most three bytes for each of its units here.
  if (text.length * 3 > longestText && new TextEncoder().encode(text).length > longestText) {
    throw bad(property.name, 'TooLong', `a value of more than ${longestText} bytes; twins hold no more`);
  }
  return text;
}

/** What a twin holds at most. */
const longestText = 4_096;

function toAnyText(raw: RawValue, property: Shape): string {
  switch (property.type) {
    case 'INT':
      return intText(raw, property);
    case 'FLOAT':
    case 'DOUBLE':
      return formatNumber(scaled(numberOf(raw, property), property), property.type === 'FLOAT');
    case 'BOOLEAN':
      return String(booleanOf(raw, property));
    case 'BYTES':
      return raw instanceof Uint8Array ? toBase64(raw) : toBase64(new TextEncoder().encode(plainText(raw)));
    default:
      return raw instanceof Uint8Array ? new TextDecoder().decode(raw) : plainText(raw);
  }
}

/** What the model's minimum and maximum have against a reported value; it is reported all the same. */
export function rangeFault(text: string, property: Shape): Error | undefined {
  const { name, minimum, maximum, type } = property;
  if (type !== 'INT' && type !== 'FLOAT' && type !== 'DOUBLE') return undefined;
  const value = Number(text);
  if (minimum !== undefined && value < minimum)
    return bad(name, 'OutOfRange', `${text} is below the minimum of ${minimum}`);
  if (maximum !== undefined && value > maximum)
    return bad(name, 'OutOfRange', `${text} is above the maximum of ${maximum}`);
  return undefined;
}

/** A desired value in the device's form. Throws MAPPER_BAD_VALUE for what the type or the range forbids. */
export function fromText(text: string, property: Shape): RawValue {
  const { name, type, conversion } = property;
  switch (type) {
    case 'INT': {
      if (!/^[+-]?\d{1,19}$/.test(text)) throw bad(name, 'WrongType', `"${brief(text)}" is not an INT, such as 42`);
      const problem = rangeFault(text, property);
      if (problem) throw problem;
      if (conversion.scale === 1 && conversion.valueOffset === 0) {
        const exact = BigInt(text);
        return exact >= -(2n ** 53n) && exact <= 2n ** 53n ? Number(exact) : exact;
      }
      return withoutNoise((Number(text) - conversion.valueOffset) / conversion.scale);
    }
    case 'FLOAT':
    case 'DOUBLE': {
      if (!isNumeric(text)) throw bad(name, 'WrongType', `"${brief(text)}" is not a ${type}, such as 21.5`);
      const problem = rangeFault(text, property);
      if (problem) throw problem;
      return withoutNoise((Number(text) - conversion.valueOffset) / conversion.scale);
    }
    case 'BOOLEAN':
      if (text !== 'true' && text !== 'false') {
        throw bad(name, 'WrongType', `"${brief(text)}" is not a BOOLEAN: true or false`);
      }
      return text === 'true';
    case 'BYTES':
      try {
        return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      } catch {
        throw bad(name, 'WrongType', `"${brief(text)}" is not base64`);
      }
    default:
      return text;
  }
}

const isNumeric = (text: string): boolean =>
  /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) && Number.isFinite(Number(text));
const brief = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}...` : text);

function intText(raw: RawValue, property: Shape): string {
  const { scale, valueOffset } = property.conversion;
  if (typeof raw === 'bigint' && scale === 1 && valueOffset === 0) return String(raw);
  const value = scaled(numberOf(raw, property), property);
  return BigInt(Math.trunc(value)).toString();
}

const scaled = (value: number, { conversion: { scale, valueOffset } }: Shape): number =>
  scale === 1 && valueOffset === 0 ? value : withoutNoise(value * scale + valueOffset);

function numberOf(raw: RawValue, { name, type }: Shape): number {
  const value =
    typeof raw === 'string'
      ? isNumeric(raw.trim())
        ? Number(raw)
        : Number.NaN
      : raw instanceof Uint8Array
        ? Number.NaN
        : Number(raw);
  if (!Number.isFinite(value)) throw bad(name, 'WrongType', `"${brief(plainText(raw))}" from the device is no ${type}`);
  return value;
}

function booleanOf(raw: RawValue, { name }: Shape): boolean {
  if (typeof raw === 'boolean') return raw;
  if (typeof raw === 'number' || typeof raw === 'bigint') return Number(raw) !== 0;
  const word = plainText(raw).trim().toLowerCase();
  if (['true', '1', 'on'].includes(word)) return true;
  if (['false', '0', 'off'].includes(word)) return false;
  throw bad(name, 'WrongType', `"${brief(word)}" from the device is no BOOLEAN`);
}

const plainText = (raw: RawValue): string =>
  raw instanceof Uint8Array
    ? new TextDecoder().decode(raw)
    : typeof raw === 'number'
      ? formatNumber(raw, false)
      : String(raw);

/** 0.1 x 3 is 0.30000000000000004: the last digits of a product mean nothing. */
const withoutNoise = (value: number): number => (Number.isInteger(value) ? value : Number(value.toPrecision(14)));

/** Without exponent. A value that fits 32 bits is written with as many digits as those have. */
export function formatNumber(value: number, single: boolean): string {
  let shown = value;
  if (single && Math.fround(value) === value) {
    for (let digits = 1; digits <= 9; digits++) {
      shown = Number(value.toPrecision(digits));
      if (Math.fround(shown) === value) break;
    }
  }
  if (Object.is(shown, -0)) return '0';
  const text = String(shown);
  const match = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (!match) return text;
  const [, sign = '', first = '', rest = '', exponent = '0'] = match;
  const power = Number(exponent);
  if (power > 0) return sign + (first + rest).padEnd(power + 1, '0');
  return `${sign}0.${'0'.repeat(-power - 1)}${first}${rest}`;
}

function toBase64(bytes: Uint8Array): string {
  let letters = '';
  for (const byte of bytes) letters += String.fromCharCode(byte);
  return btoa(letters);
}
