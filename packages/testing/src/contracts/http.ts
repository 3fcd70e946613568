// What every HTTP client and server must do, talking to each other.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HttpResponse, ResponseStream } from '@kedge/core/ports';
import { withCode } from './expect-error.ts';
import { aborted, clientFor, type HttpUnderTest, local, serve } from './http-fixture.ts';

const text = (data: Uint8Array): string => new TextDecoder().decode(data);

export function describeHttp(what: string, under: HttpUnderTest): void {
  describe(`HTTP: ${what}`, () => {
    test('the handler sees the request as it was sent', async (t) => {
      const { url } = await serve(t, under, {
        handler: async (request, response) => {
          const { method, path, headers } = request;
          const body = text(await request.body(100));
          const query = [...request.query];
          response.send(
            201,
            { 'X-Answer': 'yes' },
            JSON.stringify({ method, path, query, own: headers['x-own'], body }),
          );
        },
      });
      const answer = await clientFor(t, under).request({
        method: 'PUT',
        url: `${url}/a%20b/c?x=1&x=%C3%BC&y`,
        headers: { 'X-Own': 'mine' },
        body: 'grüß',
      });
      assert.equal(answer.status, 201);
      assert.equal(answer.headers['x-answer'], 'yes');
      assert.deepEqual(JSON.parse(await answer.text()), {
        method: 'PUT',
        path: '/a%20b/c',
        query: [
          ['x', '1'],
          ['x', 'ü'],
          ['y', ''],
        ],
        own: 'mine',
        body: 'grüß',
      });
    });

    test('bytes go both ways unchanged', async (t) => {
      const { url } = await serve(t, under, {
        handler: async (request, response) => response.send(200, {}, await request.body(10)),
      });
      const answer = await clientFor(t, under).request({ method: 'POST', url, body: Uint8Array.of(0, 255, 10) });
      assert.deepEqual([...(await answer.bytes())], [0, 255, 10]);
    });

    test('a HEAD has the headers and no body', async (t) => {
      const { url } = await serve(t, under, {
        handler: async (_, response) => response.send(200, { 'x-a': '1' }, 'body'),
      });
      const answer = await clientFor(t, under).request({ method: 'HEAD', url });
      assert.deepEqual([answer.headers['content-length'], await answer.text()], ['4', '']);
    });

    test('an answer without a body says so', async (t) => {
      const { url } = await serve(t, under, {
        handler: async ({ path }, response) => response.send(Number(path.slice(1)), {}),
      });
      const client = clientFor(t, under);
      const lengthOf = async (status: number) => {
        const answer = await client.request({ method: 'GET', url: `${url}/${status}` });
        return [answer.status, answer.headers['content-length'], await answer.text()];
      };
      assert.deepEqual(await lengthOf(200), [200, '0', '']);
      assert.deepEqual(await lengthOf(204), [204, undefined, '']);
      assert.deepEqual(await lengthOf(304), [304, undefined, '']);
    });

    test('a body over the limit is answered 413, and the server goes on', async (t) => {
      const { url } = await serve(t, under, {
        handler: async (request, response) => response.send(200, {}, String((await request.body(10)).length)),
      });
      const client = clientFor(t, under);
      const post = (body: string) => client.request({ method: 'POST', url, body });
      assert.equal((await post('x'.repeat(11))).status, 413);
      assert.equal(await (await post('x'.repeat(10))).text(), '10');
    });

    test('an answer over the limit of the client is a typed error', async (t) => {
      const { url } = await serve(t, under, { handler: async (_, response) => response.send(200, {}, 'x'.repeat(11)) });
      const client = clientFor(t, under);
      const answer = await client.request({ method: 'GET', url });
      await assert.rejects(answer.text(10), withCode('HTTP_BODY_TOO_LARGE'));
      assert.equal((await (await client.request({ method: 'GET', url })).text(11)).length, 11);
    });

    test('a handler that throws is a 500 without details and a log line', async (t) => {
      const { url, logged } = await serve(t, under, {
        handler: async () => {
          throw new Error('the password is swordfish');
        },
      });
      const answer = await clientFor(t, under).request({ method: 'GET', url: `${url}/secret?token=1` });
      assert.equal(answer.status, 500);
      assert.doesNotMatch(await answer.text(), /swordfish/);
      assert.deepEqual(
        logged.map(({ sentence, fields }) => [sentence, fields.path]),
        [['request failed', '/secret']],
      );
    });

    test('a handler that throws in the middle of an answer cuts it', async (t) => {
      const { url } = await serve(t, under, {
        handler: async (_, response) => {
          response.stream(200, {}).write('half');
          throw new Error('gone wrong');
        },
      });
      const answer = await clientFor(t, under).request({ method: 'GET', url });
      await assert.rejects(answer.text(), withCode('HTTP_CONNECTION_LOST'));
    });

    test('a streamed answer arrives piece by piece', async (t) => {
      let stream: ResponseStream | undefined;
      const { url } = await serve(t, under, {
        handler: async (_, response) => {
          stream = response.stream(200, {});
        },
      });
      const answer = await clientFor(t, under).request({ method: 'GET', url });
      const seen: string[] = [];
      stream!.write('one');
      for await (const chunk of answer.chunks()) {
        seen.push(text(chunk));
        if (seen.length === 1) stream!.write('two');
        else stream!.end();
      }
      assert.deepEqual(seen, ['one', 'two']);
    });

    test('a client that stops iterating hangs up', async (t) => {
      let gone: Promise<void> | undefined;
      const { url } = await serve(t, under, {
        handler: async (request, response) => {
          gone = aborted(request.signal);
          response.stream(200, {}).write('first');
        },
      });
      const answer = await clientFor(t, under).request({ method: 'GET', url });
      for await (const _ of answer.chunks()) break;
      await gone;
    });

    test('an aborted request rejects with the reason, and the server notices', async (t) => {
      const reached = Promise.withResolvers<void>();
      const noticed = Promise.withResolvers<void>();
      const { url } = await serve(t, under, {
        handler: async (request) => {
          reached.resolve();
          await aborted(request.signal);
          noticed.resolve();
        },
      });
      const stop = new AbortController();
      const answer = clientFor(t, under).request({ method: 'GET', url, signal: stop.signal });
      await reached.promise;
      stop.abort(new Error('changed my mind'));
      await assert.rejects(answer, /changed my mind/);
      await noticed.promise;
    });

    test('a signal that aborts while the body is read ends the reading', async (t) => {
      const { url } = await serve(t, under, {
        handler: async (_, response) => void response.stream(200, {}).write('first'),
      });
      const stop = new AbortController();
      const answer = await clientFor(t, under).request({ method: 'GET', url, signal: stop.signal });
      await assert.rejects(async () => {
        for await (const _ of answer.chunks()) stop.abort(new Error('enough'));
      }, /enough/);
    });

    test('a writer is told how much its reader has not taken, and when to go on', async (t) => {
      const started = Promise.withResolvers<ResponseStream>();
      const { url } = await serve(t, under, {
        handler: async (_, response) => started.resolve(response.stream(200, {})),
      });
      const answer: HttpResponse = await clientFor(t, under).request({ method: 'GET', url });
      const stream = await started.promise;
      const piece = new Uint8Array(64 * 1024);
      let written = 0;
      // The operating system takes a few megabytes before it says no.
      while (stream.write(piece)) written += piece.length;
      written += piece.length;
      while (stream.bufferedBytes < 4 * 1024 * 1024) {
        stream.write(piece);
        written += piece.length;
      }
      let received = 0;
      const reading = (async () => {
        for await (const chunk of answer.chunks()) received += chunk.length;
      })();
      await stream.drained();
      assert.ok(stream.bufferedBytes < 4 * 1024 * 1024);
      stream.end();
      await reading;
      assert.equal(received, written);
    });

    test('a writer whose reader has gone is not left waiting', async (t) => {
      const started = Promise.withResolvers<ResponseStream>();
      const { url } = await serve(t, under, {
        handler: async (_, response) => started.resolve(response.stream(200, {})),
      });
      const stop = new AbortController();
      await clientFor(t, under).request({ method: 'GET', url, signal: stop.signal });
      const stream = await started.promise;
      while (stream.write(new Uint8Array(64 * 1024)));
      stop.abort();
      await stream.drained();
      stream.write('into the void');
      stream.end();
    });

    test('what cannot be reached is said so', async (t) => {
      const server = await serve(t, under, {});
      await server.close();
      const client = clientFor(t, under);
      await assert.rejects(client.request({ method: 'GET', url: server.url }), withCode('HTTP_CONNECT_FAILED'));
      await assert.rejects(client.request({ method: 'GET', url: 'ftp://x/' }), withCode('HTTP_BAD_URL'));
      await assert.rejects(client.request({ method: 'GET', url: 'nonsense' }), withCode('HTTP_BAD_URL'));
    });

    test('a server that does not answer in time is given up', async (t) => {
      const { url } = await serve(t, under, { handler: (request) => aborted(request.signal) });
      const client = clientFor(t, under, { answerWithinMs: 20 });
      await assert.rejects(client.request({ method: 'GET', url }), withCode('HTTP_TIMEOUT'));
    });

    test('a closed client refuses', async () => {
      const client = under.client();
      await client.close();
      await assert.rejects(client.request({ method: 'GET', url: 'http://127.0.0.1:1' }), withCode('HTTP_CLOSED'));
    });

    test('a taken port is named', async (t) => {
      const { port } = await serve(t, under, {});
      await assert.rejects(
        serve(t, under, { ...local, port }),
        (error: Error) => withCode('HTTP_PORT_TAKEN')(error) && error.message.includes(String(port)),
      );
    });

    test('an address of another machine cannot be listened on', async (t) => {
      await assert.rejects(serve(t, under, { address: '192.0.2.77' }), withCode('HTTP_LISTEN_FAILED'));
    });

    test('a stopping server tells its handlers, waits for them, and is gone', async (t) => {
      const reached = Promise.withResolvers<void>();
      const server = await serve(t, under, {
        handler: async (request, response) => {
          reached.resolve();
          await aborted(request.signal);
          response.send(503, {}, 'stopping');
        },
      });
      const client = clientFor(t, under);
      const answer = client.request({ method: 'GET', url: server.url });
      await reached.promise;
      await server.close();
      assert.equal((await answer).status, 503);
      await server.close();
      await assert.rejects(client.request({ method: 'GET', url: server.url }), withCode('HTTP_CONNECT_FAILED'));
    });
  });
}
