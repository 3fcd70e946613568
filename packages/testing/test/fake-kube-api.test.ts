// The fake API keeps the contract of a real one.
import { FakeClock } from '@kedge/core/testing';
import { describeKubeApi } from '@kedge/testing/contracts';
import { createFakeKubeApi } from '@kedge/testing/kube';
import { collections } from '@kedge/engine/kube-client';

describeKubeApi('fake in memory', async () => {
  const clock = new FakeClock({ settle: () => new Promise((resolve) => setImmediate(resolve)) });
  const api = createFakeKubeApi({ clock });
  for (const name of ['default', 'other']) {
    await api.create(collections.namespaces, undefined, { metadata: { name } });
  }
  return { api, close: async () => undefined };
});
