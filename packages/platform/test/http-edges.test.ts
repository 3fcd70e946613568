// What node:http peers do at the edges of the contract: stale connections, unix sockets, clients that dawdle.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http from 'node:http';
import * as net from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { silentLog } from '@kedge/core/log';
import type { HttpHandler, Socket } from '@kedge/core/ports';
import { milliseconds } from '@kedge/core/time';
import { createHttpClient, createHttpServers, type HttpServerLimits } from '@kedge/platform/node';
import { temporaryDirectory, withCode } from '@kedge/testing/contracts';

async function rawServer(t: TestContext, onConnection: (socket: net.Socket, count: number) => void): Promise<string> {
  let count = 0;
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    onConnection(socket, (count += 1));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as net.AddressInfo).port}/`;
}

async function serve(t: TestContext, handler: HttpHandler, limits: Partial<HttpServerLimits>): Promise<net.Socket> {
  const listening = await createHttpServers({ log: silentLog, limits }).listen({
    address: '127.0.0.1',
    port: 0,
    handler,
  });
  t.after(() => listening.close());
  const socket = net.connect(listening.port, '127.0.0.1');
  socket.on('error', () => undefined);
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Answers the first request of a connection, and hangs up on the second. */
const oncePerConnection = (socket: net.Socket): void => {
  let first = true;
  socket.on('data', () => {
    if (first) socket.write(answer);
    else socket.destroy();
    first = false;
  });
};

test('a read on a connection that the server has just dropped is tried again on a new one', async (t) => {
  let connections = 0;
  const url = await rawServer(t, (socket) => {
    connections += 1;
    oncePerConnection(socket);
  });
  const client = createHttpClient();
  t.after(() => client.close());
  for (let n = 0; n < 3; n += 1) assert.equal(await (await client.request({ method: 'GET', url })).text(), 'ok');
  assert.equal(connections, 3);
});

test('as many idle connections are kept as was asked for', async (t) => {
  const opened = async (options: { keptConnections?: number }): Promise<number> => {
    let connections = 0;
    const url = await rawServer(t, (socket) => {
      connections += 1;
      socket.on('data', () => socket.write(answer));
    });
    const client = createHttpClient(options);
    t.after(() => client.close());
    for (let round = 0; round < 2; round += 1) {
      const all = Array.from({ length: 12 }, () => client.request({ method: 'GET', url }));
      await Promise.all((await Promise.all(all)).map((response) => response.text()));
    }
    return connections;
  };
  assert.equal(await opened({ keptConnections: 12 }), 12);
  assert.equal(await opened({}), 16);
});

test('a write on such a connection is not repeated behind the back of the caller', async (t) => {
  const url = await rawServer(t, oncePerConnection);
  const client = createHttpClient();
  t.after(() => client.close());
  await (await client.request({ method: 'POST', url })).text();
  await assert.rejects(client.request({ method: 'POST', url }), withCode('HTTP_CONNECTION_LOST'));
});

test('a connection whose answer was read is used again', async (t) => {
  let connections = 0;
  const url = await rawServer(t, (socket) => {
    connections += 1;
    socket.on('data', () => socket.write(answer));
  });
  const client = createHttpClient();
  t.after(() => client.close());
  for (let n = 0; n < 3; n += 1) await (await client.request({ method: 'GET', url })).text();
  assert.equal(connections, 1);
});

test('an answer without a body gives its connection back unread, and reads as empty', async (t) => {
  let connections = 0;
  const url = await rawServer(t, (socket) => {
    connections += 1;
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
  });
  const client = createHttpClient({ maxConnections: 1 });
  t.after(() => client.close());
  const first = await client.request({ method: 'DELETE', url });
  await client.request({ method: 'DELETE', url });
  assert.equal(await first.text(), '');
  assert.equal(connections, 1);
});

test('an answer that breaks off is said to be broken', async (t) => {
  const url = await rawServer(t, (socket) => {
    socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'));
  });
  const client = createHttpClient();
  t.after(() => client.close());
  await assert.rejects((await client.request({ method: 'GET', url })).text(), withCode('HTTP_CONNECTION_LOST'));
});

test('an answer that is not HTTP is a typed error', async (t) => {
  const url = await rawServer(t, (socket) => void socket.end('SSH-2.0-OpenSSH_9\r\n'));
  const client = createHttpClient();
  t.after(() => client.close());
  await assert.rejects(client.request({ method: 'GET', url }), withCode('HTTP_CONNECTION_LOST'));
});

test('a client can talk to a unix socket', async (t) => {
  const socketPath = join(await temporaryDirectory(t), 'x.sock');
  const server = http.createServer((request, response) => void response.end(`${request.headers.host}${request.url}`));
  server.listen(socketPath);
  await once(server, 'listening');
  t.after(() => server.close());
  const client = createHttpClient({ socketPath });
  t.after(() => client.close());
  assert.equal(await (await client.request({ method: 'GET', url: 'http://runtime/a?b' })).text(), 'runtime/a?b');
});

test('a client that does not finish its request head is cut off', async (t) => {
  const handler: HttpHandler = async (_, response) => response.send(200, {});
  const socket = await serve(t, handler, { head: milliseconds(20) });
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n');
  const [chunk] = await once(socket, 'data');
  assert.match(String(chunk), /^HTTP\/1.1 408 /);
  await once(socket, 'close');
});

test('a client that does not read the pieces of its answer is cut off', async (t) => {
  const gone = Promise.withResolvers<void>();
  const handler: HttpHandler = async ({ signal }, response) => {
    signal.addEventListener('abort', () => gone.resolve(), { once: true });
    const stream = response.stream(200, {});
    while (!signal.aborted) {
      stream.write(new Uint8Array(1024 * 1024));
      await stream.drained();
    }
  };
  const socket = await serve(t, handler, { stall: milliseconds(50) });
  socket.pause();
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await gone.promise;
});

// Bun tells of an answer that it was sent once it has it: the client is cut off as well, and the handler is not told.
const toldLate = 'bun' in process.versions ? 'the handler is not told' : false;
test('a client that does not read its answer is cut off', { skip: toldLate }, async (t) => {
  const gone = Promise.withResolvers<void>();
  const handler: HttpHandler = async (request, response) => {
    request.signal.addEventListener('abort', () => gone.resolve(), { once: true });
    response.send(200, {}, new Uint8Array(64 * 1024 * 1024));
  };
  const socket = await serve(t, handler, { stall: milliseconds(50) });
  socket.pause();
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await gone.promise;
});

test('a client that waits for something to be written is not cut off', async (t) => {
  const handler: HttpHandler = async (_, response) => {
    const stream = response.stream(200, {});
    setTimeout(() => {
      stream.write('at last');
      stream.end();
    }, 60);
  };
  const socket = await serve(t, handler, { stall: milliseconds(20) });
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  let seen = '';
  for await (const chunk of socket) seen += String(chunk);
  assert.match(seen, /at last/);
});

test('a handler that does not end is cut off when the server stops', async () => {
  const servers = createHttpServers({ log: silentLog, limits: { stop: milliseconds(20) } });
  const called = Promise.withResolvers<void>();
  const listening = await servers.listen({
    address: '127.0.0.1',
    port: 0,
    handler: () => {
      called.resolve();
      return new Promise(() => undefined);
    },
  });
  const client = createHttpClient();
  const hanging = client.request({ method: 'GET', url: `http://127.0.0.1:${listening.port}/` });
  hanging.catch(() => undefined);
  const socket = net.connect(listening.port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  await called.promise;
  await listening.close();
  await assert.rejects(hanging, withCode('HTTP_CONNECTION_LOST'));
  await client.close();
});

