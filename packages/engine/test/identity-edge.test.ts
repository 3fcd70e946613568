import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openScope } from '@kedge/core/flow';
import { secret, silentLog } from '@kedge/core/log';
import type { Files, HttpRequest, HttpResponse, Random } from '@kedge/core/ports';
import { httpErrors } from '@kedge/core/ports';
import { FakeClock } from '@kedge/core/testing';
import { days, hours, minus, plus, seconds } from '@kedge/core/time';
import { createJoinToken } from '@kedge/engine/identity-cloud';
import { createEdgeIdentity, type EdgeIdentity, readJoinToken } from '@kedge/engine/identity-edge';
import { nodeName } from '@kedge/model/k8s';
import { createKeys } from '@kedge/platform/node';
import { createCertificateAuthorities } from '@kedge/platform/x509';

const node = nodeName('edge-7');
const keys = createKeys();
const paths = {
  ca: '/etc/kubeedge/ca/rootCA.crt',
  certificate: '/etc/kubeedge/certs/server.crt',
  key: '/etc/kubeedge/certs/server.key',
};
interface Site {
  readonly clock: FakeClock;
  readonly disk: Map<string, string>;
  readonly token: string;
  readonly ca: string;
  /** What the cloud was asked, newest last. */
  readonly asked: {
    path: string;
    authorization: string | undefined;
    usages: string | undefined;
    withCertificate: boolean;
    trustAnyServer: boolean;
  }[];
  /** Answers everything with this status when set; `down`: does not answer at all. */
  trouble: number | 'down' | undefined;
  subject: string;
  /** What the cloud lets its certificates be used for. */
  usages: readonly ('serverAuth' | 'clientAuth')[];
  /** Times that an edge has told of its first join, with what was on its disk then. */
  readonly joined: string[][];
  start(options?: {
    token?: string | undefined;
    rotate?: boolean;
    /** The edge has been with its cloud before. */
    isKnown?: boolean;
    /** Runs once the module has begun to start. */
    meanwhile?: () => void;
  }): Promise<{ identity: EdgeIdentity; stop(): Promise<unknown> }>;
}

async function createSite(): Promise<Site> {
  /** Certificates in the making: other threads sign them, and time must not run on meanwhile. */
  const answering = new Set<Promise<unknown>>();
  const clock = new FakeClock({
    async settle() {
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
      await Promise.allSettled(answering);
    },
  });
  const disk = new Map<string, string>();
  const authority = await createCertificateAuthorities().createAuthority({
    subject: { commonName: 'KubeEdge', organizations: [] },
    notBefore: clock.now(),
    notAfter: plus(clock.now(), days(3650)),
  });
  const files = {
    readText: async (path: string) => disk.get(path),
    writeAtomically: async (path: string, content: string) => void disk.set(path, content),
    makeDirectory: async () => undefined,
    rename: async (from: string, to: string) => {
      disk.set(to, disk.get(from)!);
      disk.delete(from);
    },
  } as unknown as Files;
  const random: Random = { next: () => 0.5, uuid: () => 'x' };
  const asked: Site['asked'] = [];
  const joined: string[][] = [];

  const tracked = <T>(work: Promise<T>): Promise<T> => {
    answering.add(work);
    return work.finally(() => answering.delete(work));
  };

  async function answer(request: HttpRequest): Promise<HttpResponse> {
    const body = async (): Promise<Uint8Array> => {
      if (request.url.endsWith('/ca.crt')) return authority.certificate;
      const { publicKey } = await createCertificateAuthorities().readRequest(request.body as Uint8Array);
      return authority.issue(publicKey, {
        subject: { commonName: site.subject, organizations: ['system:nodes'] },
        usages: site.usages,
        notBefore: minus(clock.now(), hours(0)),
        notAfter: plus(clock.now(), days(100)),
      });
    };
    const status = site.trouble === undefined ? 200 : Number(site.trouble);
    return {
      status,
      headers: {},
      text: async () => 'the token expired',
      bytes: () => tracked(body()),
      chunks: () => {
        throw new Error('not used');
      },
    };
  }

  const site: Site = {
    clock,
    disk,
    asked,
    joined,
    ca: authority.certificatePem,
    token: createJoinToken(
      keys,
      { certificate: authority.certificate, key: authority.key.reveal() },
      plus(clock.now(), hours(24)),
    ),
    trouble: undefined,
    subject: `system:node:${node}`,
    usages: ['serverAuth', 'clientAuth'],
    async start({ token = site.token, rotate = true, isKnown = false, meanwhile } = {}) {
      const identity = createEdgeIdentity(
        {
          clock,
          log: silentLog,
          random,
          files,
          keys,
          openHttpClient: ({ tls }) => ({
            async request(request) {
              asked.push({
                path: new URL(request.url).pathname,
                authorization: request.headers?.['authorization']?.toString(),
                usages: request.headers?.['extkeyusages']?.toString(),
                withCertificate: tls.certificate !== undefined,
                trustAnyServer: tls.trustAnyServer ?? false,
              });
              if (site.trouble === 'down') throw httpErrors.CONNECT_FAILED({ url: request.url, reason: 'refused' });
              return answer(request);
            },
            close: async () => undefined,
          }),
        },
        {
          node,
          httpServer: 'https://cloud:10002',
          token: token ? secret(token) : undefined,
          paths,
          rotate,
          isKnown: () => isKnown,
          onJoined: () => joined.push([...disk.keys()].sort()),
        },
      );
      const scope = openScope({ clock, name: 'identity' });
      const starting = identity.start(scope);
      meanwhile?.();
      await clock.until(starting, hours(1));
      return { identity, stop: () => clock.until(scope.close(seconds(5))) };
    },
  };
  return site;
}

