import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '@kedge/core/log';
import { openScope } from '@kedge/core/flow';
import { FakeClock } from '@kedge/core/testing';
import type { KubeObject } from '@kedge/model/k8s';
import { definitionRevision, deviceDefinitions } from '@kedge/model/kubeedge-definitions';
import { createFakeKubeApi } from '@kedge/testing/kube';
import { createCrdInstaller } from './install-crds.ts';

const crds = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };
const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise<void>((resolve) => queueMicrotask(resolve));
};

async function startOn(prepare: (device: KubeObject) => KubeObject): Promise<KubeObject> {
  const clock = new FakeClock({ settle });
  const kube = createFakeKubeApi({ clock });
  const log = createLog({ now: () => clock.now(), level: 'error', write: () => undefined });
  const device = deviceDefinitions.find(({ spec }) => spec.names.kind === 'Device')! as unknown as KubeObject;
  const { name = '' } = device.metadata;
  await kube.create(crds, undefined, prepare(structuredClone(device)));
  const scope = openScope({ clock, name: 'crds' });
  const serve = async (): Promise<void> => {
    for (const { metadata } of (await kube.list(crds)).items) {
      const status = JSON.stringify({ status: { conditions: [{ type: 'Established', status: 'True' }] } });
      await kube.patch(crds, { name: metadata.name ?? '', subresource: 'status' }, 'merge', status);
    }
  };
  const started = createCrdInstaller({ clock, log, kube }).start(scope);
  await settle();
  await serve();
  await clock.until(started);
  return kube.get(crds, { name });
}

const versionsOf = (definition: KubeObject): string[] =>
  (definition['spec'] as { versions: { name: string }[] }).versions.map(({ name }) => name);
const withoutVersions = (definition: KubeObject): KubeObject => ({
  ...definition,
  spec: { ...(definition['spec'] as object), versions: [] },
});
const revised = (definition: KubeObject, revision: string | undefined): KubeObject => ({
  ...definition,
  metadata: {
    ...definition.metadata,
    annotations: revision === undefined ? {} : { [definitionRevision.annotation]: revision },
  },
});

test('an older definition of ours is brought up to date', async () => {
  const stored = await startOn((device) => revised(withoutVersions(device), '0'));
  assert.deepEqual(versionsOf(stored), ['v1alpha2', 'v1beta1']);
  assert.equal(stored.metadata.annotations?.[definitionRevision.annotation], String(definitionRevision.value));
});

test('a newer one, and one that somebody else installed, stay as they are', async () => {
  assert.deepEqual(versionsOf(await startOn((device) => revised(withoutVersions(device), '99'))), []);
  assert.deepEqual(versionsOf(await startOn((device) => revised(withoutVersions(device), undefined))), []);
});
