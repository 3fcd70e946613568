// What every WebSocket dialler and server must do, talking to each other.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { DialOptions, Frame, ServerRequest, Socket, UpgradeDecision } from '@kedge/core/ports';
import { withCode } from './expect-error.ts';
import { createPki, type HttpUnderTest, serve, type TestServer } from './http-fixture.ts';

const text = ({ data }: Frame): string => new TextDecoder().decode(data);

async function take(socket: Socket, count: number): Promise<string[]> {
  const seen: string[] = [];
  for await (const frame of socket.frames()) {
    seen.push(text(frame));
    if (seen.length === count) break;
  }
  return seen;
}

export function describeWebSocket(what: string, under: HttpUnderTest, now: () => number): void {
  type Accepting = Partial<Extract<UpgradeDecision, { accept: true }>>;

  /** A server and a way to open both ends of a connection. */
  async function place(
    t: TestContext,
    accept: Accepting = {},
    seen: (request: ServerRequest) => void = () => undefined,
  ) {
    const arrived: PromiseWithResolvers<Socket> = Promise.withResolvers();
    const server = await serve(t, under, {
      upgrade: (request) => {
        seen(request);
        return { accept: true, maxFrameBytes: 4 * 1024 * 1024, open: arrived.resolve, ...accept };
      },
    });
    const dial = (more: Partial<DialOptions> = {}) => dialTo(server, more);
    return { server, dial, arrived: arrived.promise };
  }
  const dialTo = ({ socketUrl: url }: TestServer, more: Partial<DialOptions> = {}) =>
    under.dialer.dial({ url, headers: {}, maxFrameBytes: 4 * 1024 * 1024, timeoutMs: 5_000, ...more });
  async function pair(t: TestContext) {
    const { dial, arrived, server } = await place(t);
    const { socket } = await dial();
    return { near: socket, far: await arrived, server };
  }

  describe(`WebSocket: ${what}`, () => {
    test('the server sees path and headers, the client the headers of the answer', async (t) => {
      let asked: unknown;
      const { dial, server } = await place(t, { headers: { 'x-own': 'kedge' } }, ({ path, headers }) => {
        asked = [path, headers['node_id'], headers['connectionuse']];
      });
      const url = `${server.socketUrl}/e632/edge-1/events`;
      const { headers } = await dial({ url, headers: { node_id: 'edge-1', ConnectionUse: 'msg' } });
      assert.deepEqual(asked, ['/e632/edge-1/events', 'edge-1', 'msg']);
      assert.equal(headers['x-own'], 'kedge');
    });

    test('text and bytes go both ways as what they are', async (t) => {
      const { near, far } = await pair(t);
      await near.send('grüß');
      await near.send(Uint8Array.of(0xff, 0));
      await near.send(Uint8Array.of(0xff, 1), { binary: false });
      const seen: [boolean, number[]][] = [];
      for await (const { binary, data } of far.frames()) {
        seen.push([binary, [...data].slice(0, 2)]);
        if (seen.length === 3) break;
      }
      assert.deepEqual(seen, [
        [false, [0x67, 0x72]],
        [true, [0xff, 0]],
        [false, [0xff, 1]],
      ]);
    });

    test('frames sent before anyone listens are not lost', async (t) => {
      const { dial } = await place(t, {
        open: (socket) => void Promise.all(['a', 'b', 'c'].map((x) => socket.send(x))),
      });
      const { socket } = await dial();
      await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(await take(socket, 3), ['a', 'b', 'c']);
    });

    test('frames beyond the buffer hold the sender back, and all arrive in order', async (t) => {
      const { near, far } = await pair(t);
      const count = 600;
      const body = 'x'.repeat(64 * 1024);
      const sending = Promise.all(Array.from({ length: count }, (_, n) => near.send(`${n} ${body}`)));
      // Nobody reads yet: the bytes have to stay on the sender's side.
      for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      assert.ok(far.traffic.received < 8 * 1024 * 1024, `took ${far.traffic.received} bytes without a reader`);
      let next = 0;
      for await (const frame of far.frames()) {
        assert.equal(Number.parseInt(text(frame), 10), next);
        next += 1;
        if (next === count) break;
      }
      await sending;
    });

    test('what was received before the end is still delivered after it', async (t) => {
      const { near, far } = await pair(t);
      await near.send('last words');
      near.close(4_001, 'bye');
      assert.deepEqual(await far.closed, { code: 4_001, reason: 'bye' });
      assert.deepEqual(await take(far, 2), ['last words']);
    });

    test('a reader that comes late gets everything that was sent before the close', async (t) => {
      const { near, far } = await pair(t);
      const body = 'x'.repeat(64 * 1024);
      const sending = Promise.all(Array.from({ length: 40 }, (_, n) => near.send(`${n} ${body}`)));
      near.close(1_000, 'done');
      for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      assert.equal((await take(far, 41)).length, 40);
      await sending;
      assert.equal((await far.closed).code, 1_000);
    });

    test('a connection that nobody reads can still be ended', async (t) => {
      const { near, far } = await pair(t);
      const body = new Uint8Array(64 * 1024);
      const sending = Promise.allSettled(Array.from({ length: 200 }, () => near.send(body)));
      for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      far.terminate();
      assert.equal((await far.closed).code, 1_006);
      assert.equal((await near.closed).code, 1_006);
      await sending;
    });

    test('both ends learn how the connection ended', async (t) => {
      const { near, far } = await pair(t);
      far.close(1_008, `because ${'x'.repeat(200)}`);
      const { code, reason } = await near.closed;
      assert.equal(code, 1_008);
      assert.match(reason, /^because x+$/);
      assert.equal((await far.closed).code, 1_008);
      assert.deepEqual(await take(near, 1), []);
    });

    test('a torn connection ends with 1006', async (t) => {
      const { near, far } = await pair(t);
      near.terminate();
      assert.equal((await far.closed).code, 1_006);
      assert.equal((await near.closed).code, 1_006);
      await assert.rejects(near.send('x'), withCode('HTTP_CLOSED'));
    });

    test('a frame over the limit closes with 1009', async (t) => {
      const { dial, arrived } = await place(t, { maxFrameBytes: 100 });
      const { socket } = await dial();
      void socket.send('x'.repeat(101)).catch(() => undefined);
      assert.equal((await (await arrived).closed).code, 1_009);
      assert.equal((await socket.closed).code, 1_009);
    });

    test('the client has a limit too', async (t) => {
      const { dial, arrived } = await place(t);
      const { socket } = await dial({ maxFrameBytes: 100 });
      void (await arrived).send('x'.repeat(101)).catch(() => undefined);
      assert.equal((await socket.closed).code, 1_009);
    });

    test('both ends count the same bytes', async (t) => {
      const { near, far } = await pair(t);
      const answer = take(near, 1);
      for (const size of [0, 125, 126, 65_536]) await near.send('x'.repeat(size));
      await take(far, 4);
      await far.send('ok');
      await answer;
      assert.deepEqual(near.traffic, { sent: 0 + 125 + 126 + 65_536 + 6 + 6 + 8 + 14, received: 4 });
      assert.deepEqual(far.traffic, { sent: near.traffic.received, received: near.traffic.sent });
    });

    test('a refusal carries its status and its reason', async (t) => {
      const server = await serve(t, under, {
        upgrade: () => ({ accept: false, status: 401, say: 'no such node' }),
      });
      await assert.rejects(dialTo(server), (error: Error & { details?: { status: number; say: string } }) => {
        assert.ok(withCode('HTTP_UPGRADE_REFUSED')(error));
        assert.deepEqual([error.details?.status, error.details?.say], [401, 'no such node']);
        return true;
      });
    });

    test('a decision that throws is a refusal, and the server goes on', async (t) => {
      let first = true;
      const { dial } = await place(t, {}, () => {
        if (!first) return;
        first = false;
        throw new Error('defect');
      });
      await assert.rejects(dial(), withCode('HTTP_UPGRADE_REFUSED'));
      await dial();
    });

    test('a server without WebSockets refuses', async (t) => {
      const server = await serve(t, under, { handler: async (_, response) => response.send(404, {}, 'no') });
      await assert.rejects(dialTo(server), withCode('HTTP_UPGRADE_REFUSED'));
    });

    test('no server, a bad address, a signal: each is said as what it is', async (t) => {
      const { server, dial } = await place(t);
      const stop = new AbortController();
      stop.abort(new Error('never mind'));
      await assert.rejects(dial({ signal: stop.signal }), /never mind/);
      await assert.rejects(dial({ url: 'http://127.0.0.1/' }), withCode('HTTP_BAD_URL'));
      await server.close();
      await assert.rejects(dial(), withCode('HTTP_CONNECT_FAILED'));
    });

    test('a stopping server says that it is going away', async (t) => {
      const { near, server } = await pair(t);
      await server.close();
      assert.equal((await near.closed).code, 1_001);
    });

    test('with TLS both sides know each other', async (t) => {
      const pki = await createPki(under.authorities, now());
      const peers: string[] = [];
      const server = await serve(t, under, {
        tls: { ...pki.server, clientCa: pki.authority.certificatePem, clientAuth: 'require' },
        upgrade: ({ peer }) => {
          peers.push(peer?.commonName ?? 'nobody');
          return { accept: true, maxFrameBytes: 100, open: (socket) => void socket.send('welcome') };
        },
      });
      const ca = pki.authority.certificatePem;
      const { socket } = await dialTo(server, {
        tls: { ca, ...(await pki.issue('system:node:edge-1', 'clientAuth')) },
      });
      assert.deepEqual(await take(socket, 1), ['welcome']);
      assert.deepEqual(peers, ['system:node:edge-1']);
      await assert.rejects(dialTo(server, { tls: { ca } }));
      const stranger = await createPki(under.authorities, now());
      await assert.rejects(
        dialTo(server, { tls: { ca: stranger.authority.certificatePem } }),
        withCode('HTTP_UNTRUSTED_SERVER'),
      );
      assert.equal(peers.length, 1);
    });
  });
}
