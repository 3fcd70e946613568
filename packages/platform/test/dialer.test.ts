// What servers do to who dials a WebSocket: refuse in any form, upgrade to something else, say nothing, break off.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import * as net from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import type { DialOptions, Socket } from '@kedge/core/ports';
import { createDialer } from '@kedge/platform/node';
import { withCode } from '@kedge/testing/contracts';

interface Peer {
  readonly url: string;
  /** The connection, and the request that came on it. */
  readonly asked: Promise<{ connection: net.Socket; request: string }>;
}

/** A server that takes one connection; `answer` gets the key's hash. */
async function peer(t: TestContext, answer: (accept: string) => string): Promise<Peer> {
  const asked = Promise.withResolvers<{ connection: net.Socket; request: string }>();
  const server = net.createServer((connection) => {
    t.after(() => connection.destroy());
    connection.on('error', () => undefined);
    connection.once('data', (chunk) => {
      const request = chunk.toString('latin1');
      const key = /sec-websocket-key: (.*)\r\n/i.exec(request)?.[1] ?? '';
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      const text = answer(accept);
      if (text !== '') connection.write(text, 'latin1');
      asked.resolve({ connection, request });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { url: `ws://127.0.0.1:${(server.address() as net.AddressInfo).port}/a/b?c=d`, asked: asked.promise };
}

const dial = (url: string, more: Partial<DialOptions> = {}) =>
  createDialer().dial({ url, headers: {}, maxFrameBytes: 1_000, timeoutMs: 5_000, ...more });

const upgrade = (accept: string, more = ''): string =>
  `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${more}\r\n`;

const refusal = (status: number, say: string) => (error: Error & { details?: { status: number; say: string } }) => {
  assert.ok(withCode('HTTP_UPGRADE_REFUSED')(error));
  assert.deepEqual([error.details?.status, error.details?.say], [status, say]);
  return true;
};

describe('the request for a WebSocket', () => {
  test('names the host with its port, the path with its query, and the headers', async (t) => {
    const { url, asked } = await peer(t, (accept) => upgrade(accept));
    const { socket } = await dial(url, { headers: { node_id: 'edge-1' } });
    const { request } = await asked;
    assert.match(request, /^GET \/a\/b\?c=d HTTP\/1\.1\r\n/);
    for (const line of [`host: ${new URL(url).host}`, 'node_id: edge-1', 'sec-websocket-version: 13'])
      assert.ok(request.includes(`\r\n${line}\r\n`), line);
    socket.terminate();
  });

  test('a header that would add another is refused before there is a connection', async () => {
    await assert.rejects(dial('ws://127.0.0.1:9', { headers: { node_id: 'a\r\nx: y' } }), withCode('HTTP_BAD_HEADER'));
    await assert.rejects(dial('ws://127.0.0.1:9', { headers: { 'a b': 'c' } }), withCode('HTTP_BAD_HEADER'));
  });
});

describe('an answer that is not a WebSocket', () => {
  const answers: [string, string, number, string][] = [
    ['with a length', 'HTTP/1.1 401 No\r\nContent-Length: 12\r\n\r\nno such node and more', 401, 'no such node'],
    [
      'in chunks',
      'HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nno \r\n4\r\nnode\r\n0\r\n\r\n',
      403,
      'no node',
    ],
    ['without a body', 'HTTP/1.1 301 Moved\r\nLocation: ws://elsewhere/\r\nContent-Length: 0\r\n\r\n', 301, ''],
    ['with more than anybody reads', `HTTP/1.1 500 No\r\n\r\n${'x'.repeat(5_000)}`, 500, 'x'.repeat(512)],
  ];
  for (const [what, text, status, say] of answers)
    test(what, async (t) => {
      const { url } = await peer(t, () => text);
      await assert.rejects(dial(url), refusal(status, say));
    });

  test('that ends with its connection', async (t) => {
    const { url, asked } = await peer(t, () => 'HTTP/1.1 503 No\r\n\r\nlater');
    void asked.then(({ connection }) => connection.end());
    await assert.rejects(dial(url), refusal(503, 'later'));
  });

  test('that does not end counts as it is when the time is over', async (t) => {
    const { url } = await peer(t, () => 'HTTP/1.1 503 No\r\nContent-Length: 100\r\n\r\nlater');
    await assert.rejects(dial(url, { timeoutMs: 50 }), refusal(503, 'later'));
  });

  const odd: [string, (accept: string) => string][] = [
    ['another protocol', () => 'SSH-2.0-OpenSSH_9\r\n'],
    ['an upgrade to something else', () => 'HTTP/1.1 101 x\r\nUpgrade: h2c\r\n\r\n'],
    ["somebody else's answer", () => upgrade('AAAA')],
    ['an extension', (accept) => upgrade(accept, 'Sec-WebSocket-Extensions: permessage-deflate\r\n')],
    ['a subprotocol', (accept) => upgrade(accept, 'Sec-WebSocket-Protocol: chat\r\n')],
  ];
  for (const [what, text] of odd)
    test(`${what} is no connection`, async (t) => {
      const { url } = await peer(t, text);
      await assert.rejects(dial(url), withCode('HTTP_CONNECT_FAILED'));
    });

  test('silence ends with the time, and with the caller', async (t) => {
    const { url } = await peer(t, () => '');
    await assert.rejects(dial(url, { timeoutMs: 50 }), withCode('HTTP_TIMEOUT'));
    const second = await peer(t, () => '');
    const stop = new AbortController();
    void second.asked.then(() => stop.abort(new Error('enough')));
    await assert.rejects(dial(second.url, { signal: stop.signal }), /enough/);
  });

  test('a connection that is broken off', async (t) => {
    const { url, asked } = await peer(t, () => 'HTTP/1.1 101 Swi');
    void asked.then(({ connection }) => connection.destroy());
    await assert.rejects(dial(url), withCode('HTTP_CONNECT_FAILED'));
  });
});

describe('an open WebSocket', () => {
  async function open(t: TestContext, behind = ''): Promise<{ socket: Socket; connection: net.Socket }> {
    const { url, asked } = await peer(t, (accept) => `${upgrade(accept)}${behind}`);
    const { socket } = await dial(url);
    t.after(() => socket.terminate());
    return { socket, connection: (await asked).connection };
  }
  const unmask = (frame: Buffer): Buffer => {
    const length = frame[1]! & 0x7f;
    const mask = frame.subarray(2, 6);
    return Buffer.from(frame.subarray(6, 6 + length).map((byte, at) => byte ^ mask[at % 4]!));
  };

  test('has the frame that came with the answer', async (t) => {
    const { socket } = await open(t, '\x81\x02hi');
    for await (const { data, binary } of socket.frames()) {
      assert.deepEqual([Buffer.from(data).toString(), binary], ['hi', false]);
      break;
    }
    assert.ok(socket.arrived >= 4);
    assert.deepEqual(socket.traffic, { sent: 0, received: 4 });
  });

  test('answers a ping with its payload, under a mask', async (t) => {
    const { socket, connection } = await open(t);
    connection.write('\x89\x03abc', 'latin1');
    const [frame] = (await once(connection, 'data')) as [Buffer];
    assert.deepEqual([frame[0], unmask(frame).toString()], [0x8a, 'abc']);
    assert.deepEqual(socket.traffic, { sent: 9, received: 5 });
  });

  test('answers a close with its code, and hears nothing after it', async (t) => {
    const { socket, connection } = await open(t);
    connection.write(Buffer.concat([Buffer.from([0x88, 2, 0x0f, 0xa1]), Buffer.from('\x81\x02hi')]));
    const [frame] = (await once(connection, 'data')) as [Buffer];
    assert.deepEqual([frame[0], unmask(frame).readUInt16BE()], [0x88, 4_001]);
    assert.deepEqual(await socket.closed, { code: 4_001, reason: '' });
    for await (const late of socket.frames()) assert.fail(`${late.data.length} bytes after the end`);
    await assert.rejects(socket.send('x'), withCode('HTTP_CLOSED'));
  });

  test('a peer that breaks the protocol is told so', async (t) => {
    const { socket, connection } = await open(t);
    connection.write(Buffer.from([0x83, 0]));
    const [frame] = (await once(connection, 'data')) as [Buffer];
    assert.deepEqual([frame[0], unmask(frame).readUInt16BE()], [0x88, 1_002]);
    const { code, reason } = await socket.closed;
    assert.equal(code, 1_002);
    assert.match(reason, /unknown kind 3/);
  });

  test('a peer that ends without a word', async (t) => {
    const { socket, connection } = await open(t);
    connection.end();
    assert.deepEqual(await socket.closed, { code: 1_006, reason: '' });
  });
});
