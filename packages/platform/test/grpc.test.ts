// Calls over HTTP/2 on a Unix socket: every way they end.
import assert from 'node:assert/strict';
import { createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { milliseconds } from '@kedge/core/time';
import { askGrpcHealth, openGrpcChannel, type GrpcChannelOptions } from '@kedge/platform/grpc';
import { rpcCodeOf, rpcErrors } from '@kedge/wire/rpc';
import { temporaryDirectory } from '@kedge/testing/contracts';

type Handler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, message: Buffer) => void;

const withRpcCode = (code: string) => (error: unknown) => rpcCodeOf(error) === code;
const frame = (...bytes: number[]): Buffer => Buffer.from([0, 0, 0, 0, bytes.length, ...bytes]);
const ok = { 'grpc-status': '0' };

function answer(
  stream: ServerHttp2Stream,
  body: Buffer | readonly Buffer[],
  trailers: Record<string, string> = ok,
): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  for (const chunk of Array.isArray(body) ? body : [body]) stream.write(chunk);
  stream.end();
}

async function listen(socketPath: string, handler: Handler): Promise<Http2Server> {
  const server = createServer();
  server.on('stream', (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on('error', () => undefined);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => handler(stream, headers, Buffer.concat(chunks)));
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return server;
}

describe('gRPC health checks', () => {
  const served = async (t: TestContext, handler: Handler): Promise<number> => {
    const server = createServer();
    server.on('stream', (stream, headers) => {
      const chunks: Buffer[] = [];
      stream.on('error', () => undefined);
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => handler(stream, headers, Buffer.concat(chunks)));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    return (server.address() as { port: number }).port;
  };
  const ask = (port: number, service = '', signal = AbortSignal.timeout(5_000)) =>
    askGrpcHealth({ host: '127.0.0.1', port, service }, signal);

  test('name the service and give what it says', async (t) => {
    const asked: string[] = [];
    const port = await served(t, (stream, headers, message) => {
      asked.push(`${String(headers[':path'])} ${message.subarray(5).toString('latin1')}`);
      answer(stream, frame(0x08, 1));
    });
    assert.equal(await ask(port, 'shop'), 1);
    assert.deepEqual(asked, ['/grpc.health.v1.Health/Check \n\x04shop']);
  });

  test('without a status mean unknown', async (t) => {
    const port = await served(t, (stream) => answer(stream, frame()));
    assert.equal(await ask(port), 0);
  });

  test('fail where nobody listens, where the service is not known, and when time is up', async (t) => {
    await assert.rejects(ask(1), withRpcCode('UNAVAILABLE'));
    const unknown = await served(t, (stream) => answer(stream, Buffer.alloc(0), { 'grpc-status': '5' }));
    await assert.rejects(ask(unknown, 'nobody'), withRpcCode('NOT_FOUND'));
    const silent = await served(t, () => undefined);
    await assert.rejects(ask(silent, '', AbortSignal.timeout(50)));
  });
});

async function rig(t: TestContext, handler: Handler, options: Partial<GrpcChannelOptions> = {}) {
  const socketPath = join(await temporaryDirectory(t), 's');
  const sessions = new Set<{ destroy(): void }>();
  const start = async () => {
    const server = await listen(socketPath, handler);
    server.on('session', (session) => sessions.add(session));
    return server;
  };
  let server = await start();
  const channel = openGrpcChannel({ socketPath, ...options });
  const down = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const session of sessions) session.destroy();
    sessions.clear();
    await closed;
  };
  t.after(async () => {
    channel.close();
    await down();
  });
  return {
    channel,
    down,
    up: async () => {
      server = await start();
    },
  };
}

const nothing = new Uint8Array(0);
const call = (channel: { call(path: string, message: Uint8Array): Promise<Uint8Array> }) =>
  channel.call('/s/M', nothing);

