// The HTTP client and the API server together keep the contract of every KubeApi: kubeconfig, TLS, paging, watches.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { collections, createKubeClient, loadKubeconfig } from '@kedge/engine/kube-client';
import { createFiles, createHttpClient, createRandom, systemClock } from '@kedge/platform/node';
import { describeKubeApi } from '@kedge/testing/contracts';
import { startTestServer } from './apiserver/test-server.ts';

const root = await mkdtemp(join(tmpdir(), 'kedge-kube-client-'));
after(() => rm(root, { recursive: true, force: true }));
let count = 0;

describeKubeApi('the embedded API server over HTTPS', async () => {
  const { kubeconfigPath, stop } = await startTestServer({
    directory: join(root, String(++count)),
    pki: join(root, 'pki'),
  });
  const { server, ca, client } = await loadKubeconfig(createFiles(), kubeconfigPath);
  const tls = client ? { certificate: client.certificate, key: client.key.reveal() } : {};
  const http = createHttpClient({ tls: { ...(ca ? { ca } : {}), ...tls } });
  const credentials = { by: 'connection' } as const;
  const api = createKubeClient({
    http,
    server,
    credentials,
    userAgent: 'kedge-test',
    clock: systemClock,
    random: createRandom(),
  });
  await api.create(collections.namespaces, undefined, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'other' },
  });
  for (const namespace of ['default', 'other']) {
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } };
    await api.create(collections.serviceAccounts, namespace, account);
  }
  return {
    api,
    async close() {
      await http.close();
      await stop();
    },
  };
});
