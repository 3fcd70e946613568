// The cloud's identity on an API in memory: what is kept in Secrets, who gets a certificate, and who does not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openScope } from '@kedge/core/flow';
import { silentLog } from '@kedge/core/log';
import type { CertificateAuthorities, PeerCertificate } from '@kedge/core/ports';
import { FakeClock } from '@kedge/core/testing';
import { days, hours, instant, minutes, plus, seconds } from '@kedge/core/time';
import {
  checkJoinToken,
  type CloudIdentityConfig,
  createCloudIdentity,
  createJoinToken,
  decodeBase64,
  expiryOf,
  identityErrors,
} from '@kedge/engine/identity-cloud';
import { createKeys } from '@kedge/platform/node';
import { createCertificateAuthorities } from '@kedge/platform/x509';
import { createFakeKubeApi, type FakeKubeApi } from '@kedge/testing/kube';

const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
};
const keys = createKeys();
const authorities = createCertificateAuthorities();
const secrets = { group: '', version: 'v1', resource: 'secrets' };

const config: CloudIdentityConfig = {
  advertiseAddress: ['192.0.2.2'],
  dnsNames: ['cloud.example'],
  edgeCertificateLifetime: days(365),
  tokenRefresh: hours(12),
};

async function start(
  kube?: FakeKubeApi,
  changed: Partial<CloudIdentityConfig> = {},
  texts: Record<string, string> = {},
  ca: CertificateAuthorities = authorities,
) {
  const clock = new FakeClock({ settle });
  const api = kube ?? createFakeKubeApi({ clock });
  const renewed: string[] = [];
  const identity = createCloudIdentity(
    {
      clock,
      log: silentLog,
      kube: api,
      keys,
      authorities: ca,
      files: { readText: async (path) => texts[path] },
      onRenewed: ({ certificate }) => renewed.push(certificate),
    },
    { ...config, ...changed },
  );
  const scope = openScope({ clock, name: 'identity' });
  await identity.start(scope);
  return { clock, kube: api, identity, renewed, stop: () => scope.close(seconds(1)) };
}

const read = async (kube: FakeKubeApi, name: string, key: string): Promise<Uint8Array> => {
  const secret = await kube.get(secrets, { namespace: 'kubeedge', name });
  return decodeBase64((secret['data'] as Record<string, string>)[key] ?? '')!;
};

const request = (name: string, organizations = ['system:nodes']): Uint8Array =>
  keys.createRequest(keys.createPrivateKey(), { commonName: `system:node:${name}`, organizations });

const peer = (commonName: string, organization = 'system:nodes'): PeerCertificate => ({
  commonName,
  organizations: [organization],
  serialNumber: '1',
  notAfter: 4e12,
  raw: new Uint8Array(),
});

const applicant = { node: 'e1', usages: ['clientAuth' as const], peer: undefined, token: undefined };

test('authority, certificate and token are kept where upstream keeps them', async () => {
  const { kube, identity, stop } = await start();
  assert.deepEqual(await read(kube, 'casecret', 'cadata'), identity.caDer);
  const [hash, ...jwt] = identity.joinToken.reveal().split('.');
  assert.equal(hash, Buffer.from(keys.sha256(identity.caDer)).toString('hex'));
  checkJoinToken(keys, await read(kube, 'casecret', 'cakeydata'), jwt.join('.'), instant(Date.UTC(2026, 0, 1)));
  assert.equal(new TextDecoder().decode(await read(kube, 'tokensecret', 'tokendata')), identity.joinToken.reveal());
  const serving = keys.readCertificate(identity.serving.certificate);
  assert.deepEqual([serving.addresses, serving.dnsNames], [['192.0.2.2'], ['cloud.example']]);
  assert.deepEqual(
    await read(kube, 'cloudcoresecret', 'cloudcoredata'),
    new Uint8Array(keys.fromPem(identity.serving.certificate)),
  );
  await stop();
});

