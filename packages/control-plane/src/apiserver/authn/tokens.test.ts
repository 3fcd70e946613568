// Service account tokens and time: what they are worth when it passes, and when it jumps.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { instant, minutes, minus, plus, seconds } from '@kedge/core/time';
import { createTokenKey, openTokenSigner, type TokenSigner } from './tokens.ts';

const issuer = 'https://kubernetes.default.svc.cluster.local';
const issued = instant(Date.UTC(2026, 0, 1));
let signer: TokenSigner;
let token: string;

before(async () => {
  signer = await openTokenSigner(await createTokenKey(), issuer);
  token = await signer.sign({
    subject: 'system:serviceaccount:default:robot',
    audiences: [issuer],
    issuedAt: issued / 1_000,
    expiresAt: issued / 1_000 + 600,
    kubernetes: { namespace: 'default', serviceaccount: { name: 'robot', uid: 'u1' } },
  });
});

describe('a service account token', () => {
  const cases = [
    ['at once', issued, true],
    ['until it expires', plus(issued, seconds(599)), true],
    ['not afterwards', plus(issued, seconds(600)), false],
    ['also after the clock was set back', minus(issued, minutes(90)), true],
    ['not after the clock jumped past its end', plus(issued, minutes(90)), false],
  ] as const;
  for (const [what, now, isGood] of cases) {
    test(`counts ${what}`, async () => {
      const claims = await signer.verify(token, now);
      assert.equal(claims?.subject, isGood ? 'system:serviceaccount:default:robot' : undefined);
    });
  }

  test('of another key, changed, or no token at all counts for nothing', async () => {
    const other = await openTokenSigner(await createTokenKey(), issuer);
    assert.equal(await other.verify(token, issued), undefined);
    const [head = '', payload = '', signature = ''] = token.split('.');
    const later = btoa(JSON.stringify({ ...(JSON.parse(atob(payload)) as object), exp: issued })).replace(/=+$/, '');
    assert.equal(await signer.verify(`${head}.${later}.${signature}`, issued), undefined);
    for (const text of ['', 'a.b.c', '..', 'nonsense']) assert.equal(await signer.verify(text, issued), undefined);
  });
});
