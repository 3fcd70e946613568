// Kubernetes quantities ("500m", "1.5Gi", "2e3") as exact numbers: an integer of nano units and the family of suffixes it
// was written with. Anything finer than a nano unit is rounded up, as Kubernetes does.
import { defineErrors } from '@kedge/core/errors';

export type QuantityFormat = 'binarySI' | 'decimalExponent' | 'decimalSI';

export interface Quantity {
  /** Value times 10^9. */
  readonly nano: bigint;
  readonly format: QuantityFormat;
}

export const quantityErrors = defineErrors('QUANTITY', {
  MALFORMED: {
    retry: 'never',
    say: (d: { text: string }) =>
      `"${d.text}" is not a quantity: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`,
  },
});

const nanoPerUnit = 1_000_000_000n;
const maxBinary = (2n ** 63n - 1n) * nanoPerUnit;
const binaryShift: Readonly<Record<string, bigint>> = { Ki: 10n, Mi: 20n, Gi: 30n, Ti: 40n, Pi: 50n, Ei: 60n };
const decimalExponent: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const binarySuffixes = Object.entries(binaryShift).toReversed();
const decimalSuffixes = Object.entries(decimalExponent).toReversed();
/** Kubernetes keeps three digits of exponent at most; a bound also keeps a hostile "1e999999999" from filling memory. */
const maxExponent = 999;
const maxLength = 1_000;

const pow10 = (exponent: number): bigint => 10n ** BigInt(exponent);

/** Reads a quantity; undefined when the text is none. JSON numbers are quantities too. */
export function parseQuantity(text: number | string): Quantity | undefined {
  const written = String(text);
  if (written.length > maxLength) return undefined;
  const match = /^(?<sign>[+-]?)(?<whole>\d*)(?:\.(?<part>\d*))?(?<suffix>[A-Za-z]*(?:[+-]?\d+)?)$/.exec(
    written,
  )?.groups;
  if (!match) return undefined;
  const { sign, whole = '', part = '', suffix = '' } = match;
  if (whole === '' && part === '') return undefined;
  const scale = readSuffix(suffix);
  if (!scale) return undefined;
  const nano = scaled(BigInt(whole + part) * nanoPerUnit, scale, part.length);
  // A fraction of a unit has no binary form, and binary quantities end at 64 bits.
  const format = scale.format === 'binarySI' && nano < nanoPerUnit ? 'decimalSI' : scale.format;
  const capped = scale.format === 'binarySI' && nano > maxBinary ? maxBinary : nano;
  return { nano: sign === '-' ? -capped : capped, format };
}

/** Reads a quantity that has been validated before. Throws QUANTITY_MALFORMED. */
export function quantity(text: number | string): Quantity {
  const parsed = parseQuantity(text);
  if (!parsed) throw quantityErrors.MALFORMED({ text: String(text) });
  return parsed;
}

interface Scale {
  readonly format: QuantityFormat;
  readonly shift: bigint;
  readonly exponent: number;
}

function readSuffix(suffix: string): Scale | undefined {
  const shift = binaryShift[suffix];
  if (shift !== undefined) return { format: 'binarySI', shift, exponent: 0 };
  const exponent = decimalExponent[suffix];
  if (exponent !== undefined) return { format: 'decimalSI', shift: 0n, exponent };
  const written = /^[eE](?<exponent>[+-]?\d+)$/.exec(suffix)?.groups?.['exponent'];
  if (written === undefined || Math.abs(Number(written)) > maxExponent) return undefined;
  return { format: 'decimalExponent', shift: 0n, exponent: Number(written) };
}

function scaled(digits: bigint, scale: Scale, fractionDigits: number): bigint {
  const exponent = scale.exponent - fractionDigits;
  const shifted = digits << scale.shift;
  return exponent >= 0 ? shifted * pow10(exponent) : divideUp(shifted, pow10(-exponent));
}

/** Rounds away from zero. */
function divideUp(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  if (value % by === 0n) return quotient;
  return quotient + (value < 0n ? -1n : 1n);
}

/** The canonical text: the largest suffix that leaves no fraction. */
export function formatQuantity({ nano, format }: Quantity): string {
  if (nano === 0n) return '0';
  // Binary suffixes have no fractions: below 1024 units, or with a fraction, Kubernetes falls back to decimal ones.
  const isBinary = format === 'binarySI' && nano % nanoPerUnit === 0n && magnitude(nano) >= 1024n * nanoPerUnit;
  return isBinary ? formatBinary(nano / nanoPerUnit) : formatDecimal(nano, format);
}

function formatBinary(units: bigint): string {
  const [suffix, shift] = binarySuffixes.find(([, bits]) => units % (1n << bits) === 0n) ?? ['', 0n];
  return `${units >> shift}${suffix}`;
}

function formatDecimal(nano: bigint, format: QuantityFormat): string {
  const largest = format === 'decimalExponent' ? maxExponent : 18;
  let exponent = -9;
  let mantissa = nano;
  while (mantissa % 1000n === 0n && exponent < largest) {
    mantissa /= 1000n;
    exponent += 3;
  }
  if (format === 'decimalExponent') return exponent === 0 ? `${mantissa}` : `${mantissa}e${exponent}`;
  return `${mantissa}${decimalSuffixes.find(([, power]) => power === exponent)?.[0] ?? ''}`;
}

const magnitude = (value: bigint): bigint => (value < 0n ? -value : value);

/** The canonical form of a written quantity; undefined when it is none. */
export function canonicalQuantity(text: number | string): string | undefined {
  const parsed = parseQuantity(text);
  return parsed && formatQuantity(parsed);
}

export const compareQuantities = (a: Quantity, b: Quantity): -1 | 0 | 1 =>
  a.nano < b.nano ? -1 : a.nano > b.nano ? 1 : 0;

export const zeroQuantity: Quantity = { nano: 0n, format: 'decimalSI' };

/** The sum keeps the format of the first operand, unless that is zero. */
export const addQuantities = (a: Quantity, b: Quantity): Quantity => ({
  nano: a.nano + b.nano,
  format: a.nano === 0n ? b.format : a.format,
});

export const subtractQuantities = (a: Quantity, b: Quantity): Quantity => addQuantities(a, { ...b, nano: -b.nano });

export const maxQuantity = (a: Quantity, b: Quantity): Quantity => (a.nano >= b.nano ? a : b);

/** Whole units, rounded up: bytes of memory, pieces of an extended resource. */
export const quantityUnits = ({ nano }: Quantity): bigint => divideUp(nano, nanoPerUnit);

/** Thousandths, rounded up: CPU. */
export const quantityMillis = ({ nano }: Quantity): bigint => divideUp(nano, 1_000_000n);

export const quantityOfUnits = (units: bigint | number, format: QuantityFormat = 'decimalSI'): Quantity => ({
  nano: BigInt(units) * nanoPerUnit,
  format,
});

export const quantityOfMillis = (millis: bigint | number): Quantity => ({
  nano: BigInt(millis) * 1_000_000n,
  format: 'decimalSI',
});
