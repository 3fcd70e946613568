// Which changes of an object a node has to hear of, as a table.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '@kedge/model/k8s';
import { wantsItsNode } from './edge-nodes.ts';
import { significance, type Significance } from './significance.ts';

const before: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', resourceVersion: '1', generation: 1, labels: { a: '1' } },
  spec: { nodeName: 'n', containers: [{ name: 'c', image: 'i' }] },
  status: { phase: 'Pending' },
};

const table: [string, KubeObject, Significance][] = [
  ['nothing at all', before, 'nothing'],
  [
    'version and generation',
    { ...before, metadata: { ...before.metadata, resourceVersion: '2', generation: 2 } },
    'nothing',
  ],
  ['managers', { ...before, metadata: { ...before.metadata, managedFields: [{ manager: 'x' }] } }, 'nothing'],
  ['the order of fields', { ...before, spec: { containers: [{ image: 'i', name: 'c' }], nodeName: 'n' } }, 'nothing'],
  ['kind left out', { metadata: before.metadata, spec: before['spec'], status: before['status'] }, 'nothing'],
  ['status', { ...before, status: { phase: 'Running' } }, 'status'],
  ['a label', { ...before, metadata: { ...before.metadata, labels: { a: '2' } } }, 'desired'],
  ['a deletion', { ...before, metadata: { ...before.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }, 'desired'],
  ['the image', { ...before, spec: { nodeName: 'n', containers: [{ name: 'c', image: 'j' }] } }, 'desired'],
  ['status and spec', { ...before, spec: {}, status: {} }, 'desired'],
  ['the data of a ConfigMap', { ...before, data: { k: 'v' } }, 'desired'],
];

for (const [what, after, expected] of table) {
  test(`a change of ${what} matters as: ${expected}`, () => assert.equal(significance(before, after), expected));
}

const versions: [string | undefined, boolean][] = [
  ['v1.31.12-kubeedge-v1.22.2', false],
  ['v1.32.10-kubeedge-v1.23.1', true],
  ['v1.33.0-kubeedge-v1.24.0', true],
  ['v2.0.0-kubeedge-v2.0.0', true],
  ['v1.19.3-kubeedge-v1.8.0', false],
  ['v1.32.0', false],
  [undefined, false],
];

for (const [kubeletVersion, expected] of versions) {
  test(`an edge of kubelet ${kubeletVersion ?? 'unknown'} ${expected ? 'wants' : 'does not want'} its Node`, () => {
    const status = kubeletVersion === undefined ? {} : { nodeInfo: { kubeletVersion } };
    assert.equal(wantsItsNode({ metadata: { name: 'n' }, status } as never), expected);
  });
}
