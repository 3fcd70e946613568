import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instant, toTime } from '@kedge/core/time';
import type { CertificateSigningRequest } from '@kedge/model/k8s-types';
import { isOver } from './csr-cleaner.ts';

const now = instant(1_000_000_000_000);
const request = (minutesOld: number, condition?: string, certificate?: string): CertificateSigningRequest => ({
  metadata: { name: 'r', creationTimestamp: toTime(instant(now - minutesOld * 60_000)) },
  spec: { request: '', signerName: 's' },
  status: {
    ...(condition ? { conditions: [{ type: condition, status: 'True' }] } : {}),
    ...(certificate ? { certificate } : {}),
  },
});

const table: [what: string, request: CertificateSigningRequest, over: boolean][] = [
  ['an unanswered one of today', request(23 * 60), false],
  ['an unanswered one of yesterday', request(25 * 60), true],
  ['a denied one of now', request(59, 'Denied'), false],
  ['a denied one of before', request(61, 'Denied'), true],
  ['a failed one of before', request(61, 'Failed'), true],
  ['an approved one without certificate', request(61, 'Approved'), true],
  ['an issued one of now', request(10, 'Approved', 'good'), false],
  ['an issued one of before', request(61, 'Approved', 'good'), true],
  ['an issued one whose certificate has ended', request(10, 'Approved', 'ended'), true],
];
for (const [what, one, over] of table) {
  test(`${what} is ${over ? '' : 'not '}over`, () => {
    const ends = (certificate: string) => instant(certificate === 'good' ? now + 1 : now - 1);
    assert.equal(isOver(one, now, ends), over);
  });
}
