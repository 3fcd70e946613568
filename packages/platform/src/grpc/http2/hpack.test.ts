// The examples of RFC 7541, appendix C, and what is no such thing.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assert as check, property, string, uint8Array } from 'fast-check';
import { encodeHeaders, HeaderDecoder } from './hpack.ts';

const limit = 65_536;
const bytes = (hex: string): Uint8Array => Buffer.from(hex.replaceAll(' ', ''), 'hex');
/** What `blocks` say, one after the other, to one decoder. */
function decoded(...blocks: string[]): (Record<string, string> | undefined)[] {
  const decoder = new HeaderDecoder();
  return blocks.map((block) => {
    const headers = decoder.decode(bytes(block), limit);
    return headers && Object.fromEntries(headers);
  });
}

const get = { ':method': 'GET', ':scheme': 'http', ':path': '/', ':authority': 'www.example.com' };
const requests = [
  get,
  { ...get, 'cache-control': 'no-cache' },
  { ...get, ':scheme': 'https', ':path': '/index.html', 'custom-key': 'custom-value' },
];
const redirect = {
  ':status': '302',
  'cache-control': 'private',
  date: 'Mon, 21 Oct 2013 20:13:21 GMT',
  location: 'https://www.example.com',
};

describe('headers of HTTP/2 are read', () => {
  test('field by field (C.2)', () => {
    assert.deepEqual(decoded('400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572'), [
      { 'custom-key': 'custom-header' },
    ]);
    assert.deepEqual(decoded('040c 2f73 616d 706c 652f 7061 7468'), [{ ':path': '/sample/path' }]);
    assert.deepEqual(decoded('1008 7061 7373 776f 7264 0673 6563 7265 74'), [{ password: 'secret' }]);
    assert.deepEqual(decoded('82'), [{ ':method': 'GET' }]);
  });

  test('with a table that grows (C.3)', () => {
    const blocks = [
      '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
      '8286 84be 5808 6e6f 2d63 6163 6865',
      '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
    ];
    assert.deepEqual(decoded(...blocks), requests);
  });

  test('in Huffman code (C.4)', () => {
    const blocks = [
      '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
      '8286 84be 5886 a8eb 1064 9cbf',
      '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
    ];
    assert.deepEqual(decoded(...blocks), requests);
  });

  test('with a table of 256 bytes, from which fields fall (C.6)', () => {
    const blocks = [
      '3fe1 01' +
        '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b' +
        '97c8 e9ae 82ae 43d3',
      '4883 640e ffc1 c0bf',
      '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf' +
        'cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
    ];
    assert.deepEqual(decoded(...blocks), [
      redirect,
      { ...redirect, ':status': '307' },
      {
        ...redirect,
        ':status': '200',
        date: 'Mon, 21 Oct 2013 20:13:22 GMT',
        'content-encoding': 'gzip',
        'set-cookie': 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
      },
    ]);
  });

  test('a name that comes twice keeps both values', () => {
    assert.deepEqual(decoded('0001 6101 62 0001 6101 63'), [{ a: 'b, c' }]);
  });
});

describe('headers of HTTP/2 are refused', () => {
  const cases = {
    'an index that nobody gave': 'be',
    'index zero': '80',
    'a text cut short': '400a 6375',
    'a length cut short': '7fff ff',
    'a length of too many bits': '007f ffff ffff ff7f',
    'a table larger than offered': '3fe2 1f',
    'a table that changes in the middle': '82 20',
    'Huffman code that ends in the middle': '0001 6181 fe',
    'Huffman code with the end in it': '0001 6184 ffff ffff',
  };
  for (const [what, block] of Object.entries(cases)) test(what, () => assert.deepEqual(decoded(block), [undefined]));

  test('larger than they may be, also when a few bytes name many', () => {
    const decoder = new HeaderDecoder();
    const long = encodeHeaders({ name: 'v'.repeat(3_000) });
    long[0] = 0x40;
    assert.ok(decoder.decode(long, 4_000));
    assert.equal(decoder.decode(Uint8Array.of(0xbe, 0xbe), 4_000), undefined);
  });
});

test('what we write is read back', () => {
  const latin1 = string({ unit: 'binary-ascii', maxLength: 300 });
  check(
    property(string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 20 }), latin1, (name, value) => {
      const headers = new HeaderDecoder().decode(encodeHeaders({ [name]: value }), limit);
      assert.deepEqual([...headers!], [[name, value]]);
    }),
  );
});

test('whatever comes, it is headers or nothing', () => {
  check(
    property(uint8Array({ maxLength: 200 }), uint8Array({ maxLength: 200 }), (first, second) => {
      const decoder = new HeaderDecoder();
      for (const block of [first, second]) {
        const headers = decoder.decode(block, limit);
        assert.ok(headers === undefined || headers instanceof Map);
      }
    }),
  );
});
