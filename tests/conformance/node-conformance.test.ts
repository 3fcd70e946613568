// What Kubernetes calls node conformance, against a whole edge: the embedded API, cloudcore, edgecore and a real container runtime.
// docs/edged.md lists the cases.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { busyboxImageSpec } from '@kedge/platform/containerd';
import { openKubeApi } from '../../apps/kedge/src/kube-access.ts';
import { tracesOf } from '../e2e/harness/host-traces.ts';
import { createParts, type Parts } from '../e2e/harness/parts.ts';
import { conformanceCases } from './cases.ts';
import { imageWithDefaults, type NodeUnderTest, nodeUnderTest, otherBusybox } from './node-under-test.ts';

/** Most cases wait for seconds to pass. */
const atOnce = 12;

describe('node conformance', { concurrency: atOnce }, () => {
  let parts: Parts;
  let node: NodeUnderTest;
  let close: () => Promise<void> = async () => undefined;

  before(async () => {
    parts = await createParts('conform');
    try {
      const busybox = await busyboxImageSpec();
      const defaults = {
        entrypoint: ['echo'],
        command: ['from the image'],
        env: ['FROM_IMAGE=yes'],
        workingDirectory: '/tmp',
        user: '1234',
      };
      await parts.runtime.load([
        { ...busybox, reference: imageWithDefaults, ...defaults },
        { ...busybox, reference: otherBusybox },
      ]);
      await parts.startAll();
      const access = await openKubeApi(parts.kubeconfig, 'conformance', { qps: 1_000 });
      close = () => access.close();
      const { status } = await parts.kubectl.json<{ status: { addresses: { type: string; address: string }[] } }>(
        'get',
        'node',
        parts.node,
      );
      node = nodeUnderTest(access.api, parts.node, status.addresses.find(({ type }) => type === 'InternalIP')!.address);
    } catch (error) {
      throw new Error(parts.logs(), { cause: error });
    }
  });

  after(async () => {
    // Their volumes are mounts of the host.
    await parts.kubectl('delete', 'pods', '--all', '--grace-period=1', '--timeout=120s');
    await close();
    await parts.remove();
    assert.deepEqual(await tracesOf(...parts.marks), []);
  });

  for (const [area, cases] of Object.entries(conformanceCases))
    for (const { name, missing, run } of cases) it(`${area}: ${name}`, { skip: missing ?? false }, () => run(node));
});
