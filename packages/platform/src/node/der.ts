// Writes the few ASN.1 DER values that a certificate request is made of.

const write = (tag: number, ...parts: readonly Uint8Array[]): Uint8Array => {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([Buffer.from([tag, ...lengthBytes(length)]), ...parts]);
};

function lengthBytes(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 | bytes.length, ...bytes];
}

export const sequence = (...parts: readonly Uint8Array[]): Uint8Array => write(0x30, ...parts);
export const setOf = (...parts: readonly Uint8Array[]): Uint8Array => write(0x31, ...parts);
export const utf8 = (text: string): Uint8Array => write(0x0c, Buffer.from(text, 'utf8'));
/** A whole number below 128. */
export const smallInteger = (n: number): Uint8Array => write(0x02, Uint8Array.of(n));
/** Whole bytes; no unused bits. */
export const bitString = (bytes: Uint8Array): Uint8Array => write(0x03, Uint8Array.of(0), bytes);
/** `[n] IMPLICIT`, constructed. */
export const tagged = (n: number, ...parts: readonly Uint8Array[]): Uint8Array => write(0xa0 | n, ...parts);

export function objectId(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return write(0x06, Uint8Array.from(bytes));
}
