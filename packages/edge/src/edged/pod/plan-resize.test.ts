import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Container, Pod } from '@kedge/model/k8s-types';
import { allocationOf, findResizes, withAllocation } from './plan-resize.ts';

const pod = (resources: Container['resources'], resizePolicy: Container['resizePolicy'] = []): Pod => ({
  metadata: { name: 'a' },
  spec: { containers: [{ name: 'main', resizePolicy, ...(resources ? { resources } : {}) }, { name: 'other' }] },
});
const small = pod({ requests: { cpu: '100m' }, limits: { cpu: '200m', memory: '64Mi' } });
const restartForMemory = [
  { resourceName: 'cpu', restartPolicy: 'NotRequired' },
  { resourceName: 'memory', restartPolicy: 'RestartContainer' },
];

describe('a pod that wants other resources than it runs with', () => {
  const table: [what: string, wanted: Pod, resizes: [string, boolean][]][] = [
    ['wants the same', small, []],
    [
      'wants the same, said more plainly',
      pod({ requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '200m', memory: '64Mi' } }),
      [],
    ],
    ['wants more CPU', pod({ requests: { cpu: '150m' }, limits: { cpu: '200m', memory: '64Mi' } }), [['main', false]]],
    [
      'wants more memory, which takes a new start',
      pod({ requests: { cpu: '100m' }, limits: { cpu: '200m', memory: '96Mi' } }, restartForMemory),
      [['main', true]],
    ],
    [
      'wants more CPU, which takes none',
      pod({ requests: { cpu: '100m' }, limits: { cpu: '300m', memory: '64Mi' } }, restartForMemory),
      [['main', false]],
    ],
  ];
  for (const [what, wanted, resizes] of table) {
    test(what, () => {
      const found = findResizes(wanted, allocationOf(small));
      assert.deepEqual(
        found.map(({ name, needsRestart }) => [name, needsRestart]),
        resizes,
      );
      assert.deepEqual(
        withAllocation(wanted, allocationOf(small)).spec?.containers[0]?.resources ?? {},
        resizes.length > 0 ? small.spec?.containers[0]?.resources : wanted.spec?.containers[0]?.resources,
      );
    });
  }
});
