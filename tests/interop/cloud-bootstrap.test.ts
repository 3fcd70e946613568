// The cloud's two listeners over real TLS: what an edge does to join, what it must not get, and what strangers send.
import assert from 'node:assert/strict';
import { request } from 'node:https';
import { connect } from 'node:tls';
import { tmpdir } from 'node:os';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { before, after, test } from 'node:test';
import * as fc from 'fast-check';
import { secret } from '@kedge/core/log';
import { createDialer, createKeys, systemClock } from '@kedge/platform/node';
import { createFakeKubeApi } from '@kedge/testing/kube';
import { edgeNode, api, installSyncs, syncResources } from './cloud-rig.ts';
import { type LiveCloud, startLiveCloud } from './cloud-go-rig.ts';

const keys = createKeys();
let directory: string;
let cloud: LiveCloud;
let ca: string;

interface Sent {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: Uint8Array;
  readonly cert?: string;
  readonly key?: string;
}

/** As Go does it: a body with any method. */
function send(path: string, { method = 'GET', headers = {}, body, ...identity }: Sent = {}) {
  return new Promise<{ status: number; body: Buffer }>((resolve, reject) => {
    const length = body ? { 'content-length': String(body.byteLength) } : {};
    const options = { host: '127.0.0.1', port: cloud.ports.https, path, method, headers: { ...length, ...headers } };
    const outgoing = request({ ...options, ...identity, ca, rejectUnauthorized: ca !== undefined, agent: false });
    outgoing.once('error', reject);
    outgoing.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
    });
    outgoing.end(body);
  });
}

const bearer = () => ({ authorization: `Bearer ${cloud.token().split('.').slice(1).join('.')}` });
const subject = (name: string) => ({ commonName: `system:node:${name}`, organizations: ['system:nodes'] });

async function joinAs(name: string): Promise<{ cert: string; key: string }> {
  const key = keys.createPrivateKey();
  const body = keys.createRequest(key, subject(name));
  const answer = await send('/edge.crt', { headers: { ...bearer(), nodename: name }, body });
  assert.equal(answer.status, 200);
  return { cert: keys.toPem('CERTIFICATE', answer.body), key: key.reveal() };
}

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kedge-bootstrap-'));
  const kube = createFakeKubeApi({ clock: systemClock, resources: syncResources });
  await installSyncs(kube);
  await kube.create(api('nodes'), undefined, edgeNode('known'));
  cloud = await startLiveCloud(kube, join(directory, 'cloud.log'));
  const der = await new Promise<Buffer>((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port: cloud.ports.https,
      path: '/ca.crt',
      rejectUnauthorized: false,
      agent: false,
    };
    request(options, (response) => {
      response.once('data', resolve);
      response.once('error', reject);
    }).end();
  });
  assert.equal(cloud.token().split('.')[0], Buffer.from(keys.sha256(der)).toString('hex'));
  ca = keys.toPem('CERTIFICATE', der);
});

after(async () => {
  await cloud.stop();
  await rm(directory, { recursive: true, force: true });
});

test('an edge joins by token and renews by certificate', async () => {
  const first = await joinAs('e1');
  assert.ok(keys.matches(first.cert, secret(first.key)));
  const key = keys.createPrivateKey();
  const body = keys.createRequest(key, subject('e1'));
  const renewed = await send('/edge.crt', { headers: { nodename: 'e1' }, body, ...first });
  assert.equal(renewed.status, 200);
  assert.equal(keys.readCertificate(renewed.body).commonName, 'system:node:e1');
});

const csr = (name: string) => keys.createRequest(keys.createPrivateKey(), subject(name));

test('a certificate is refused with the status that says why', async () => {
  const other = await joinAs('e2');
  const table: [string, Sent, number][] = [
    ['no token', { headers: { nodename: 'e1' }, body: csr('e1') }, 401],
    ['a wrong token', { headers: { nodename: 'e1', authorization: 'Bearer a.b.c' }, body: csr('e1') }, 401],
    ['another name', { headers: { ...bearer(), nodename: 'e1' }, body: csr('e2') }, 403],
    ['no name', { headers: bearer(), body: csr('e1') }, 400],
    ['a path for a name', { headers: { ...bearer(), nodename: '../x' }, body: csr('e1') }, 400],
    ['no request', { headers: { ...bearer(), nodename: 'e1' } }, 400],
    ['garbage', { headers: { ...bearer(), nodename: 'e1' }, body: new Uint8Array(300).fill(48) }, 400],
    ['strange usages', { headers: { ...bearer(), nodename: 'e1', extkeyusages: '[99]' }, body: csr('e1') }, 400],
    ['the certificate of another node', { headers: { nodename: 'e1' }, body: csr('e1'), ...other }, 401],
  ];
  for (const [what, sent, status] of table) assert.equal((await send('/edge.crt', sent)).status, status, what);
});

