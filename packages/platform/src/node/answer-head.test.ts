// Heads of answers: in chunks of any size, refused where they are none, and bodies of refusals.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bodyText, createHeadReader, isWholeBody } from './answer-head.ts';

function read(text: string, step = text.length) {
  const reader = createHeadReader();
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length; at += step) {
    const found = reader.push(bytes.subarray(at, at + step));
    if (found) return { ...found.head, rest: found.rest.toString() + bytes.toString('latin1', at + step) };
  }
  return undefined;
}

const answer = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX-A:  1 \r\nx-a: 2\r\nEmpty:\r\n\r\nrest';
for (const step of [1, 3, answer.length])
  test(`status, headers and the rest, in chunks of ${step}`, () => {
    assert.deepEqual(read(answer, step), {
      status: 101,
      headers: { upgrade: 'websocket', 'x-a': '1, 2', empty: '' },
      rest: 'rest',
    });
  });

test('what only announces an answer is passed over', () => {
  assert.equal(
    read('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.0 503\r\n\r\n')?.status,
    503,
  );
});

test('a head that is not all there is waited for', () => assert.equal(read('HTTP/1.1 200 OK\r\nA: b\r\n'), undefined));

const bad: [string, string, RegExp][] = [
  ['another protocol', 'SSH-2.0-OpenSSH\r\n', /does not speak HTTP/],
  ['a status of nobody', 'HTTP/1.1 999 x\r\n\r\n', /does not speak HTTP/],
  ['a line without a name', 'HTTP/1.1 200 OK\r\n: x\r\n\r\n', /is no header/],
  ['a folded line', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n', /is no header/],
  ['a head without an end', `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(40_000)}`, /over 32768 bytes/],
  ['a head that is too long', `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(40_000)}\r\n\r\n`, /over 32768 bytes/],
];
for (const [what, text, say] of bad) test(`${what} is refused`, () => assert.throws(() => read(text), say));

const body = (headers: Record<string, string>, text: string) => {
  const bytes = Buffer.from(text);
  return [isWholeBody({ status: 401, headers }, bytes), bodyText({ status: 401, headers }, bytes)];
};

test('a body by its length', () => {
  assert.deepEqual(body({ 'content-length': '3' }, 'ab'), [false, 'ab']);
  assert.deepEqual(body({ 'content-length': '3' }, 'abcd'), [true, 'abc']);
  assert.deepEqual(body({ 'content-length': '0' }, ''), [true, '']);
});

test('a body in chunks', () => {
  const headers = { 'transfer-encoding': 'chunked' };
  assert.deepEqual(body(headers, '3\r\nno \r\n4;x=y\r\nnode\r\n0\r\n\r\n'), [true, 'no node']);
  assert.deepEqual(body(headers, '3\r\nno \r\n4\r\nno'), [false, 'no no']);
  assert.deepEqual(body(headers, '0\r\n\r\n'), [true, '']);
  assert.deepEqual(body(headers, 'rubbish'), [false, '']);
});

test('a body that ends with its connection', () => assert.deepEqual(body({}, 'no such node'), [false, 'no such node']));
