// cloudcore among strangers, over real TLS: whatever one peer sends or claims ends that peer's own connection with one
// line in the log, and another node is served all the while.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { secret } from '@kedge/core/log';
import type { Authority, Socket } from '@kedge/core/ports';
import { instant, seconds } from '@kedge/core/time';
import { createJoinToken } from '@kedge/engine/identity-cloud';
import type { KubeObject } from '@kedge/model/k8s';
import type { RawMessage } from '@kedge/model/messages';
import { createDialer, createKeys, systemClock } from '@kedge/platform/node';
import { createCertificateAuthorities } from '@kedge/platform/x509';
import { createFakeKubeApi, type FakeKubeApi } from '@kedge/testing/kube';
import { maxHubFrameBytes } from '@kedge/wire/hub';
import { type LiveCloud, startLiveCloud } from '../interop/cloud-go-rig.ts';
import { api, boundPod, edgeNode, installSyncs, syncResources } from '../interop/cloud-rig.ts';
import { eventually } from './harness/run.ts';

const keys = createKeys();
const authorities = createCertificateAuthorities();
const day = 86_400_000;

interface Identity {
  readonly certificate: string;
  readonly key: string;
}
interface Answer {
  readonly status: number;
  readonly body: Buffer;
}
interface Link {
  readonly socket: Socket;
  readonly received: RawMessage[];
  readonly isClosed: () => boolean;
}

let directory: string;
let kube: FakeKubeApi;
let cloud: LiveCloud;
let ca: Authority;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kedge-strangers-'));
  kube = createFakeKubeApi({ clock: systemClock, resources: syncResources });
  await installSyncs(kube);
  for (const node of ['steady', 'e1', 'e2']) await kube.create(api('nodes'), undefined, edgeNode(node));
  const limits = { head: seconds(1), request: seconds(2), stall: seconds(2) };
  cloud = await startLiveCloud(kube, join(directory, 'cloud.log'), undefined, limits);
  const stored = await kube.get(api('secrets'), { namespace: 'kubeedge', name: 'casecret' });
  const { cadata, cakeydata } = stored['data'] as { cadata: string; cakeydata: string };
  const [certificate, key] = [cadata, cakeydata].map((text) => new Uint8Array(Buffer.from(text, 'base64')));
  ca = await authorities.openAuthority({ certificate: certificate!, key: secret(key!) });
});

after(async () => {
  await cloud.stop();
  await rm(directory, { recursive: true, force: true });
});

const log = (): string[] => readFileSync(join(directory, 'cloud.log'), 'utf8').split('\n').slice(0, -1);
/** Lines that an operator sees. */
const complaints = (): string[] => log().filter((line) => /"level":"(warn|error)"/.test(line));

/** Waits for the one line that was logged after `said` lines. */
async function oneLine(what: string, said: number): Promise<string> {
  await eventually(`a line in the log about ${what}`, async () => complaints().length > said, 10_000);
  const lines = complaints().slice(said);
  assert.equal(lines.length, 1, `${what}: ${lines.join('\n')}`);
  assert.ok(lines[0]!.length < 2_000, 'a stranger does not fill the log');
  return lines[0]!;
}

async function identityOf(
  node: string,
  by: Authority = ca,
  validity: [number, number] = [-day, day],
): Promise<Identity> {
  const now = systemClock.now();
  const { certificatePem, key } = await by.issueWithKey({
    subject: { commonName: `system:node:${node}`, organizations: ['system:nodes'] },
    usages: ['clientAuth'],
    notBefore: now + validity[0],
    notAfter: now + validity[1],
  });
  return { certificate: certificatePem, key: key.reveal() };
}