test('a new edge checks the CA against its token and gets a certificate for its name', async () => {
  const site = await createSite();
  const { identity, stop } = await site.start();
  assert.equal(identity.current().info.commonName, 'system:node:edge-7');
  assert.ok(keys.matches(site.disk.get(paths.certificate)!, secret(site.disk.get(paths.key)!)));
  assert.equal(site.disk.get(paths.ca)?.replace(/\s/g, ''), site.ca.replace(/\s/g, ''));
  assert.deepEqual(
    site.asked.map(({ path, trustAnyServer }) => ({ path, trustAnyServer })),
    [
      { path: '/ca.crt', trustAnyServer: true },
      { path: '/edge.crt', trustAnyServer: false },
    ],
  );
  assert.equal(site.asked[1]?.authorization, `Bearer ${readJoinToken(site.token).jwt}`);
  await stop();
});

test('an edge that has a certificate needs neither token nor cloud, even when it has expired', async () => {
  const site = await createSite();
  await (await site.start()).stop();
  await site.clock.advance(days(200));
  site.trouble = 'down';
  const { identity, stop } = await site.start({ token: '' });
  assert.equal(identity.current().info.commonName, 'system:node:edge-7');
  await stop();
});

test('an edge that was with its cloud before and lost its files waits until they are back', async () => {
  const site = await createSite();
  await (await site.start()).stop();
  const kept = new Map(site.disk);
  site.disk.delete(paths.certificate);
  const putBack = (): void =>
    void site.clock.sleep('operator', hours(0.5)).then(() => {
      for (const [path, content] of kept) site.disk.set(path, content);
    });
  const { identity, stop } = await site.start({ token: '', isKnown: true, meanwhile: putBack });
  assert.equal(identity.current().info.commonName, 'system:node:edge-7');
  assert.deepEqual(await stop(), []);
});

test('an edge that lost its files joins again by itself where it has a token', async () => {
  const site = await createSite();
  await (await site.start()).stop();
  site.disk.delete(paths.key);
  const { identity, stop } = await site.start({ isKnown: true });
  assert.ok(keys.matches(site.disk.get(paths.certificate)!, secret(site.disk.get(paths.key)!)));
  assert.equal(identity.current().info.commonName, 'system:node:edge-7');
  assert.deepEqual(await stop(), []);
});

test('the first join is told of, once its files are there, and no other', async () => {
  const site = await createSite();
  await (await site.start()).stop();
  assert.deepEqual(site.joined, [[paths.ca, paths.certificate, paths.key].sort()]);
  await (await site.start()).stop();
  site.disk.delete(paths.key);
  await (await site.start({ isKnown: true })).stop();
  assert.equal(site.joined.length, 1);
});

