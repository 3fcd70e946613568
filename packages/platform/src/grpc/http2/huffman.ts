// Reads HPACK's Huffman strings (RFC 7541, appendix B). The code is canonical, so the lengths of the 257 codes say it all:
// symbols in the order of their codes' lengths, then of their numbers, count upwards.

/** One letter per symbol: A is a code of 5 bits, Z one of 30. */
const lengths =
  'ISXXXXXXXTZXXZXXXXXXXXZXXXXXXXXXBFFHIBDGFFDGDBBBAAABBBBBBBCDKBHFIBCCCCCCCCCCCCCCCCCCCCCCDCDIOIJBKABA' +
  'BABBBACCBBBABCBAABCCCCCKGJIXPRPPRRRSRSSSSSTSTTRSTSSSSQRSRSSTRQPRRSSQSRRTQRSSQQRQSRSSPRRRSRRSVVPORSRU' +
  'VVVWWVTUOQVWWVWTQQVVXWWWPTPQRQQSRRUUTTVSVWVVWWWWWXWWWWWVZ';

const endOfString = 256;
const symbols = Array.from(lengths, (letter, symbol) => ({ symbol, bits: letter.charCodeAt(0) - 60 })).sort(
  (a, b) => a.bits - b.bits || a.symbol - b.symbol,
);

/** `length:code` to symbol. */
const byCode = new Map<number, number>();
{
  let code = 0;
  let at = symbols[0]!.bits;
  for (const { symbol, bits } of symbols) {
    code <<= bits - at;
    at = bits;
    byCode.set(key(bits, code), symbol);
    code += 1;
  }
}

function key(bits: number, code: number): number {
  return bits * 2 ** 31 + code;
}

/** The decoded bytes as Latin-1 text; undefined when they are no such string. */
export function decodeHuffman(bytes: Uint8Array): string | undefined {
  let text = '';
  let code = 0;
  let bits = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((byte >> bit) & 1);
      bits += 1;
      const symbol = byCode.get(key(bits, code));
      if (symbol === undefined) {
        if (bits > 30) return undefined;
        continue;
      }
      if (symbol === endOfString) return undefined;
      text += String.fromCharCode(symbol);
      code = 0;
      bits = 0;
    }
  }
  // What is left has to be the beginning of the end symbol: fewer than eight ones.
  return bits < 8 && code === 2 ** bits - 1 ? text : undefined;
}
