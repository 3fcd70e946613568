import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GraphNode } from './ownership-graph.ts';
import { type Collection, type OwnerState, planCollection } from './plan-collection.ts';

const node = (isLeaving = false): GraphNode => ({
  uid: 'x',
  at: { of: { group: '', version: 'v1', resource: 'pods' }, namespace: 'default', name: 'x' },
  owners: [],
  isLeaving,
  waitsForDependents: false,
  leavesOrphans: false,
});
const owners = (...states: OwnerState[]) =>
  states.map((state, at) => ({ owner: { apiVersion: 'v1', kind: 'X', name: `o${at}`, uid: `o${at}` }, state }));

const cases: [
  sentence: string,
  states: OwnerState[],
  more: { finalizers?: string[]; hasDependents?: boolean; isLeaving?: boolean },
  expected: Collection,
][] = [
  ['without owners an object stays', [], {}, { do: 'keep' }],
  ['with an owner it stays', ['here'], {}, { do: 'keep' }],
  [
    'one living owner is enough; the dead one is struck out',
    ['here', 'absent'],
    {},
    { do: 'dropReferences', uids: ['o1'] },
  ],
  [
    'an owner that waits for it counts as gone beside a living one',
    ['waiting', 'here'],
    {},
    { do: 'dropReferences', uids: ['o0'] },
  ],
  ['without any owner left it goes', ['absent', 'absent'], {}, { do: 'delete', how: 'Background' }],
  ['what is leaving already is left alone', ['absent'], { isLeaving: true }, { do: 'keep' }],
  ['nothing is deleted on a guess', ['absent', 'unknown'], {}, { do: 'lookAgain' }],
  ['a living owner makes the guess unnecessary', ['here', 'unknown'], {}, { do: 'keep' }],
  ['when its owner waits it goes', ['waiting'], {}, { do: 'delete', how: 'Background' }],
  [
    'and takes its own dependents along first',
    ['waiting'],
    { hasDependents: true },
    { do: 'delete', how: 'Foreground' },
  ],
  ['its own wish for orphans is respected', ['absent'], { finalizers: ['orphan'] }, { do: 'delete', how: 'Orphan' }],
  [
    'and its own wish to go last',
    ['absent'],
    { finalizers: ['foregroundDeletion'] },
    { do: 'delete', how: 'Foreground' },
  ],
];
for (const [sentence, states, { finalizers = [], hasDependents = false, isLeaving = false }, expected] of cases) {
  test(sentence, () => {
    assert.deepEqual(planCollection(node(isLeaving), finalizers, owners(...states), hasDependents), expected);
  });
}
