// How many pods there should be, by whom they belong to.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeApi } from '@kedge/engine/kube-client';
import { fail } from '@kedge/model/k8s';
import type { Pod } from '@kedge/model/k8s-types';
import { podScale, type PodScale } from './pod-scale.ts';

const pod = (name: string, owner?: string, kind = 'Robot'): Pod => ({
  metadata: {
    name,
    namespace: 'default',
    ...(owner
      ? { ownerReferences: [{ apiVersion: 'example.org/v1', kind, name: owner, uid: owner, controller: true }] }
      : {}),
  },
});

/** A group whose robots can be scaled, and whose statues are there and cannot. */
function scaleOf(pods: readonly Pod[]): Promise<PodScale> {
  const api = {
    async get(of: { resource: string }, { name, subresource }: { name: string; subresource?: string }) {
      const isThere = name.startsWith('r') || name.startsWith('s');
      if (!isThere || (subresource === 'scale' && of.resource !== 'robots')) throw fail('NotFound', 'not found');
      return {
        metadata: { name, uid: name === 'r-new' ? 'another' : name },
        spec: { replicas: Number(name.slice(1)) },
      };
    },
  } as unknown as KubeApi;
  const targets = {
    resourceOf: async (_: string, kind: string) =>
      kind === 'Ghost'
        ? undefined
        : { group: 'example.org', version: 'v1', resource: kind === 'Robot' ? 'robots' : 'statues' },
  };
  const known = ({ metadata }: Pod) => (metadata.name?.startsWith('web') ? { uid: 'web', replicas: 3 } : undefined);
  return podScale({ api, targets, known }, pods, new AbortController().signal);
}

const table: [what: string, pods: Pod[], expected: PodScale][] = [
  ['nobody', [], { ok: true, replicas: 0, unmanaged: [] }],
  ['each controller once', [pod('web-1', 'set'), pod('web-2', 'set')], { ok: true, replicas: 3, unmanaged: [] }],
  ['of any kind with a scale', [pod('a', 'r4'), pod('web-1', 'set')], { ok: true, replicas: 7, unmanaged: [] }],
  ['pods that nobody manages apart', [pod('lone'), pod('a', 'r2')], { ok: true, replicas: 2, unmanaged: ['lone'] }],
  [
    'a kind without a scale',
    [pod('a', 's1', 'Statue')],
    { ok: false, why: 'statues.example.org does not implement the scale subresource' },
  ],
  ['a controller that is gone', [pod('a', 'x1')], { ok: false, why: 'found no controllers for pod "a"' }],
  ['another one under its name', [pod('a', 'r-new')], { ok: false, why: 'found no controllers for pod "a"' }],
  [
    'a kind that is not served',
    [pod('a', 'g1', 'Ghost')],
    { ok: false, why: 'no matches for kind "Ghost" in version "example.org/v1"' },
  ],
];
for (const [what, pods, expected] of table) {
  test(`scale: ${what}`, async () => assert.deepEqual(await scaleOf(pods), expected));
}
