import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PodStatus } from '@kedge/model/k8s-types';
import { podStatusPatch } from './pod-status-patch.ts';

const ready = { type: 'Ready', status: 'True' };
const scheduled = { type: 'PodScheduled', status: 'True' };

const table: readonly [name: string, known: PodStatus | undefined, next: PodStatus, expected: unknown][] = [
  ['all of it when nothing is known', undefined, { phase: 'Running' }, { phase: 'Running' }],
  [
    'nothing when nothing changed',
    { phase: 'Running', podIPs: [{ ip: 'a' }] },
    { phase: 'Running', podIPs: [{ ip: 'a' }] },
    undefined,
  ],
  ['only what changed', { phase: 'Pending', hostIP: 'h' }, { phase: 'Running', hostIP: 'h' }, { phase: 'Running' }],
  [
    'only the conditions that changed',
    { conditions: [scheduled] },
    { conditions: [scheduled, ready] },
    { conditions: [ready] },
  ],
  [
    'a null for what a condition no longer has',
    { conditions: [{ type: 'Ready', status: 'False', reason: 'ContainersNotReady', message: 'main' }] },
    { conditions: [ready] },
    { conditions: [{ ...ready, reason: null, message: null }] },
  ],
  ['no condition that somebody else set', { conditions: [scheduled, ready] }, { conditions: [ready] }, undefined],
  [
    'a reason that no longer holds is cleared',
    { reason: 'Evicted', phase: 'Failed' },
    { phase: 'Failed' },
    { reason: null },
  ],
  ['a resize that is over is cleared', { resize: 'InProgress' }, {}, { resize: null }],
  ['a field that we do not report stays', { qosClass: 'Burstable', phase: 'Running' }, { phase: 'Running' }, undefined],
  [
    'a list of one owner is replaced, not merged',
    { podIPs: [{ ip: 'a' }] },
    { podIPs: [{ ip: 'b' }] },
    { podIPs: [{ $patch: 'replace' }, { ip: 'b' }] },
  ],
  [
    'a field that is undefined is as good as absent',
    { phase: 'Running' },
    { phase: 'Running', message: undefined } as never,
    undefined,
  ],
];

for (const [name, known, next, expected] of table) {
  test(`a status patch holds ${name}`, () => {
    const patch = podStatusPatch('u', known, next);
    assert.deepEqual(patch && JSON.parse(patch), expected && { metadata: { uid: 'u' }, status: expected });
  });
}
