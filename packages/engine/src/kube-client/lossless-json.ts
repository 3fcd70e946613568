// JSON that survives being read and written again: integers too long for a double keep their digits.
// Most texts hold none, and are then read by the plain parser at full speed.

/** A run of sixteen digits or more outside of quotes would be rounded; inside of quotes it only costs the slow path. */
const longNumber = /[:[,]\s*-?\d{16,}/;

interface ExactJson {
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
  rawJSON(text: string): unknown;
}
const exact = JSON as unknown as ExactJson;

/** As JSON.parse, but a long integer becomes a token that JSON.stringify writes digit for digit. */
export function parseLossless(text: string): unknown {
  if (!longNumber.test(text)) return JSON.parse(text);
  return exact.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value) && source !== undefined
      ? exact.rawJSON(source)
      : value,
  );
}
