// The API server in the same process keeps the contract of every KubeApi.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { systemUser } from '@kedge/control-plane/apiserver';
import { collections } from '@kedge/engine/kube-client';
import { describeKubeApi } from '@kedge/testing/contracts';
import { startTestServer } from './test-server.ts';

const root = await mkdtemp(join(tmpdir(), 'kedge-apiserver-'));
after(() => rm(root, { recursive: true, force: true }));
let count = 0;

describeKubeApi('the embedded API server, in process', async () => {
  const { server, stop } = await startTestServer({ directory: join(root, String(++count)), pki: join(root, 'pki') });
  const api = server.localApi(systemUser);
  await api.create(collections.namespaces, undefined, { metadata: { name: 'other' } });
  for (const namespace of ['default', 'other']) {
    await api.create(collections.serviceAccounts, namespace, { metadata: { name: 'default' } });
  }
  return { api, close: stop };
});