test('a body beyond the limit is cut off, and the next edge is served', async () => {
  const headers = { ...bearer(), nodename: 'e1' };
  const huge = await send('/edge.crt', { headers, body: new Uint8Array(3 << 20) }).then(
    ({ status }) => status,
    () => 413,
  );
  assert.equal(huge, 413);
  await joinAs('e3');
});

test('keadm learns whether a name is taken', async () => {
  assert.deepEqual(await send('/node/known'), { status: 200, body: Buffer.from('Node founded') });
  assert.deepEqual(await send('/node/unknown'), { status: 404, body: Buffer.from('Node not found') });
  assert.equal((await send('/node/..%2f..%2fsecrets')).status, 400);
});

test('whatever strangers ask for, the listener answers and goes on', async () => {
  const methods = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH');
  const segment = fc.constantFrom(
    'edge.crt',
    'ca.crt',
    'node',
    '..',
    '%00',
    'task',
    'x'.repeat(200),
    'nodeupgrade',
    '',
  );
  const path = fc.array(segment, { maxLength: 5 }).map((parts) => `/${parts.join('/')}`);
  await fc.assert(
    fc.asyncProperty(methods, path, fc.uint8Array({ maxLength: 500 }), async (method, at, body) => {
      const { status } = await send(at, { method, body, headers: { nodename: 'e1', authorization: 'Bearer x' } });
      assert.ok(status >= 200 && status < 500, `${method} ${at}: ${status}`);
    }),
    { numRuns: 60 },
  );
  await joinAs('e4');
});

async function dial(name: string, identity: { cert: string; key: string }, nodeId = name) {
  return createDialer().dial({
    url: `wss://127.0.0.1:${cloud.ports.hub}/project/${nodeId}/events`,
    headers: { node_id: nodeId, project_id: 'p', ConnectionUse: 'msg' },
    tls: { ca, certificate: identity.cert, key: identity.key },
    maxFrameBytes: 1 << 20,
    timeoutMs: 5_000,
  });
}

const keepalive = JSON.stringify({
  header: { msg_id: 'k', timestamp: 1 },
  route: { source: 'websocket', group: 'resource', operation: 'keepalive', resource: 'node' },
  content: 'ping',
});

test('a link needs a certificate of this CA and of this node', async () => {
  const e1 = await joinAs('e1');
  await assert.rejects(dial('e1', e1, 'e2'), /403/);
  const bare = await new Promise<string>((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: cloud.ports.hub, ca });
    socket.once('secureConnect', () => socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'));
    socket.once('data', () => resolve('answered'));
    socket.once('error', () => resolve('refused'));
    socket.once('close', () => resolve('refused'));
  });
  assert.equal(bare, 'refused');
});

test('random frames end their own link and leave another alone', async () => {
  const [good, bad] = [await joinAs('good'), await joinAs('bad')];
  const { socket } = await dial('good', good);
  await socket.send(keepalive);
  const frame = fc.oneof(
    fc.string(),
    fc.json(),
    fc.uint8Array({ maxLength: 200 }),
    fc.record({ header: fc.anything(), route: fc.anything(), content: fc.anything() }).map((value) => {
      try {
        return JSON.stringify(value) ?? '';
      } catch {
        return '{';
      }
    }),
  );
  await fc.assert(
    fc.asyncProperty(frame, async (data) => {
      const { socket: victim } = await dial('bad', bad);
      await victim.send(data);
      await Promise.race([victim.closed, victim.send(keepalive).catch(() => undefined)]);
      victim.terminate();
    }),
    { numRuns: 40 },
  );
  let isOpen = true;
  void socket.closed.then(() => (isOpen = false));
  await socket.send(keepalive);
  assert.equal(isOpen, true);
  socket.close();
});
