// A server that speaks HTTP/2 keeps the contract of HTTP with clients of both versions.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { Socket } from 'node:net';
import { after, describe, test } from 'node:test';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { silentLog } from '@kedge/core/log';
import { type HttpClient, httpErrors, type HttpRequest, type HttpResponse, type TlsFiles } from '@kedge/core/ports';
import { days, instant, milliseconds, minus, plus } from '@kedge/core/time';
import { createDialer, createHttpClient, createHttpServers } from '@kedge/platform/node';
import { createCertificateAuthorities } from '@kedge/platform/x509';
import { describeHttp, type HttpUnderTest } from '@kedge/testing/contracts';

const now = instant(Date.now());
const span = { notBefore: minus(now, days(1)), notAfter: plus(now, days(1)) };
const authority = await createCertificateAuthorities().createAuthority({
  subject: { commonName: 'test', organizations: [] },
  ...span,
});
const issued = await authority.issueWithKey({
  subject: { commonName: 'localhost', organizations: [] },
  dnsNames: ['localhost'],
  addresses: ['127.0.0.1'],
  usages: ['serverAuth'],
  ...span,
});
const person = await authority.issueWithKey({
  subject: { commonName: 'jane', organizations: ['admins'] },
  usages: ['clientAuth'],
  ...span,
});
const tls = {
  certificate: issued.certificatePem,
  key: issued.key.reveal(),
  clientCa: authority.certificatePem,
  clientAuth: 'request',
  http2: true,
} as const;

const secured = (url: string): string => url.replace(/^http:/, 'https:');
const sessions = new Set<ClientHttp2Session>();
after(() => sessions.forEach((session) => session.destroy()));

/** As much of a client over node:http2 as the contract asks for. */
function http2Client(answerWithinMs = 60_000, files?: TlsFiles): HttpClient {
  const known = new Map<string, ClientHttp2Session>();
  let isClosed = false;

  function sessionFor(origin: string): ClientHttp2Session {
    const open = known.get(origin);
    if (open && !open.closed && !open.destroyed) return open;
    const session = connect(origin, {
      rejectUnauthorized: false,
      ...(files ? { cert: files.certificate, key: files.key } : {}),
    });
    session.on('error', () => undefined);
    sessions.add(session.once('close', () => sessions.delete(session)));
    known.set(origin, session);
    return session;
  }

  async function request({ method, url, headers = {}, body, signal }: HttpRequest): Promise<HttpResponse> {
    if (isClosed) throw httpErrors.CLOSED({ what: 'the client' });
    signal?.throwIfAborted();
    if (!/^https?:\/\//.test(url)) throw httpErrors.BAD_URL({ url });
    const { origin, pathname, search } = new URL(secured(url));
    const stream = sessionFor(origin).request({
      ...headers,
      ':method': method,
      ':path': `${pathname}${search}`,
      ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
    });
    const aborted = Promise.withResolvers<never>();
    aborted.promise.catch(() => undefined);
    const onAbort = (): void => {
      aborted.reject(signal?.reason);
      stream.close(8);
    };
    signal?.addEventListener('abort', onAbort);
    stream.once('close', () => signal?.removeEventListener('abort', onAbort));
    stream.on('error', () => undefined);
    stream.end(body);
    const broken = new Promise<never>((_, reject) => {
      stream.once('close', () => reject(httpErrors.CONNECTION_LOST({ url, reason: 'the stream was closed' })));
      stream.once('error', (error: Error) => reject(httpErrors.CONNECT_FAILED({ url, reason: error.message }, error)));
    });
    broken.catch(() => undefined);
    const late = new Promise<never>((_, reject) => {
      const timer = setTimeout(() => {
        stream.close(8);
        reject(httpErrors.TIMEOUT({ url, ms: answerWithinMs, waitedFor: 'an answer' }));
      }, answerWithinMs);
      stream.once('response', () => clearTimeout(timer)).once('close', () => clearTimeout(timer));
    });
    late.catch(() => undefined);
    const [head] = (await Promise.race([once(stream, 'response'), aborted.promise, broken, late])) as [
      Record<string, string | number>,
    ];
    async function* chunks(): AsyncGenerator<Uint8Array> {
      let isWhole = false;
      stream.once('end', () => (isWhole = true));
      try {
        for await (const chunk of stream as AsyncIterable<Uint8Array>) yield chunk;
        if (!isWhole || stream.rstCode !== 0) throw httpErrors.CONNECTION_LOST({ url, reason: 'it was cut' });
      } catch (error) {
        signal?.throwIfAborted();
        throw httpErrors.CONNECTION_LOST.is(error) ? error : httpErrors.CONNECTION_LOST({ url, reason: String(error) });
      } finally {
        stream.close(8);
      }
    }
    const bytes = async (limit = 64 << 20): Promise<Uint8Array> => {
      const all: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of chunks()) {
        size += chunk.length;
        if (size > limit) throw httpErrors.BODY_TOO_LARGE({ limit });
        all.push(chunk);
      }
      return Buffer.concat(all);
    };
    const plain = Object.entries(head).filter(([name]) => !name.startsWith(':'));
    return {
      status: Number(head[':status']),
      headers: Object.fromEntries(plain.map(([name, value]) => [name, String(value)])),
      bytes,
      text: async (limit) => new TextDecoder().decode(await bytes(limit)),
      chunks,
    };
  }

  return {
    request,
    async close() {
      isClosed = true;
      for (const session of known.values()) session.destroy();
    },
  };
}

