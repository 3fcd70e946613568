// The audit log through the whole server: what is told about requests, by policy, and what is never told.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { defaultAuditPolicy, readAuditPolicy } from '@kedge/control-plane/apiserver';
import { type OpenServer, openTestServer } from './test-server.ts';

interface Event {
  level: string;
  stage: string;
  verb: string;
  requestURI: string;
  auditID: string;
  user: { username?: string };
  impersonatedUser?: { username: string };
  objectRef?: { resource: string; name?: string; uid?: string; namespace?: string };
  responseStatus?: { code: number; reason?: string };
  requestObject?: unknown;
  responseObject?: unknown;
  annotations?: Record<string, string>;
}

let running: OpenServer;
before(async () => {
  running = await openTestServer('audit', (directory) => ({
    audit: {
      path: join(directory, 'audit.log'),
      maxBytes: 1 << 20,
      maxBackups: 0,
      maxAgeDays: 0,
      policy: defaultAuditPolicy,
    },
  }));
});
after(() => running.stop());

async function ask(method: string, at: string, body?: object, headers = {}, client = running.admin): Promise<void> {
  const text = body && JSON.stringify(body);
  const response = await client.request({
    method,
    url: running.url(at),
    headers: { 'content-type': 'application/json', ...headers },
    ...(text ? { body: text } : {}),
  });
  await response.text();
}
async function events(about: string): Promise<Event[]> {
  for (let tries = 0; tries < 500; tries++) {
    const lines = (await readFile(join(running.directory, 'audit.log'), 'utf8').catch(() => ''))
      .split('\n')
      .filter(Boolean);
    const found = lines.map((line) => JSON.parse(line) as Event).filter(({ requestURI }) => requestURI.includes(about));
    if (found.length > 0) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return [];
}

describe('the default policy', () => {
  test('tells who created what, with what was sent', async () => {
    const body = { metadata: { name: 'told', labels: { a: 'b' } } };
    await ask('POST', '/api/v1/namespaces?fieldManager=told', body, { 'audit-id': 'my-own-id' });
    const [event] = await events('fieldManager=told');
    assert.equal(event!.level, 'Request');
    assert.deepEqual(
      [event!.stage, event!.verb, event!.user.username, event!.auditID, event!.responseStatus],
      ['ResponseComplete', 'create', 'kubernetes-admin', 'my-own-id', { metadata: {}, code: 201 }],
    );
    assert.deepEqual([event!.objectRef?.resource, event!.objectRef?.name], ['namespaces', 'told']);
    assert.ok(event!.objectRef?.uid);
    assert.deepEqual(event!.requestObject, body);
    assert.equal(event!.responseObject, undefined);
    assert.equal(event!.annotations?.['authorization.k8s.io/decision'], 'allow');
  });

  test('never tells what is in a secret', async () => {
    const at = '/api/v1/namespaces/default/secrets?fieldManager=hush';
    await ask('POST', at, { metadata: { name: 'hush' }, stringData: { password: 'correct horse' } });
    const [event] = await events('fieldManager=hush');
    assert.deepEqual([event!.level, event!.requestObject], ['Metadata', undefined]);
    assert.doesNotMatch(await readFile(join(running.directory, 'audit.log'), 'utf8'), /correct horse/);
  });

  test('tells what was refused, and who acted as whom', async () => {
    await ask('GET', '/api/v1/namespaces/default/pods?limit=77', undefined, {}, running.anyone);
    const [refused] = await events('limit=77');
    assert.deepEqual(
      [refused!.user.username, refused!.responseStatus?.code, refused!.responseStatus?.reason],
      ['system:anonymous', 403, 'Forbidden'],
    );
    assert.equal(refused!.annotations?.['authorization.k8s.io/decision'], 'forbid');
    await ask('GET', '/api/v1/nodes?limit=78', undefined, {
      'impersonate-user': 'ann',
      'impersonate-group': 'system:masters',
    });
    const [acting] = await events('limit=78');
    assert.deepEqual([acting!.user.username, acting!.impersonatedUser?.username], ['kubernetes-admin', 'ann']);
    await ask('GET', '/api/v1/nodes?limit=79', undefined, { authorization: 'Bearer nonsense' }, running.anyone);
    assert.equal((await events('limit=79'))[0]!.responseStatus?.code, 401);
  });

  test('leaves out what nobody wants to read', async () => {
    await ask('GET', '/readyz?verbose=quiet');
    await ask('GET', '/api/v1/nodes?limit=80');
    assert.equal((await events('limit=80')).length, 1);
    assert.deepEqual(await events('quiet'), []);
  });
});

test('a policy that makes no sense is refused with all that is wrong', () => {
  const policy = { kind: 'Policy', apiVersion: 'audit.k8s.io/v1' };
  assert.throws(() => readAuditPolicy({ ...policy, rules: [] }), /rules: Required value/);
  assert.throws(
    () =>
      readAuditPolicy({
        ...policy,
        omitStages: ['Never'],
        rules: [
          { level: 'All', verbs: 'get' },
          { level: 'None', nonResourceURLs: ['/x'], namespaces: ['a'] },
        ],
      }),
    /omitStages: .*rules\[0\].level: .*rules\[0\].verbs: .*rules\[1\]: a rule cannot apply to both/,
  );
  assert.equal(readAuditPolicy({ ...policy, rules: [{ level: 'Metadata' }] }).rules.length, 1);
});
