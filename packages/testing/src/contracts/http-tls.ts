// What every HTTPS client and server must do about certificates.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { HttpHandler, ListenOptions } from '@kedge/core/ports';
import { codeOf } from '@kedge/core/errors';
import { withCode } from './expect-error.ts';
import { clientFor, type ClientTls, createPki, type HttpUnderTest, type Pki, serve } from './http-fixture.ts';

export function describeHttpTls(what: string, under: HttpUnderTest, now: () => number): void {
  const newPki = () => createPki(under.authorities, now());
  const sayPeer: HttpHandler = async ({ peer }, response) =>
    response.send(200, {}, peer ? `${peer.organizations.join()}/${peer.commonName}` : 'nobody');

  async function secure(t: TestContext, pki: Pki, clientAuth: NonNullable<ListenOptions['tls']>['clientAuth']) {
    const tls = { ...pki.server, clientCa: pki.authority.certificatePem, clientAuth: clientAuth ?? 'none' };
    const server = await serve(t, under, { tls, handler: sayPeer });
    const ask = async (own: ClientTls = {}) => {
      const client = clientFor(t, under, { tls: { ca: pki.authority.certificatePem, ...own } });
      return (await client.request({ method: 'GET', url: server.url })).text();
    };
    return { server, ask };
  }

  /** Under TLS 1.3 the refusal may arrive as an alert or, when the request was faster, as a reset. */
  const turnedAway = (error: unknown): boolean =>
    ['HTTP_CERTIFICATE_REFUSED', 'HTTP_CONNECTION_LOST', 'HTTP_CONNECT_FAILED'].includes(codeOf(error) ?? '');

  describe(`HTTPS: ${what}`, () => {
    test('a server of the CA is trusted, any other is not', async (t) => {
      const { ask } = await secure(t, await newPki(), 'none');
      assert.equal(await ask(), 'nobody');
      const stranger = await newPki();
      await assert.rejects(ask({ ca: stranger.authority.certificatePem }), withCode('HTTP_UNTRUSTED_SERVER'));
    });

    test('a certificate for another name is not trusted', async (t) => {
      const pki = await newPki();
      const { server } = await secure(t, pki, 'none');
      const client = clientFor(t, under, { tls: { ca: pki.authority.certificatePem } });
      await assert.rejects(
        client.request({ method: 'GET', url: server.url.replace('localhost', '127.0.0.1') }),
        withCode('HTTP_UNTRUSTED_SERVER'),
      );
    });

    test('a server may be known by its certificate instead of its host, by each request anew', async (t) => {
      const pki = await newPki();
      const { server } = await secure(t, pki, 'none');
      const client = clientFor(t, under, { tls: { ca: pki.authority.certificatePem } });
      const url = server.url.replace('localhost', '127.0.0.1');
      const ask = (name: string) =>
        client.request({
          method: 'GET',
          url,
          server: {
            name,
            refuse: ({ commonName, organizations }, isForHost) =>
              commonName === name ? undefined : `it is ${organizations.join()}/${commonName}, ${String(isForHost)}`,
          },
        });
      for (let times = 0; times < 2; times++) {
        assert.equal(await (await ask('server')).text(), 'nobody');
        await assert.rejects(ask('another'), (error) => {
          assert.match((error as Error).message, /\(it is system:nodes\/server, false\)/);
          return withCode('HTTP_UNTRUSTED_SERVER')(error);
        });
      }
      const stranger = await newPki();
      const { server: foreign } = await secure(t, stranger, 'none');
      const asked = { method: 'GET', url: foreign.url, server: { name: 'server', refuse: () => undefined } };
      await assert.rejects(client.request(asked), withCode('HTTP_UNTRUSTED_SERVER'));
    });

    test('a client can be told to trust any server', async (t) => {
      const { server } = await secure(t, await newPki(), 'none');
      const client = clientFor(t, under, { tls: { trustAnyServer: true } });
      assert.equal((await client.request({ method: 'GET', url: server.url })).status, 200);
    });

    test('a requested certificate is optional, and counts only when the CA issued it', async (t) => {
      const pki = await newPki();
      const { ask } = await secure(t, pki, 'request');
      assert.equal(await ask(), 'nobody');
      assert.equal(await ask(await pki.issue('system:node:edge-1', 'clientAuth')), 'system:nodes/system:node:edge-1');
      const stranger = await newPki();
      assert.equal(await ask(await stranger.issue('system:node:edge-1', 'clientAuth')), 'nobody');
    });

    test('a required certificate is required, and from the CA', async (t) => {
      const pki = await newPki();
      const { ask } = await secure(t, pki, 'require');
      assert.equal(await ask(await pki.issue('system:node:edge-1', 'clientAuth')), 'system:nodes/system:node:edge-1');
      await assert.rejects(ask(), turnedAway);
      const stranger = await newPki();
      await assert.rejects(ask(await stranger.issue('system:node:edge-1', 'clientAuth')), turnedAway);
    });

    test('the certificate of a server is not one of a client', async (t) => {
      const pki = await newPki();
      const { ask } = await secure(t, pki, 'require');
      await assert.rejects(ask(await pki.issue('system:node:edge-1', 'serverAuth')), turnedAway);
    });

    test('a renewed certificate is shown to new connections', async (t) => {
      const [old, renewed] = [await newPki(), await newPki()];
      const { server, ask } = await secure(t, old, 'none');
      server.renew(renewed.server);
      assert.equal(await ask({ ca: renewed.authority.certificatePem }), 'nobody');
      await assert.rejects(ask(), withCode('HTTP_UNTRUSTED_SERVER'));
    });

    test('certificates that cannot be read are named before anything listens', async (t) => {
      const tls = { certificate: 'no certificate', key: 'no key' };
      await assert.rejects(serve(t, under, { tls }), withCode('HTTP_BAD_TLS'));
      const { ask } = await secure(t, await newPki(), 'none');
      await assert.rejects(ask({ certificate: 'no certificate', key: 'no key' }), withCode('HTTP_BAD_TLS'));
    });

    test('a client that speaks no TLS does not disturb the others', async (t) => {
      const { server, ask } = await secure(t, await newPki(), 'none');
      const client = clientFor(t, under);
      await assert.rejects(client.request({ method: 'GET', url: server.url.replace('https', 'http') }), turnedAway);
      assert.equal(await ask(), 'nobody');
    });
  });
}