test('a restart is the same cloud; a new address makes a new serving certificate', async () => {
  const first = await start();
  const second = await start(first.kube);
  assert.deepEqual(second.identity.caDer, first.identity.caDer);
  assert.equal(second.identity.serving.certificate, first.identity.serving.certificate);
  const third = await start(first.kube, { advertiseAddress: ['192.0.2.2', '198.51.100.7'] });
  assert.deepEqual(keys.readCertificate(third.identity.serving.certificate).addresses, ['192.0.2.2', '198.51.100.7']);
  for (const { stop } of [first, second, third]) await stop();
});

test('a replaced authority makes a new serving certificate', async () => {
  const first = await start();
  await first.kube.delete(secrets, { namespace: 'kubeedge', name: 'casecret' });
  const second = await start(first.kube);
  assert.notDeepEqual(second.identity.caDer, first.identity.caDer);
  assert.notEqual(second.identity.serving.certificate, first.identity.serving.certificate);
  for (const { stop } of [first, second]) await stop();
});

test('files win over Secrets', async () => {
  const { identity: other, stop } = await start();
  const caKey = await read((await start()).kube, 'casecret', 'cakeydata');
  assert.ok(caKey);
  const texts = { '/ca.crt': other.caPem, '/server.crt': other.serving.certificate, '/server.key': other.serving.key };
  const files = { certificateFile: '/server.crt', keyFile: '/server.key' };
  const { identity, stop: stopToo } = await start(undefined, files, texts);
  assert.equal(identity.serving.certificate, other.serving.certificate);
  await stop();
  await stopToo();
});

test('a broken Secret stops the start with what to do about it', async () => {
  const { kube, stop } = await start();
  const target = { namespace: 'kubeedge', name: 'casecret' };
  await kube.patch(secrets, target, 'merge', '{"data":{"cakeydata":"bm90IGEga2V5"}}');
  await assert.rejects(start(kube), (error) => identityErrors.BAD_STATE.is(error));
  await stop();
});

test('the token is renewed before the old one runs out, also when a write fails in between', async () => {
  const { clock, kube, identity, stop } = await start();
  const first = identity.joinToken.reveal();
  assert.equal(expiryOf(first), plus(clock.now(), hours(24)));
  kube.failNext('create', 'secrets', new Error('API is away'));
  await clock.advance(hours(12));
  assert.equal(identity.joinToken.reveal() === first, false);
  await clock.advance(seconds(61));
  assert.equal(new TextDecoder().decode(await read(kube, 'tokensecret', 'tokendata')), identity.joinToken.reveal());
  await stop();
});

test('a machine that was suspended renews its token soon after', async () => {
  const { clock, identity, stop } = await start();
  const first = identity.joinToken.reveal();
  clock.jumpTo(plus(clock.now(), hours(20)));
  await clock.advance(minutes(10));
  assert.equal(identity.joinToken.reveal() === first, false);
  await stop();
});

for (const [names, isGood] of [
  [['edge-1.example'], true],
  [['Cloud.example'], false],
  [['*.example'], false],
  [['cl*.example'], false],
  [['cloud.example.'], false],
  [['192.0.2.2'], false],
] as const) {
  test(`an edge ${isGood ? 'may' : 'may not'} have a serving certificate for ${names.join()}`, async () => {
    const asked: CertificateAuthorities = {
      ...authorities,
      readRequest: async (der) => ({ ...(await authorities.readRequest(der)), dnsNames: names }),
    };
    const { identity, stop } = await start(undefined, {}, {}, asked);
    const issued = identity.issue({
      ...applicant,
      usages: ['serverAuth'],
      request: request('e1'),
      peer: peer('system:node:e1'),
    });
    if (isGood) assert.deepEqual(keys.readCertificate(await issued).dnsNames, names);
    else await assert.rejects(issued, (error) => identityErrors.WRONG_NAMES.is(error));
    await stop();
  });
}