async function dial(node: string, identity?: Identity, headers: Record<string, string> = {}): Promise<Link> {
  const { socket } = await createDialer().dial({
    url: `wss://127.0.0.1:${cloud.ports.hub}/project/${node}/events`,
    headers: { node_id: node, project_id: 'project', ConnectionUse: 'msg', ...headers },
    tls: { ca: ca.certificatePem, ...identity },
    maxFrameBytes: 1 << 20,
    timeoutMs: 5_000,
  });
  const received: RawMessage[] = [];
  let closed = false;
  void socket.closed.then(() => (closed = true));
  void (async () => {
    for await (const { data } of socket.frames()) {
      const message = JSON.parse(Buffer.from(data).toString('utf8')) as RawMessage;
      received.push(message);
      const { header, route } = message;
      const ack = { msg_id: `a-${header.msg_id}`, parent_msg_id: header.msg_id, timestamp: 1 };
      await socket
        .send(JSON.stringify({ header: ack, route: { ...route, operation: 'response' }, content: 'OK' }))
        .catch(() => undefined);
    }
  })();
  return { socket, received, isClosed: () => closed };
}

let changes = 0;
let asked = 0;
async function ask(link: Link, operation: string, resource: string, content: unknown = null): Promise<RawMessage> {
  const id = `q-${++asked}`;
  const route = { source: 'edged', group: 'meta', operation, resource };
  await link.socket.send(JSON.stringify({ header: { msg_id: id, timestamp: 1 }, route, content }));
  return eventually(`an answer to ${operation} ${resource}`, async () =>
    link.received.find(({ header }) => header.parent_msg_id === id),
  );
}

/** One node that is served while the others misbehave: every change of its pod has to reach it on one connection. */
async function steadyNode(): Promise<{ stillServed(): Promise<void>; end(): void }> {
  const link = await dial('steady', await identityOf('steady'));
  const name = 'steady';
  if ((await kube.list(api('pods'))).items.every(({ metadata }) => metadata.name !== name)) {
    await kube.create(api('pods'), 'default', boundPod(name, 'steady'));
  }
  return {
    async stillServed() {
      await link.socket.send(message({ ...header, msg_id: 'k' }, keepalive, 'ping'));
      const wanted = `n${++changes}`;
      const patch = JSON.stringify({ metadata: { labels: { change: wanted } } });
      await kube.patch(api('pods'), { namespace: 'default', name }, 'merge', patch);
      await eventually('the steady node to be told of a change', async () =>
        link.received.some(({ content }) => (content as KubeObject | null)?.metadata?.labels?.['change'] === wanted),
      );
      assert.equal(link.isClosed(), false);
    },
    end: () => link.socket.close(),
  };
}

const message = (header: unknown, route: unknown, content: unknown = null): string =>
  JSON.stringify({ header, route, content });
const header = { msg_id: 'm', timestamp: 1 };
const keepalive = { source: 'websocket', group: 'resource', operation: 'keepalive', resource: 'node' };
const query = { source: 'edged', group: 'meta', operation: 'query', resource: 'default/pod/x' };