describe('a call', () => {
  test('carries the message there and the answer back', async (t) => {
    let seen: [IncomingHttpHeaders, Buffer] | undefined;
    const { channel } = await rig(t, (stream, headers, message) => {
      seen = [headers, message];
      answer(stream, frame(7, 8));
    });
    assert.deepEqual([...(await channel.call('/s/M', Uint8Array.of(1, 2)))], [7, 8]);
    assert.equal(seen?.[0][':path'], '/s/M');
    assert.equal(seen?.[0][':authority'], 'localhost');
    assert.equal(seen?.[0]['grpc-timeout'], '120000m');
    assert.deepEqual(seen?.[1], frame(1, 2));
  });

  test('takes answers that arrive in pieces', async (t) => {
    const whole = frame(1, 2, 3, 4);
    const { channel } = await rig(t, (stream) =>
      answer(stream, [whole.subarray(0, 3), whole.subarray(3, 6), whole.subarray(6)]),
    );
    assert.deepEqual([...(await call(channel))], [1, 2, 3, 4]);
  });

  test('many at once share a connection', async (t) => {
    const { channel } = await rig(t, (stream, _headers, message) => answer(stream, frame(message[5] ?? 0)));
    const numbers = Array.from({ length: 50 }, (_, index) => index);
    const answers = await Promise.all(numbers.map((number) => channel.call('/s/M', Uint8Array.of(number))));
    assert.deepEqual(
      answers.map(([number]) => number),
      numbers,
    );
  });

  test('that is refused says with which code and why', async (t) => {
    const trailers = { 'grpc-status': '5', 'grpc-message': 'no such th%C3%AFng' };
    const { channel } = await rig(t, (stream) => answer(stream, [], trailers));
    await assert.rejects(call(channel), (error) => {
      assert.ok(rpcErrors.REFUSED.is(error));
      assert.deepEqual(error.details, { method: '/s/M', code: 'NOT_FOUND', message: 'no such thïng' });
      return true;
    });
  });

  test('that is refused in one block of headers is refused all the same', async (t) => {
    const { channel } = await rig(t, (stream) =>
      stream.respond({ ':status': 200, 'grpc-status': '12', 'grpc-message': '%bad' }, { endStream: true }),
    );
    await assert.rejects(call(channel), (error) => rpcCodeOf(error) === 'UNIMPLEMENTED');
  });

  test('that takes too long is given up', async (t) => {
    const { channel } = await rig(t, () => undefined, { timeout: milliseconds(20) });
    await assert.rejects(
      call(channel),
      (error) => rpcErrors.TIMED_OUT.is(error) && rpcCodeOf(error) === 'DEADLINE_EXCEEDED',
    );
  });

  test('that is cancelled ends at once, here and there', async (t) => {
    const stop = new AbortController();
    let closed: () => void = () => undefined;
    const gone = new Promise<void>((resolve) => (closed = resolve));
    const { channel } = await rig(t, (stream) => {
      stream.on('close', () => closed());
      stop.abort(new Error('enough'));
    });
    await assert.rejects(channel.call('/s/M', nothing, { signal: stop.signal }), /enough/);
    await gone;
    await assert.rejects(channel.call('/s/M', nothing, { signal: stop.signal }), /enough/);
  });

  test('whose answer is over the limit is refused before it is kept', async (t) => {
    const { channel } = await rig(t, (stream) => answer(stream, Buffer.from([0, 0x7f, 0xff, 0xff, 0xff])), {
      maxMessageBytes: 100,
    });
    await assert.rejects(call(channel), (error) => rpcErrors.TOO_LARGE.is(error) && error.details.limit === 100);
  });

  for (const [what, handler] of [
    ['is not gRPC', (stream) => (stream.respond({ ':status': 404 }), stream.end('not found'))],
    ['is compressed', (stream) => answer(stream, Buffer.from([1, 0, 0, 0, 1, 0]))],
    ['is cut short', (stream) => answer(stream, frame(1, 2, 3).subarray(0, 7))],
    ['is a success without a message', (stream) => answer(stream, [])],
  ] as [string, Handler][]) {
    test(`whose answer ${what} is malformed`, async (t) => {
      const { channel } = await rig(t, handler);
      await assert.rejects(call(channel), (error) => rpcErrors.MALFORMED.is(error) || rpcErrors.UNREACHABLE.is(error));
    });
  }

  test('to nobody is UNAVAILABLE', async (t) => {
    const channel = openGrpcChannel({ socketPath: join(await temporaryDirectory(t), 'none') });
    await assert.rejects(
      call(channel),
      (error) => rpcErrors.UNREACHABLE.is(error) && rpcCodeOf(error) === 'UNAVAILABLE',
    );
    channel.close();
    await assert.rejects(call(channel), /closed/);
  });

  test('fails when the peer goes away, and the next one connects again', async (t) => {
    let isMute = true;
    let arrived: () => void = () => undefined;
    const arrival = new Promise<void>((resolve) => (arrived = resolve));
    const { channel, down, up } = await rig(t, (stream) => {
      arrived();
      if (!isMute) answer(stream, frame(1));
    });
    const cut = assert.rejects(call(channel), (error) => rpcCodeOf(error) === 'UNAVAILABLE');
    await arrival;
    await down();
    await cut;
    isMute = false;
    await up();
    assert.deepEqual([...(await call(channel))], [1]);
  });
});

describe('a stream', () => {
  test('gives messages as they come, and ends', async (t) => {
    const { channel } = await rig(t, (stream) =>
      answer(
        stream,
        Array.from({ length: 200 }, (_, i) => frame(i)),
      ),
    );
    const seen: number[] = [];
    for await (const [number] of channel.stream('/s/M', nothing)) seen.push(number ?? -1);
    assert.deepEqual(
      seen,
      Array.from({ length: 200 }, (_, i) => i),
    );
  });

  test('is cancelled by not reading on', async (t) => {
    let closed: () => void = () => undefined;
    const gone = new Promise<void>((resolve) => (closed = resolve));
    const { channel } = await rig(t, (stream) => {
      stream.respond({ ':status': 200 });
      stream.write(frame(1));
      stream.on('close', () => closed());
    });
    for await (const [number] of channel.stream('/s/M', nothing)) {
      assert.equal(number, 1);
      break;
    }
    await gone;
  });

  test('that fails at its end throws after its messages', async (t) => {
    const { channel } = await rig(t, (stream) =>
      answer(stream, frame(1), { 'grpc-status': '14', 'grpc-message': 'later' }),
    );
    const seen: number[] = [];
    const read = async () => {
      for await (const [number] of channel.stream('/s/M', nothing)) seen.push(number ?? -1);
    };
    await assert.rejects(read(), (error) => rpcCodeOf(error) === 'UNAVAILABLE');
    assert.deepEqual(seen, [1]);
  });
});