/** Listens over TLS also where the suite asks for plain HTTP, so that every rule is held to both protocols. */
const under = (client: HttpUnderTest['client']): HttpUnderTest => ({
  servers(log) {
    const servers = createHttpServers({ log });
    return { listen: (options) => servers.listen({ ...options, tls: options.tls ?? tls }) };
  },
  client,
  dialer: createDialer(),
  authorities: createCertificateAuthorities(),
});

describeHttp(
  'HTTP/2',
  under((options = {}) => http2Client(options.answerWithinMs)),
);

describeHttp(
  'HTTP/1.1 beside HTTP/2',
  under(({ answerWithinMs } = {}) => {
    const client = createHttpClient({
      tls: { trustAnyServer: true },
      ...(answerWithinMs === undefined ? {} : { timeouts: { answer: milliseconds(answerWithinMs) } }),
    });
    return { ...client, request: (asked) => client.request({ ...asked, url: secured(asked.url) }) };
  }),
);

describe('a server that speaks HTTP/2', () => {
  test('knows each caller by the certificate of its connection', async (t) => {
    const callers: string[] = [];
    const listening = await createHttpServers({ log: silentLog }).listen({
      address: '127.0.0.1',
      port: 0,
      tls,
      async handler({ peer }, response) {
        callers.push(peer?.commonName ?? 'nobody');
        response.send(200, {});
      },
    });
    t.after(() => listening.close());
    const url = `https://127.0.0.1:${listening.port}/`;
    const jane = http2Client(1_000, { certificate: person.certificatePem, key: person.key.reveal() });
    for (const client of [jane, http2Client(), jane]) await client.request({ method: 'GET', url });
    assert.deepEqual(callers, ['jane', 'nobody', 'jane']);
  });

  test('lets a connection without requests go, and keeps one with a long answer', async (t) => {
    const limits = { idle: milliseconds(100) };
    const listening = await createHttpServers({ log: silentLog, limits }).listen({
      address: '127.0.0.1',
      port: 0,
      tls,
      async handler({ path, signal }, response) {
        if (path === '/short') return response.send(200, {});
        const stream = response.stream(200, {});
        stream.write('first');
        await once(signal, 'abort');
      },
    });
    t.after(() => listening.close());
    const url = `https://127.0.0.1:${listening.port}`;
    const before = sessions.size;
    await http2Client().request({ method: 'GET', url: `${url}/short` });
    const long = http2Client();
    const answer = await long.request({ method: 'GET', url: `${url}/long` });
    while (sessions.size > before + 1) await new Promise((resolve) => setTimeout(resolve, 20));
    await new Promise((resolve) => setTimeout(resolve, 250));
    assert.equal(sessions.size, before + 1);
    for await (const chunk of answer.chunks()) {
      assert.equal(new TextDecoder().decode(chunk), 'first');
      break;
    }
    await long.close();
  });

  test('tells every long answer of a connection that its client is gone, also when that is no error', async (t) => {
    let open = 0;
    const none = Promise.withResolvers<void>();
    const listening = await createHttpServers({ log: silentLog }).listen({
      address: '127.0.0.1',
      port: 0,
      tls,
      async handler({ signal }, response) {
        open += 1;
        response.stream(200, {}).write('first');
        await once(signal, 'abort');
        open -= 1;
        if (open === 0) none.resolve();
      },
    });
    t.after(() => listening.close());
    const url = `https://127.0.0.1:${listening.port}/`;
    const session = connect(url, { rejectUnauthorized: false });
    const streams = Array.from({ length: 20 }, () => session.request({ ':path': '/' }));
    await Promise.all(streams.map((stream) => once(stream, 'response')));
    assert.equal(open, 20);
    for (const stream of streams) stream.close(constants.NGHTTP2_NO_ERROR);
    await none.promise;
    assert.equal(open, 0);
    session.destroy();
  });

  test('sends each piece of an answer at once, also over HTTP/1.1', async (t) => {
    const noDelay = t.mock.method(Socket.prototype, 'setNoDelay');
    const listening = await createHttpServers({ log: silentLog }).listen({
      address: '127.0.0.1',
      port: 0,
      tls,
      async handler(_request, response) {
        response.send(200, {});
      },
    });
    t.after(() => listening.close());
    const client = connectTls({ host: '127.0.0.1', port: listening.port, rejectUnauthorized: false });
    await once(client, 'secureConnect');
    client.end('GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
    client.resume();
    await once(client, 'close');
    const asked = noDelay.mock.calls.filter(({ this: socket }) => !(socket instanceof TLSSocket));
    assert.deepEqual(
      asked.map(({ arguments: given }) => given),
      [[true]],
    );
  });
});
