// Our gRPC server against our client, and against the bytes of an old client in Go.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { link, readFile, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { milliseconds } from '@kedge/core/time';
import { grpcServers, openGrpcChannel } from '@kedge/platform/grpc';
import { temporaryDirectory } from '@kedge/testing/contracts';
import { rpcErrors, rpcFailure, type RpcHandlers } from '@kedge/wire/rpc';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const bytes = (words: string): Uint8Array => Buffer.from(words);

async function place(
  t: TestContext,
  handlers: RpcHandlers,
  more: { maxMessageBytes?: number; maxCalls?: number } = {},
) {
  const socketPath = join(await temporaryDirectory(t), 's.sock');
  const server = await grpcServers.listen({ socketPath, handlers, ...more });
  const channel = openGrpcChannel({ socketPath });
  t.after(async () => {
    channel.close();
    await server.close();
  });
  return { socketPath, channel };
}

describe('a gRPC server', () => {
  test('answers, many calls at once, large ones too', async (t) => {
    const at = await place(t, { '/a.B/Echo': async (message) => message });
    const large = 'x'.repeat(300_000);
    const answers = await Promise.all(['a', large, ''].map((words) => at.channel.call('/a.B/Echo', bytes(words))));
    assert.deepEqual(answers.map(text), ['a', large, '']);
  });

  test('says what went wrong, with its code and in any script', async (t) => {
    const at = await place(t, {
      '/a.B/Refuse': async () => Promise.reject(rpcFailure('NOT_FOUND', 'kein Gerät "ü"\n100 %')),
      '/a.B/Break': async () => Promise.reject(new Error('broken')),
    });
    const refused = await at.channel.call('/a.B/Refuse', bytes('')).catch((error: unknown) => error);
    assert.ok(rpcErrors.REFUSED.is(refused));
    assert.deepEqual([refused.details.code, refused.details.message], ['NOT_FOUND', 'kein Gerät "ü"\n100 %']);
    await assert.rejects(at.channel.call('/a.B/Break', bytes('')), /UNKNOWN: broken/);
    await assert.rejects(at.channel.call('/a.B/None', bytes('')), /UNIMPLEMENTED/);
    await assert.rejects(at.channel.call('/constructor', bytes('')), /UNIMPLEMENTED/);
  });

  test('keeps to sizes, numbers and deadlines', async (t) => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const at = await place(
      t,
      {
        '/a.B/Echo': async (message) => message,
        '/a.B/Hold': async () => held.then(() => bytes('done')),
      },
      { maxMessageBytes: 100, maxCalls: 1 },
    );
    await assert.rejects(at.channel.call('/a.B/Echo', bytes('x'.repeat(101))), /RESOURCE_EXHAUSTED/);
    const holding = at.channel.call('/a.B/Hold', bytes(''));
    await assert.rejects(at.channel.call('/a.B/Echo', bytes('')), /RESOURCE_EXHAUSTED: more than 1/);
    release();
    assert.equal(text(await holding), 'done');
    assert.equal(text(await at.channel.call('/a.B/Echo', bytes('y'))), 'y');
  });

  test('a caller that gives up is noticed', async (t) => {
    let aborted: Promise<void> | undefined;
    const at = await place(t, {
      '/a.B/Hang': (_, { signal }) => {
        aborted = new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
        return new Promise(() => undefined);
      },
    });
    const call = at.channel.call('/a.B/Hang', bytes(''), { timeout: milliseconds(30) });
    await assert.rejects(call, /within 30 ms|DEADLINE/);
    await aborted;
  });

  test('garbage costs its sender the connection, and nobody else anything', async (t) => {
    const at = await place(t, { '/a.B/Echo': async (message) => message });
    const preface = bytes('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    const settings = Uint8Array.of(0, 0, 0, 4, 0, 0, 0, 0, 0);
    const tooLong = Uint8Array.of(255, 255, 255, 1, 4, 0, 0, 0, 1);
    const nonsense = Uint8Array.of(0, 0, 4, 1, 4, 0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff);
    const all = [
      bytes('GET / HTTP/1.1\r\n\r\n'),
      Buffer.concat([preface, settings, tooLong]),
      Buffer.concat([preface, settings, nonsense]),
    ];
    for (const some of all) {
      const socket = connect(at.socketPath).on('error', () => undefined);
      const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
      socket.resume().write(some);
      await closed;
    }
    assert.equal(text(await at.channel.call('/a.B/Echo', bytes('still here'))), 'still here');
  });

  test('a socket of a crashed process is taken over, one in use is not', async (t) => {
    const at = await place(t, {});
    await assert.rejects(grpcServers.listen({ socketPath: at.socketPath, handlers: {} }), /another program listens/);
    const left = `${at.socketPath}.left`;
    const before = createServer().listen(`${left}.1`);
    await once(before, 'listening');
    await link(`${left}.1`, left);
    await new Promise((resolve) => before.close(resolve));
    const server = await grpcServers.listen({ socketPath: left, handlers: {} });
    await server.close();
  });

  test('nobody but the owner and the group may connect, and nobody but the owner until it is ready', async (t) => {
    const socketPath = join(await temporaryDirectory(t), 's.sock');
    const modes: number[] = [];
    const umask = process.umask();
    const listening = grpcServers.listen({ socketPath, handlers: {} });
    let isReady = false;
    void listening.then(() => (isReady = true));
    while (!isReady) {
      const found = await stat(socketPath).catch(() => undefined);
      if (found) modes.push(found.mode & 0o777);
    }
    t.after(async () => (await listening).close());
    modes.push((await stat(socketPath)).mode & 0o777);
    assert.deepEqual(
      modes.filter((mode) => mode !== 0o600 && mode !== 0o660),
      [],
    );
    assert.equal(modes.at(-1), 0o660);
    assert.equal(process.umask(), umask);
  });

  test('a file that is no socket stays where it is', async (t) => {
    const file = join(await temporaryDirectory(t), 'important.yaml');
    await writeFile(file, 'kept');
    await assert.rejects(grpcServers.listen({ socketPath: file, handlers: {} }), /no socket/);
    assert.equal(await readFile(file, 'utf8'), 'kept');
  });

  test('takes the path of a socket as authority, first spelled out and then from the table of headers', async (t) => {
    const at = await place(t, { '/v1beta1.DeviceManagerService/MapperRegister': async (message) => message });
    const frame = (type: number, flags: number, stream: number, payload: Uint8Array): Uint8Array => {
      const head = Buffer.alloc(9);
      head.writeUIntBE(payload.length, 0, 3);
      head[3] = type;
      head[4] = flags;
      head.writeUInt32BE(stream, 5);
      return Buffer.concat([head, payload]);
    };
    // HPACK as grpc-go 1.50 writes it: `:authority: /etc/kubeedge/dmi.sock` in Huffman code, added to the table.
    const spelled = Buffer.from(
      '838644a063b8632a4615ef97b9885d03a87316cdc5b3b98856340ebacb66d2cc6424b67f419060a9231d6d8ca59262b125265d07275f5f8b1d' +
        '75d0620d263d4c4d65647a8a9acac8b4c7602bb605c34082497f864d833505b11f40899acac8b24d494f6a7f867df79e7036ff',
      'hex',
    );
    const again = Buffer.from('8386c3c2c1c0bf', 'hex');
    const message = Buffer.from([0, 0, 0, 0, 2, 104, 105]);
    const sent = Buffer.concat([
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      frame(4, 0, 0, Buffer.alloc(0)),
      frame(1, 4, 1, spelled),
      frame(0, 1, 1, message),
      frame(1, 4, 3, again),
      frame(0, 1, 3, message),
    ]);
    const socket = connect(at.socketPath);
    let received = Buffer.alloc(0);
    const bothEnded = new Promise<void>((resolve, reject) => {
      socket.on('data', (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        if (ends(received).length >= 2) resolve();
      });
      socket.on('close', () => reject(new Error(`closed after ${received.toString('hex')}`)));
    });
    // In pieces, so that frames are cut anywhere.
    for (let n = 0; n < sent.length; n += 37) socket.write(sent.subarray(n, n + 37));
    await bothEnded;
    socket.removeAllListeners('close').destroy();
    assert.deepEqual(ends(received), [
      [1, 'hi'],
      [3, 'hi'],
    ]);
  });
});

/** Streams that ended, with the message that came on each. */
function ends(received: Buffer): [stream: number, message: string][] {
  const messages = new Map<number, string>();
  const ended: [number, string][] = [];
  for (let at = 0; at + 9 <= received.length;) {
    const length = received.readUIntBE(at, 3);
    const stream = received.readUInt32BE(at + 5);
    if (received[at + 3] === 0) messages.set(stream, received.toString('utf8', at + 14, at + 9 + length));
    if (received[at + 3]! <= 1 && received[at + 4]! & 1) ended.push([stream, messages.get(stream) ?? '']);
    at += 9 + length;
  }
  return ended;
}
