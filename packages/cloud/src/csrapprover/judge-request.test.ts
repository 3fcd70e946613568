// Which certificate requests are approved, as a table.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDecided, judgeRequest, type RequestFacts, servingSigner } from './judge-request.ts';

const facts: RequestFacts = {
  commonName: 'system:node:e1',
  organizations: ['system:nodes'],
  dnsNames: [],
  addresses: ['127.0.0.1'],
};
const serving = ['digital signature', 'key encipherment', 'server auth'];
const csr = (usages = serving, signerName = servingSigner, username = 'cloudcore') => ({
  metadata: { name: 'metaserver-csr-1' },
  spec: { request: '', signerName, usages, username },
});

const table: [string, ReturnType<typeof csr>, Partial<RequestFacts>, 'approve' | 'no'][] = [
  ['the one a MetaServer makes', csr(), {}, 'approve'],
  ['one without key encipherment', csr(['digital signature', 'server auth']), {}, 'approve'],
  ['one by host name', csr(), { addresses: [], dnsNames: ['e1'] }, 'approve'],
  ['one of another signer', csr(serving, 'kubernetes.io/kube-apiserver-client'), {}, 'no'],
  ['one that a person made beside us', csr(serving, servingSigner, 'alice'), {}, 'no'],
  ['one with client usage', csr([...serving, 'client auth']), {}, 'no'],
  ['one without server usage', csr(['digital signature']), {}, 'no'],
  ['one of an administrator', csr(), { organizations: ['system:masters'] }, 'no'],
  ['one of a node and an administrator', csr(), { organizations: ['system:nodes', 'system:masters'] }, 'no'],
  ['one of a person', csr(), { commonName: 'admin' }, 'no'],
  ['one for nowhere', csr(), { addresses: [] }, 'no'],
];

for (const [what, request, changed, expected] of table) {
  test(`${what}: ${expected}`, () => {
    const judgement = judgeRequest(request, { ...facts, ...changed }, 'cloudcore');
    assert.equal(judgement.approve ? 'approve' : 'no', expected);
  });
}

test('a request that has a certificate, or a verdict, is left alone', () => {
  assert.equal(isDecided(csr()), false);
  assert.equal(isDecided({ ...csr(), status: { certificate: 'AA==' } }), true);
  assert.equal(isDecided({ ...csr(), status: { conditions: [{ type: 'Denied', status: 'True' }] } }), true);
});
