import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, Node, NodeSelectorTerm, Taint, Toleration } from '../k8s-types/index.ts';
import { findUntolerated, matchesNode, matchesNodeTerm, podRequests, toleratedSeconds, tolerates } from './index.ts';

const taint = (key: string, effect: string, value?: string): Taint => ({ key, effect, ...(value ? { value } : {}) });

const tolerations: [what: string, toleration: Toleration, taint: Taint, expected: boolean][] = [
  ['same key, value and effect', { key: 'a', value: '1', effect: 'NoSchedule' }, taint('a', 'NoSchedule', '1'), true],
  ['another value', { key: 'a', value: '2' }, taint('a', 'NoSchedule', '1'), false],
  ['another effect', { key: 'a', operator: 'Exists', effect: 'NoExecute' }, taint('a', 'NoSchedule'), false],
  ['any effect', { key: 'a', operator: 'Exists' }, taint('a', 'NoExecute', 'x'), true],
  ['everything', { operator: 'Exists' }, taint('whatever', 'NoSchedule'), true],
  ['empty value equals absent value', { key: 'a', operator: 'Equal' }, taint('a', 'NoSchedule'), true],
  ['no key and no Exists', {}, taint('a', 'NoSchedule'), false],
];
for (const [what, toleration, of, expected] of tolerations) {
  test(`toleration: ${what}`, () => assert.equal(tolerates(toleration, of), expected));
}

test('the untolerated taint of a relevant effect is found', () => {
  const taints = [taint('soft', 'PreferNoSchedule'), taint('hard', 'NoSchedule')];
  assert.equal(findUntolerated(taints, [], ['NoSchedule', 'NoExecute'])?.key, 'hard');
  assert.equal(findUntolerated(taints, [{ key: 'hard', operator: 'Exists' }], ['NoSchedule', 'NoExecute']), undefined);
});

test('the shortest toleration of NoExecute taints counts, and one that is missing means now', () => {
  const taints = [taint('a', 'NoExecute'), taint('b', 'NoExecute')];
  const a: Toleration = { key: 'a', operator: 'Exists', tolerationSeconds: 300 };
  const b: Toleration = { key: 'b', operator: 'Exists' };
  assert.equal(toleratedSeconds(taints, [a]), 0);
  assert.equal(toleratedSeconds(taints, [a, b]), 300);
  assert.equal(toleratedSeconds(taints, [{ operator: 'Exists' }]), undefined);
  assert.equal(toleratedSeconds([taint('a', 'NoSchedule')], []), undefined);
});

const node: Node = { metadata: { name: 'edge-1', labels: { zone: 'north', cores: '8' } } };
const terms: [what: string, term: NodeSelectorTerm, expected: boolean][] = [
  ['nothing asked matches nothing', {}, false],
  ['in', { matchExpressions: [{ key: 'zone', operator: 'In', values: ['north', 'south'] }] }, true],
  ['not in', { matchExpressions: [{ key: 'zone', operator: 'NotIn', values: ['north'] }] }, false],
  [
    'exists and does not exist',
    {
      matchExpressions: [
        { key: 'zone', operator: 'Exists' },
        { key: 'gpu', operator: 'DoesNotExist' },
      ],
    },
    true,
  ],
  ['greater', { matchExpressions: [{ key: 'cores', operator: 'Gt', values: ['4'] }] }, true],
  ['less', { matchExpressions: [{ key: 'cores', operator: 'Lt', values: ['8'] }] }, false],
  ['a number is asked of a word', { matchExpressions: [{ key: 'zone', operator: 'Gt', values: ['4'] }] }, false],
  ['by name', { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['edge-1'] }] }, true],
  ['an operator nobody knows', { matchExpressions: [{ key: 'zone', operator: 'Like', values: ['n'] }] }, false],
];
for (const [what, term, expected] of terms) {
  test(`node selection: ${what}`, () => assert.equal(matchesNodeTerm(term, node), expected));
}

test('nodeSelector and required affinity both have to hold', () => {
  const affinity = {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['south'] }] }],
      },
    },
  };
  assert.equal(matchesNode({ containers: [], nodeSelector: { zone: 'north' } }, node), true);
  assert.equal(matchesNode({ containers: [], nodeSelector: { zone: 'north' }, affinity }, node), false);
  assert.equal(matchesNode(undefined, node), true);
});

const container = (name: string, cpu: string, more: Partial<Container> = {}): Container => ({
  name,
  resources: { requests: { cpu } },
  ...more,
});
test('requests add up over containers, and init containers count as their peak', () => {
  const asked = podRequests({
    containers: [container('a', '500m'), container('b', '1', { resources: { requests: { cpu: '1', memory: '1Gi' } } })],
    initContainers: [container('sidecar', '200m', { restartPolicy: 'Always' }), container('setup', '2')],
    overhead: { cpu: '10m' },
  });
  assert.deepEqual(Object.fromEntries(asked), { cpu: 2_210, memory: 1_073_741_824 });
});