test('addresses are compared by what they are for, however they are written', async () => {
  const advertiseAddress = ['2001:DB8:0:0::2'];
  const asked: CertificateAuthorities = {
    ...authorities,
    readRequest: async (der) => ({ ...(await authorities.readRequest(der)), addresses: ['2001:db8::2'] }),
  };
  const { kube, identity, renewed, stop } = await start(undefined, { advertiseAddress }, {}, asked);
  const first = identity.serving.certificate;
  const issued = identity.issue({
    ...applicant,
    usages: ['serverAuth'],
    request: request('e1'),
    peer: peer('system:node:e1'),
  });
  await assert.rejects(issued, (error) => identityErrors.WRONG_NAMES.is(error));
  await stop();
  const second = await start(kube, { advertiseAddress });
  assert.equal(second.identity.serving.certificate, first, 'the stored certificate is still good');
  assert.deepEqual(renewed, []);
  await second.stop();
});

test('an edge with a token gets a certificate of its own name and no other', async () => {
  const { identity, stop } = await start();
  const token = identity.joinToken.reveal().split('.').slice(1).join('.');
  const der = await identity.issue({ ...applicant, request: request('e1'), token });
  const issued = keys.readCertificate(der);
  assert.equal(issued.commonName, 'system:node:e1');
  assert.deepEqual(issued.organizations, ['system:nodes']);
  assert.equal(issued.isCa, false);
  const wrong = { ...applicant, token };
  for (const bad of [
    request('e2'),
    request('e1', ['system:masters']),
    request('e1', ['system:nodes', 'system:masters']),
  ]) {
    await assert.rejects(identity.issue({ ...wrong, request: bad }), (error) => identityErrors.WRONG_SUBJECT.is(error));
  }
  const garbage = identity.issue({ ...wrong, request: new Uint8Array([0x30, 0x82, 0xff, 0xff]) });
  await assert.rejects(garbage, (error) => identityErrors.BAD_REQUEST.is(error));
  await stop();
});

test('a renewal needs the certificate of the same node, and no token', async () => {
  const { identity, stop } = await start();
  const renewal = { ...applicant, request: request('e1') };
  await identity.issue({ ...renewal, peer: peer('system:node:e1') });
  await identity.issue({ ...renewal, peer: peer('kubeedge.io', 'KubeEdge') });
  for (const other of [peer('system:node:e2'), peer('system:node:e1', 'others')]) {
    await assert.rejects(identity.issue({ ...renewal, peer: other }), (error) =>
      identityErrors.WRONG_CERTIFICATE.is(error),
    );
  }
  await stop();
});

const key = keys.fromPem(keys.createPrivateKey().reveal());
const now = instant(Date.UTC(2026, 0, 1));
const good = createJoinToken(keys, { certificate: new Uint8Array([1]), key }, plus(now, hours(1)));
const jwt = good.split('.').slice(1);
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const sign = (head: string, body: string): string =>
  `${head}.${body}.${Buffer.from(keys.hmacSha256(key, `${head}.${body}`)).toString('base64url')}`;

const tokens: [string, string, boolean][] = [
  ['a good one', jwt.join('.'), true],
  ['one with the CA’s hash still in front', good, false],
  ['nothing', '', false],
  ['two parts', jwt.slice(0, 2).join('.'), false],
  ['another signature', `${jwt[0]}.${jwt[1]}.${encode('x')}`, false],
  ['another payload', `${jwt[0]}.${encode({ exp: 4e9 })}.${jwt[2]}`, false],
  ['no algorithm', sign(encode({ alg: 'none' }), encode({ exp: 4e9 })), false],
  ['no end', sign(encode({ alg: 'HS256' }), encode({})), false],
  ['an end in the past', sign(encode({ alg: 'HS256' }), encode({ exp: now / 1000 - 1 })), false],
  ['no JSON', sign('AAAA', 'AAAA'), false],
  ['a megabyte', 'a.b.'.padEnd(1 << 20, 'c'), false],
];

for (const [what, token, isGood] of tokens) {
  test(`a join token that is ${what} ${isGood ? 'is accepted' : 'is refused'}`, () => {
    const check = () => checkJoinToken(keys, key, token, now);
    if (isGood) check();
    else assert.throws(check, (error) => identityErrors.BAD_TOKEN.is(error));
  });
}
