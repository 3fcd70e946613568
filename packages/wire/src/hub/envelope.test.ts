import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf } from '@kedge/core/errors';
import * as fc from 'fast-check';
import {
  decodeEnvelope,
  downstreamFromWire,
  downstreamToWire,
  encodeEnvelope,
  readFrame,
  upstreamFromWire,
  upstreamToWire,
} from './index.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const header = { msg_id: 'm1', timestamp: 1 };

const codeFrom = (work: () => unknown): string | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    return codeOf(error) ?? `not from a table: ${String(error)}`;
  }
};

const refused: readonly [name: string, text: string, code: string][] = [
  ['nothing', '', 'HUB_PEER_BAD_JSON'],
  ['half a document', '{"header":', 'HUB_PEER_BAD_JSON'],
  ['a list', '[]', 'HUB_PEER_BAD_ENVELOPE'],
  ['no header', '{"route":{}}', 'HUB_PEER_BAD_ENVELOPE'],
  ['no route', '{"header":{"msg_id":"1","timestamp":1}}', 'HUB_PEER_BAD_ENVELOPE'],
  ['no id', '{"header":{"msg_id":"","timestamp":1},"route":{}}', 'HUB_PEER_BAD_ENVELOPE'],
  ['a time that is text', '{"header":{"msg_id":"1","timestamp":"1"},"route":{}}', 'HUB_PEER_BAD_ENVELOPE'],
  [
    'a resource that is a list',
    '{"header":{"msg_id":"1","timestamp":1},"route":{"resource":[]}}',
    'HUB_PEER_BAD_ENVELOPE',
  ],
  ['an endless id', `{"header":{"msg_id":"${'x'.repeat(9_000)}","timestamp":1},"route":{}}`, 'HUB_PEER_BAD_ENVELOPE'],
  ['deep nesting', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, 'HUB_PEER_TOO_DEEP'],
];

for (const [name, text, code] of refused) {
  test(`refuses ${name} with ${code}`, () =>
    assert.equal(
      codeFrom(() => decodeEnvelope(text)),
      code,
    ));
}

test('refuses a frame by its size before it looks at the bytes, and one that is not text', () => {
  const frame = (data: Uint8Array) => ({ data, binary: false });
  assert.equal(
    codeFrom(() => readFrame(frame(bytes('12345')), 4)),
    'HUB_PEER_FRAME_TOO_LARGE',
  );
  assert.equal(
    codeFrom(() => readFrame(frame(new Uint8Array([0xff, 0xfe])), 4)),
    'HUB_PEER_BAD_TEXT',
  );
  assert.equal(readFrame({ data: bytes('{}\n'), binary: true }, 4), '{}\n', 'binary frames are as good');
});

test('brackets in strings are no nesting', () => {
  const content = `${'[{'.repeat(500)}\\"`;
  const message = { header, route: {}, content };
  assert.deepEqual(decodeEnvelope(JSON.stringify(message)), message);
});

test('fields that we do not know stay where they were', () => {
  const message = { header: { ...header, trace: 'x' }, route: { hops: 3 }, content: null, extra: true };
  assert.deepEqual(JSON.parse(encodeEnvelope(decodeEnvelope(JSON.stringify(message)))), message);
});

const word = fc.oneof(
  fc.constantFrom('edged', 'edgecontroller', 'twin', 'metamanager', 'meta', 'resource', 'query', 'insert', 'update'),
  fc.constantFrom('delete', 'patch', 'response', 'error', 'keepalive', 'default/pod/a', 'default/podpatch/a'),
  fc.constantFrom(
    'default/configmap/a',
    'x/serviceaccounttoken/y',
    'default/event/e',
    'default/nodestatus/n',
    'a/b',
    '///',
  ),
  fc.string(),
);
const optional = fc.option(word, { nil: undefined });
const anyMessage = fc.record({
  header: fc.record({ msg_id: fc.string({ minLength: 1 }), timestamp: fc.integer(), parent_msg_id: optional }),
  route: fc.record({ source: optional, group: optional, operation: optional, resource: optional }),
  content: fc.oneof(
    fc.jsonValue(),
    fc.record({ metadata: fc.dictionary(fc.string(), fc.jsonValue()) }),
    fc.record({ Object: fc.jsonValue(), Err: fc.jsonValue() }),
    fc.record({ ErrStatus: fc.jsonValue() }),
  ),
});

test('any bytes give a message or an error from the table', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
      const code = codeFrom(() => decodeEnvelope(readFrame({ data, binary: false }, 100)));
      assert.ok(code === undefined || code.startsWith('HUB_PEER_'), code);
    }),
  );
});

test('any envelope gives a typed message that can be written again, or an error from the table', () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      const text = JSON.stringify(message);
      const code = codeFrom(() => {
        encodeEnvelope(upstreamToWire(upstreamFromWire(decodeEnvelope(text))));
        encodeEnvelope(downstreamToWire(downstreamFromWire(decodeEnvelope(text))));
      });
      assert.ok(code === undefined || code.startsWith('HUB_PEER_'), code);
    }),
    { numRuns: 2_000 },
  );
});