describe('a hub', () => {
  it('hangs up on what cannot be read, says so once, and goes on with everybody else', async () => {
    const steady = await steadyNode();
    const identity = await identityOf('e1');
    const table: [string, string | Uint8Array, string][] = [
      ['no JSON', '{', 'HUB_PEER_BAD_JSON'],
      ['two documents', '{}{}', 'HUB_PEER_BAD_JSON'],
      ['a list', '[]', 'HUB_PEER_BAD_ENVELOPE'],
      ['null', 'null', 'HUB_PEER_BAD_ENVELOPE'],
      ['nothing', '', 'HUB_PEER_BAD_JSON'],
      ['no header', '{"route":{}}', 'HUB_PEER_BAD_ENVELOPE'],
      ['a number for an id', message({ msg_id: 7, timestamp: 1 }, query), 'HUB_PEER_BAD_ENVELOPE'],
      ['a text for a time', message({ msg_id: 'm', timestamp: 'now' }, query), 'HUB_PEER_BAD_ENVELOPE'],
      [
        'a resource of 9,000 letters',
        message(header, { ...query, resource: 'x'.repeat(9_000) }),
        'HUB_PEER_BAD_ENVELOPE',
      ],
      ['bytes that are no text', new Uint8Array([0xff, 0xfe, 0x00, 0x80]), 'HUB_PEER_BAD_TEXT'],
      ['random bytes', new Uint8Array(Array.from({ length: 4_096 }, (_, i) => (i * 89) % 251)), 'HUB_PEER_BAD_TEXT'],
      ['JSON 100,000 levels deep', '['.repeat(100_000) + ']'.repeat(100_000), 'HUB_PEER_TOO_DEEP'],
      [
        'deep content',
        `{"header":{"msg_id":"m","timestamp":1},"route":{},"content":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}}`,
        'HUB_PEER_TOO_DEEP',
      ],
      [
        'a status that is none',
        message(header, { ...query, operation: 'patch', resource: 'default/podpatch/x' }, 7),
        'HUB_PEER_BAD_CONTENT',
      ],
      ['a frame over the limit', 'x'.repeat(maxHubFrameBytes + 1), 'CLOUDHUB_PROTOCOL'],
    ];
    for (const [what, data, code] of table) {
      const link = await dial('e1', identity);
      const said = complaints().length;
      await link.socket.send(data).catch(() => undefined);
      await eventually(`the link to be closed after ${what}`, async () => link.isClosed(), 10_000);
      const line = await oneLine(what, said);
      assert.ok(line.includes(code) && line.includes('"node":"e1"'), line);
      await steady.stillServed();
    }
    steady.end();
  });

  it('goes on with a peer that speaks of things it does not know', async () => {
    const link = await dial('e1', await identityOf('e1'));
    for (const route of [
      { source: 'twin', group: 'twin', operation: 'updated', resource: 'node/e1/membership/unheard-of' },
      { source: 'future', group: 'future', operation: 'warp', resource: 'default/wormhole/x' },
      { source: '', group: '', operation: '', resource: '' },
    ]) {
      await link.socket.send(message({ ...header, msg_id: `u-${route.source}` }, route));
    }
    const answer = await ask(link, 'query', 'default/node/e1');
    assert.equal((answer.content as KubeObject).kind, 'Node');
    assert.equal(link.isClosed(), false);
    link.socket.close();
  });

  it('keeps every node to its own things, and tells whoever asks for more', async () => {
    const steady = await steadyNode();
    const [one, two] = [await dial('e1', await identityOf('e1')), await dial('e2', await identityOf('e2'))];
    const data = { apiVersion: 'v1', metadata: { name: 'theirs' }, data: {} };
    await kube.create(api('configmaps'), 'default', { ...data, kind: 'ConfigMap' });
    await kube.create(api('secrets'), 'default', { ...data, kind: 'Secret' });
    const volumes = [
      { name: 'c', configMap: { name: 'theirs' } },
      { name: 's', secret: { secretName: 'theirs' } },
    ];
    const pod = await kube.create(api('pods'), 'default', boundPod('theirs', 'e2', { volumes }));
    await eventually('e2 to be told of its pod', async () => two.received.length > 0);
    assert.equal(((await ask(two, 'query', 'default/secret/theirs')).content as KubeObject).kind, 'Secret');
    const bound = { kind: 'Pod', apiVersion: 'v1', name: 'theirs', uid: pod.metadata.uid };
    const lease = { metadata: { name: 'e2', namespace: 'kube-node-lease' }, spec: { holderIdentity: 'e2' } };
    const status = JSON.stringify({ metadata: { uid: pod.metadata.uid }, status: { phase: 'Failed' } });
    const questions: [string, string, unknown][] = [
      ['query', 'default/configmap/theirs', null],
      ['query', 'default/secret/theirs', null],
      ['query', 'default/node/e2', null],
      ['query', 'kube-node-lease/lease/e2', null],
      ['query', 'default/pod/theirs', null],
      [
        'query',
        'default/serviceaccounttoken/default',
        { metadata: {}, spec: { audiences: null, expirationSeconds: 3_600, boundObjectRef: bound } },
      ],
      ['update', 'kube-node-lease/lease/e2', lease],
      ['patch', 'default/podpatch/theirs', status],
      ['patch', 'default/nodepatch/e2', '{"metadata":{"labels":{"owned":"by e1"}}}'],
      ['delete', 'default/pod/theirs', { preconditions: { uid: pod.metadata.uid } }],
      ['insert', 'default/node/e3', edgeNode('e3')],
    ];
    for (const [operation, resource, content] of questions) {
      const said = complaints().length;
      const answer = await ask(one, operation, resource, content);
      assert.match(JSON.stringify(answer.content), /Forbidden|may not do this/, `${operation} ${resource}`);
      assert.match(await oneLine(resource, said), /request of a node refused/);
    }
    const now = await kube.get(api('pods'), { namespace: 'default', name: 'theirs' });
    assert.equal(now.metadata.resourceVersion, pod.metadata.resourceVersion);
    assert.ok(!one.isClosed() && !two.isClosed());
    await steady.stillServed();
    for (const { socket } of [one, two]) socket.close();
    steady.end();
  });

  it('lets nobody in without a certificate of its CA, of that name, that is in date', async () => {
    const steady = await steadyNode();
    const now = systemClock.now();
    const subject = { commonName: 'KubeEdge', organizations: [] };
    const stranger = await authorities.createAuthority({ subject, notBefore: now - day, notAfter: now + day });
    const mine = await identityOf('e1');
    const table: [string, () => Promise<Link>, RegExp, RegExp][] = [
      ['no certificate', () => dial('e1'), /./, /client certificate refused.*no certificate/],
      [
        'another CA',
        async () => dial('e1', await identityOf('e1', stranger)),
        /./,
        /client certificate refused.*(VERIFY|SELF_SIGNED|ISSUER)/,
      ],
      [
        'expired',
        async () => dial('e1', await identityOf('e1', ca, [-2 * day, -day])),
        /./,
        /client certificate refused.*EXPIRED/,
      ],
      [
        'not yet valid',
        async () => dial('e1', await identityOf('e1', ca, [day, 2 * day])),
        /./,
        /client certificate refused.*NOT_YET_VALID/,
      ],
      ['another name', () => dial('e1', mine, { node_id: 'e2' }), /403/, /link refused.*does not fit/],
      ['no ConnectionUse', () => dial('e1', mine, { ConnectionUse: '' }), /400/, /link refused.*ConnectionUse/],
      [
        'another ConnectionUse',
        () => dial('e1', mine, { ConnectionUse: 'stream' }),
        /400/,
        /link refused.*ConnectionUse/,
      ],
      ['no name', () => dial('e1', mine, { node_id: '' }), /400/, /link refused.*node_id/],
      ['a path for a name', () => dial('e1', mine, { node_id: '../../etc' }), /400/, /link refused.*node_id/],
    ];
    for (const [what, dialling, refusal, line] of table) {
      const said = complaints().length;
      await assert.rejects(dialling(), refusal, what);
      assert.match(await oneLine(what, said), line);
      await steady.stillServed();
    }
    steady.end();
  });

  it('takes the newer of two connections of a node, and only of that node', async () => {
    const steady = await steadyNode();
    const identity = await identityOf('e1');
    const first = await dial('e1', identity);
    assert.equal(((await ask(first, 'query', 'default/node/e1')).content as KubeObject).kind, 'Node');
    const second = await dial('e1', identity);
    await eventually('the older connection to be closed', async () => first.isClosed());
    assert.equal(((await ask(second, 'query', 'default/node/e1')).content as KubeObject).kind, 'Node');
    assert.ok(log().some((line) => line.includes('opened a newer link')));
    await steady.stillServed();
    second.socket.close();
    steady.end();
  });

  it('is not held up by peers that speak no TLS, no HTTP, or nothing', async () => {
    const steady = await steadyNode();
    const raw = (first: string): Promise<void> =>
      new Promise((resolve) => {
        const socket = connectTcp(cloud.ports.hub, '127.0.0.1', () => void socket.write(first));
        socket.on('error', () => undefined).once('close', () => resolve());
        socket.resume();
      });
    const ended = Promise.all([
      raw('GET / HTTP/1.1\r\n\r\n'),
      raw('\x16\x03\x01\xff\xff'.repeat(100)),
      raw(''),
      new Promise<void>((resolve, reject) => {
        void identityOf('e1').then(({ certificate: cert, key }) => {
          const socket: TLSSocket = connectTls({
            port: cloud.ports.hub,
            host: '127.0.0.1',
            ca: ca.certificatePem,
            cert,
            key,
          });
          socket.once('secureConnect', () => socket.write('GET /half-a-'));
          socket.on('error', () => undefined).once('close', () => resolve());
          socket.resume();
        }, reject);
      }),
    ]);
    for (let n = 0; n < 5; n++) await steady.stillServed();
    await ended;
    await steady.stillServed();
    steady.end();
  });
});

