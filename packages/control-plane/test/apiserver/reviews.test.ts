// Questions about access that ask for nothing are refused with every cause.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemUser } from '@kedge/control-plane/apiserver';
import type { KubeApi } from '@kedge/engine/kube-client';
import { isStatus, type KubeObject } from '@kedge/model/k8s';
import { startTestServer, type TestServer } from './test-server.ts';

const directory = await mkdtemp(join(tmpdir(), 'kedge-reviews-'));
let server: TestServer;
let api: KubeApi;
before(async () => {
  server = await startTestServer({ directory });
  api = server.server.localApi(systemUser);
});
after(async () => {
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

async function causes(resource: string, namespace: string | undefined, spec: object): Promise<string[]> {
  const review = { metadata: {}, spec } as unknown as KubeObject;
  const error: unknown = await api
    .create({ group: 'authorization.k8s.io', version: 'v1', resource }, namespace, review)
    .catch((reason: unknown) => reason);
  assert.ok(isStatus(error, 'Invalid'));
  return (error.status.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);
}

test('a review names a subject and exactly one thing', async () => {
  assert.deepEqual(await causes('subjectaccessreviews', undefined, {}), [
    'spec.resourceAttributes: Invalid value: "null": exactly one of nonResourceAttributes or resourceAttributes must be specified',
    'spec.user: Invalid value: "": at least one of user or group must be specified',
  ]);
  assert.deepEqual(
    await causes('selfsubjectaccessreviews', undefined, { resourceAttributes: {}, nonResourceAttributes: {} }),
    ['spec.nonResourceAttributes: Invalid value: {}: cannot be specified in combination with resourceAttributes'],
  );
});

test('a local review is about its own namespace', async () => {
  const spec = { user: 'ann', resourceAttributes: { verb: 'get', resource: 'pods', namespace: 'other' } };
  assert.deepEqual(await causes('localsubjectaccessreviews', 'default', spec), [
    'spec.resourceAttributes.namespace: Invalid value: "other": must match metadata.namespace',
  ]);
});
