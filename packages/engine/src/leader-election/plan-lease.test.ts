import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instant, seconds } from '@kedge/core/time';
import type { Lease, LeaseSpec } from '@kedge/model/k8s-types';
import { planLease } from './plan-lease.ts';

const terms = { identity: 'me', duration: seconds(15) };
const now = { wall: instant(0), monotonic: seconds(100) };
const lease = (spec: LeaseSpec): Lease => ({ metadata: { name: 'l' }, spec });

const cases: [sentence: string, lease: Lease | undefined, seenAt: number, expected: string][] = [
  ['nobody has ever led', undefined, 100, 'take'],
  ['the last leader gave it back', lease({ holderIdentity: '' }), 100, 'take'],
  ['we lead', lease({ holderIdentity: 'me' }), 0, 'renew'],
  ['another leads', lease({ holderIdentity: 'other', leaseDurationSeconds: 15 }), 90, 'wait'],
  [
    'another has been silent for longer than it promised',
    lease({ holderIdentity: 'other', leaseDurationSeconds: 15 }),
    85,
    'take',
  ],
  [
    'another promised more than we would have',
    lease({ holderIdentity: 'other', leaseDurationSeconds: 60 }),
    50,
    'wait',
  ],
];
for (const [sentence, subject, seenAt, expected] of cases) {
  test(sentence, () => {
    assert.equal(planLease(subject, { version: '1', at: seconds(seenAt) }, terms, now).do, expected);
  });
}

test('a change of leader is counted, a renewal is not', () => {
  const taken = planLease(
    lease({ holderIdentity: '', leaseTransitions: 3 }),
    { version: '1', at: seconds(0) },
    terms,
    now,
  );
  assert.equal(taken.do === 'take' && taken.spec.leaseTransitions, 4);
  const renewed = planLease(
    lease({ holderIdentity: 'me', leaseTransitions: 3 }),
    { version: '1', at: seconds(0) },
    terms,
    now,
  );
  assert.equal(renewed.do === 'renew' && renewed.spec.leaseTransitions, 3);
});