function post(
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: Uint8Array; identity?: Identity } = {},
): Promise<Answer> {
  const { method = 'GET', headers = {}, body, identity } = options;
  return new Promise((resolve, reject) => {
    const length = body ? { 'content-length': String(body.byteLength) } : {};
    const tls = { ca: ca.certificatePem, ...(identity ? { cert: identity.certificate, key: identity.key } : {}) };
    const to = { host: '127.0.0.1', port: cloud.ports.https, path, method, headers: { ...length, ...headers } };
    const outgoing = request({ ...to, ...tls, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
    });
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}

const withoutHash = (token: string): string => token.split('.').slice(1).join('.');
const subjectOf = (node: string) => ({ commonName: `system:node:${node}`, organizations: ['system:nodes'] });
const csrOf = (node: string): Uint8Array => keys.createRequest(keys.createPrivateKey(), subjectOf(node));
const join_ = (node: string, token = withoutHash(cloud.token()), body = csrOf(node)): Promise<Answer> =>
  post('/edge.crt', { headers: { nodename: node, authorization: `Bearer ${token}` }, body });

describe('the bootstrap API', () => {
  it('gives a certificate for a good request and a status that says why for any other', async () => {
    assert.equal((await join_('e1')).status, 200);
    const good = withoutHash(cloud.token());
    const [head, payload, signature] = good.split('.') as [string, string, string];
    const signer = { certificate: ca.certificate, key: ca.key.reveal() };
    const expired = withoutHash(createJoinToken(keys, signer, instant(systemClock.now() - 1_000)));
    const other = { certificate: ca.certificate, key: new Uint8Array(32) };
    const forged = withoutHash(createJoinToken(keys, other, instant(systemClock.now() + day)));
    const longer = Buffer.from(JSON.stringify({ exp: 4_000_000_000 })).toString('base64url');
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    const tokens: Record<string, string> = {
      expired,
      forged,
      empty: '',
      'with another end': `${head}.${longer}.${signature}`,
      'without signature': `${none}.${longer}.`,
      'cut off': good.slice(0, -4),
      'too long': `${head}.${'A'.repeat(20_000)}.${signature}`,
      garbled: '%%%.%%%.%%%',
      'with the hash': cloud.token(),
      'without end': `${head}.${payload}`,
    };
    for (const [what, token] of Object.entries(tokens)) {
      const said = complaints().length;
      const { status, body } = await join_('e1', token);
      assert.equal(status, 401, `token ${what}: ${body.toString()}`);
      const line = await oneLine(`token ${what}`, said);
      assert.ok(token === '' || !line.includes(token), 'a token is not logged');
    }
    const broken = csrOf('e1');
    broken[broken.length - 5]! ^= 0xff;
    const requests: [string, Uint8Array, number][] = [
      ['nothing', new Uint8Array(), 400],
      ['garbage', new Uint8Array(1_000).fill(0x30), 400],
      ['half of a request', csrOf('e1').slice(0, 60), 400],
      ['a request with a broken signature', broken, 400],
      ['a request for another name', csrOf('e2'), 403],
      [
        'a request for a user',
        keys.createRequest(keys.createPrivateKey(), { commonName: 'admin', organizations: ['system:masters'] }),
        403,
      ],
      [
        'a request for a node in the group of administrators',
        keys.createRequest(keys.createPrivateKey(), {
          commonName: 'system:node:e1',
          organizations: ['system:nodes', 'system:masters'],
        }),
        403,
      ],
    ];
    for (const [what, body, wanted] of requests) {
      const said = complaints().length;
      const { status, body: say } = await join_('e1', good, body);
      assert.equal(status, wanted, `${what}: ${say.toString()}`);
      await oneLine(what, said);
    }
    assert.equal((await join_('e1')).status, 200);
  });

  it('gives no certificate to the certificate of another node, or of another CA', async () => {
    const now = systemClock.now();
    const stranger = await authorities.createAuthority({
      subject: { commonName: 'KubeEdge', organizations: [] },
      notBefore: now - day,
      notAfter: now + day,
    });
    for (const identity of [
      await identityOf('e2'),
      await identityOf('e1', stranger),
      await identityOf('e1', ca, [-2 * day, -day]),
    ]) {
      const { status } = await post('/edge.crt', { headers: { nodename: 'e1' }, body: csrOf('e1'), identity });
      assert.equal(status, 401);
    }
  });

  it('answers other methods and paths, oversized heads and bodies, and goes on', async () => {
    const authorization = `Bearer ${withoutHash(cloud.token())}`;
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS']) {
      for (const path of ['/edge.crt', '/ca.crt', '/node/e1', '/']) {
        const { status } = await post(path, { method, headers: { nodename: 'e1', authorization } });
        assert.ok(status === 404 || status === 405, `${method} ${path}: ${status}`);
      }
    }
    const big = await post('/edge.crt', {
      headers: { nodename: 'e1', authorization },
      body: new Uint8Array(4 << 20),
    }).then(
      ({ status }) => status,
      () => 'cut off',
    );
    assert.ok(big === 413 || big === 'cut off', String(big));
    const head = await post('/ca.crt', { headers: { 'x-long': 'x'.repeat(100_000) } }).then(
      ({ status }) => status,
      () => 'cut off',
    );
    assert.ok(head === 431 || head === 'cut off', String(head));
    assert.equal((await join_('e1')).status, 200);
  });

  it('does not wait for bodies that never come, and serves others meanwhile', async () => {
    const authorization = `Bearer ${withoutHash(cloud.token())}`;
    const slow = Array.from(
      { length: 20 },
      () =>
        new Promise<number>((resolve) => {
          const to = { host: '127.0.0.1', port: cloud.ports.https, path: '/edge.crt', method: 'GET' };
          const headers = { nodename: 'e1', authorization, 'content-length': '500' };
          const outgoing = request({ ...to, headers, ca: ca.certificatePem, agent: false }, ({ statusCode }) =>
            resolve(statusCode ?? 0),
          );
          outgoing.once('error', () => resolve(0));
          outgoing.write('0');
          const dribble = setInterval(() => outgoing.write('0'), 400);
          outgoing.once('close', () => clearInterval(dribble));
        }),
    );
    assert.equal((await join_('e1')).status, 200);
    const ends = await Promise.all(slow);
    assert.ok(
      ends.every((status) => status === 0 || status === 408),
      ends.join(),
    );
    assert.equal((await join_('e1')).status, 200);
  });
});
