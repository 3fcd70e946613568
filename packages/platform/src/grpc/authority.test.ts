// The rewriter changes one field and nothing else, wherever chunks are cut.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, property, uint8Array } from 'fast-check';
import { rewriteHeaders } from './authority.ts';
import { decodeHuffman } from './huffman.ts';

test('reads Huffman strings: the examples of RFC 7541, C.4', () => {
  const read = (hex: string) => decodeHuffman(Buffer.from(hex, 'hex'));
  assert.equal(read('f1e3c2e5f23a6ba0ab90f4ff'), 'www.example.com');
  assert.equal(read('a8eb10649cbf'), 'no-cache');
  assert.equal(read('25a849e95bb8e8b4bf'), 'custom-value');
  assert.equal(read('ffffffff'), undefined);
});

test('blocks of headers that make no sense pass as they are, or stay whole frames', () => {
  check(
    property(uint8Array({ maxLength: 200 }), (block) => {
      const frame = Buffer.concat([Buffer.from([0, 0, block.length, 1, 4, 0, 0, 0, 1]), block]);
      const changed = Buffer.from(rewriteHeaders(frame));
      assert.equal(changed.readUIntBE(0, 3), changed.length - 9);
    }),
  );
});