test('what is not a request is answered 400, and others are served as before', async (t) => {
  const socket = await serve(t, async (_, response) => response.send(200, {}, 'fine'), {});
  socket.write('\x16\x03\x01 rubbish\r\n\r\n');
  const [chunk] = await once(socket, 'data');
  assert.match(String(chunk), /^HTTP\/1\.1 400 /);
  const client = createHttpClient();
  t.after(() => client.close());
  const answer = await client.request({ method: 'GET', url: `http://127.0.0.1:${socket.remotePort}/` });
  assert.equal(await answer.text(), 'fine');
});

test('a header that cannot be sent is a failure of its own request', async (t) => {
  const socket = await serve(t, async (_, response) => response.send(200, { 'x-a': 'line\nbreak' }), {});
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  const [chunk] = await once(socket, 'data');
  assert.match(String(chunk), /^HTTP\/1\.1 500 /);
});

const rubbishFrames: readonly (readonly [string, readonly number[]])[] = [
  ['a frame without a mask', [0x81, 0x01, 0x61]],
  ['a reserved opcode', [0x83, 0x80, 0, 0, 0, 0]],
  ['a length of 2^63', [0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
  ['a compressed frame that was not agreed on', [0xc1, 0x80, 0, 0, 0, 0]],
  ['a continuation of nothing', [0x80, 0x80, 0, 0, 0, 0]],
];
for (const [what, bytes] of rubbishFrames) {
  test(`${what} ends its WebSocket with a code that says so, and nothing else`, async (t) => {
    const opened = Promise.withResolvers<Socket>();
    const listening = await createHttpServers({ log: silentLog }).listen({
      address: '127.0.0.1',
      port: 0,
      upgrade: () => ({ accept: true, maxFrameBytes: 1_000, open: opened.resolve }),
    });
    t.after(() => listening.close());
    const connection = net.connect(listening.port, '127.0.0.1');
    connection.on('error', () => undefined);
    t.after(() => connection.destroy());
    connection.write(
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    );
    // In the same segment as the upgrade or not: the frame counts either way.
    connection.write(Uint8Array.from(bytes));
    const socket = await opened.promise;
    connection.on('data', () => undefined);
    connection.on('end', () => connection.end());
    const { code, reason } = await socket.closed;
    assert.ok([1_002, 1_009].includes(code), `${code} ${reason}`);
  });
}
