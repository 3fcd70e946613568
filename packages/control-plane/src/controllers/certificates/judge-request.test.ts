// Which certificate requests are approved by themselves, and which are signed, as tables.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CertificateSigningRequest } from '@kedge/model/k8s-types';
import {
  approvalRight,
  clientSigner,
  kubeletClientSigner,
  kubeletServingSigner,
  refusal,
  type RequestFacts,
} from './judge-request.ts';

const client = ['digital signature', 'client auth'];
const serving = ['digital signature', 'server auth'];
const node: RequestFacts = {
  subject: { commonName: 'system:node:e1', organizations: ['system:nodes'] },
  dnsNames: [],
  addresses: [],
};
const atHome: RequestFacts = { ...node, addresses: ['10.0.0.1'] };
const person = (organization: string): RequestFacts => ({
  ...node,
  subject: { commonName: 'ann', organizations: [organization] },
});
const request = (signerName: string, usages: string[], username = 'ann'): CertificateSigningRequest => ({
  metadata: { name: 'r' },
  spec: { request: '', signerName, usages, username },
});

const signed: [what: string, CertificateSigningRequest, RequestFacts, why: string | undefined][] = [
  ["a person's", request(clientSigner, client), person('developers'), undefined],
  [
    "an administrator's",
    request(clientSigner, client),
    person('system:masters'),
    'organization must not be system:masters',
  ],
  ['a server as client', request(clientSigner, serving), node, 'usage "server auth" is not allowed'],
  ["a node's", request(kubeletClientSigner, client), node, undefined],
  ["a node's with an address", request(kubeletClientSigner, client), atHome, 'it must not name hosts or addresses'],
  ["a node's of a person", request(kubeletClientSigner, client), person('a'), 'organization must be system:nodes'],
  ['a serving one', request(kubeletServingSigner, serving), atHome, undefined],
  ['a serving one for nowhere', request(kubeletServingSigner, serving), node, 'it must name a host or an address'],
  [
    'one without its usage',
    request(kubeletServingSigner, ['digital signature']),
    atHome,
    'usage "server auth" is missing',
  ],
  ["somebody else's", request('example.com/mine', client), node, 'another signer'],
];
describe('signing', () => {
  for (const [what, csr, facts, why] of signed) test(what, () => assert.equal(refusal(csr, facts), why));
});

const approved: [what: string, CertificateSigningRequest, RequestFacts, right: string | undefined][] = [
  ['a node for itself', request(kubeletClientSigner, client, 'system:node:e1'), node, 'selfnodeclient'],
  ['a bootstrapper for a node', request(kubeletClientSigner, client, 'system:bootstrap:abc'), node, 'nodeclient'],
  ['a serving certificate', request(kubeletServingSigner, serving, 'system:node:e1'), atHome, undefined],
  ['a person', request(clientSigner, client), person('developers'), undefined],
  ['a node with other usages', request(kubeletClientSigner, serving, 'system:node:e1'), node, undefined],
];
describe('approval', () => {
  for (const [what, csr, facts, right] of approved) test(what, () => assert.equal(approvalRight(csr, facts), right));
});
