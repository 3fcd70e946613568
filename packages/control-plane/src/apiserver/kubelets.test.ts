import assert from 'node:assert/strict';
import { test } from 'node:test';
import { edgeAuthorityPem, whyNotKubelet } from './kubelets.ts';

const table: [what: string, shown: { cn: string; o?: string }, isForHost: boolean, why: RegExp | undefined][] = [
  ['the node’s own, wherever it is', { cn: 'system:node:a', o: 'system:nodes' }, false, undefined],
  ['another node’s, even for this address', { cn: 'system:node:b', o: 'system:nodes' }, true, /that of node "b"/],
  ['one that only looks like a node’s', { cn: 'system:node:a' }, true, /not of system:nodes/],
  ['any other for this address', { cn: 'edge.example.com' }, true, undefined],
  ['any other for another address', { cn: 'edge.example.com' }, false, /neither for node "a" nor for this address/],
  ['one without a name', { cn: '' }, false, /it is for ""/],
];
for (const [what, { cn, o }, isForHost, why] of table) {
  test(`a kubelet shows ${what}: ${why ? 'refused' : 'accepted'}`, () => {
    const said = whyNotKubelet('a', { commonName: cn, organizations: o ? [o] : [] }, isForHost);
    if (why) assert.match(said ?? '', why);
    else assert.equal(said, undefined);
  });
}

test('the CA of the edges is read from its Secret, and rubbish is none', () => {
  const secret = (cadata: string) => ({ metadata: {}, data: { cadata } });
  assert.match(edgeAuthorityPem(secret(btoa('der'.repeat(40)))), /^-----BEGIN CERTIFICATE-----\n\S{64}\n/);
  assert.equal(edgeAuthorityPem(secret('no base64 -----')), '');
  assert.equal(edgeAuthorityPem(undefined), '');
});