const refusals: readonly [name: string, code: string, arrange: (site: Site) => string][] = [
  ['no token', 'EDGE_IDENTITY_NO_TOKEN', () => ''],
  ['half a token', 'EDGE_IDENTITY_BAD_TOKEN', (site) => site.token.slice(0, 80)],
  ['the token of another cloud', 'EDGE_IDENTITY_WRONG_CA', (site) => `${'0'.repeat(64)}${site.token.slice(64)}`],
  [
    'a token that the cloud refuses',
    'EDGE_IDENTITY_REFUSED',
    (site) => {
      const { token } = site;
      // The CA is still given to anybody.
      site.asked.push = (...entries) => {
        if (entries[0]?.path === '/edge.crt') site.trouble = 401;
        return Array.prototype.push.apply(site.asked, entries);
      };
      return token;
    },
  ],
  [
    'a certificate for another node',
    'EDGE_IDENTITY_WRONG_CERTIFICATE',
    (site) => {
      site.subject = 'system:node:other';
      return site.token;
    },
  ],
];

for (const [name, code, arrange] of refusals) {
  test(`joining ends with ${code} for ${name}`, async () => {
    const site = await createSite();
    await assert.rejects(site.start({ token: arrange(site) }), { code });
    assert.equal(site.disk.size, 0, 'nothing is left behind');
  });
}

test('an expired token is recognised before anybody is asked', async () => {
  const site = await createSite();
  await site.clock.advance(hours(25));
  await assert.rejects(site.start(), { code: 'EDGE_IDENTITY_BAD_TOKEN' });
  assert.deepEqual(site.asked, []);
});

test('a cloud that does not answer yet is asked again', async () => {
  const site = await createSite();
  site.trouble = 'down';
  const joining = site.start();
  await site.clock.advance(seconds(7));
  site.trouble = undefined;
  const { identity, stop } = await site.clock.until(joining);
  assert.ok(identity.current());
  assert.ok(site.asked.length >= 4, 'two failures before');
  await stop();
});

test('the certificate is renewed with a new key at four fifths of its life, with the old one as proof', async () => {
  const site = await createSite();
  const { identity, stop } = await site.start();
  const before = identity.current();
  const renewed = new Promise<void>((resolve) => identity.listen(resolve));
  await site.clock.advance(days(79));
  assert.equal(site.asked.length, 2);
  site.trouble = 'down';
  await site.clock.advance(hours(25));
  assert.ok(site.asked.length > 2);
  assert.equal(identity.current(), before, 'the old one stays while the cloud is away');
  site.trouble = undefined;
  await site.clock.until(renewed, seconds(40));
  assert.notEqual(identity.current().key.reveal(), before.key.reveal());
  assert.deepEqual(site.asked.at(-1), {
    path: '/edge.crt',
    authorization: undefined,
    usages: '[1,2]',
    withCertificate: true,
    trustAnyServer: false,
  });
  await stop();
});

test('a certificate that is not good for a server is changed at the start, once where the cloud gives no other', async () => {
  const site = await createSite();
  site.usages = ['clientAuth'];
  const first = await site.start();
  await site.clock.advance(days(1));
  assert.equal(site.asked.length, 3, 'the CA, the first certificate, and one more');
  assert.deepEqual(first.identity.current().info.usages, ['clientAuth']);
  await first.stop();
  site.usages = ['serverAuth', 'clientAuth'];
  const { identity, stop } = await site.start();
  await site.clock.advance(hours(2));
  assert.equal(site.asked.length, 4);
  assert.deepEqual(identity.current().info.usages, ['serverAuth', 'clientAuth']);
  await stop();
});

test('a crash between the replacement of the key and of the certificate is mended at the next start', async () => {
  const site = await createSite();
  const first = await site.start();
  const old = site.disk.get(paths.certificate)!;
  await first.stop();
  // As a renewal leaves the files when it is interrupted.
  site.disk.set(`${paths.certificate}.next`, old);
  site.disk.set(paths.certificate, 'an older certificate');
  const { identity, stop } = await site.start({ token: '' });
  assert.equal(identity.current().certificate, old);
  await stop();
});
