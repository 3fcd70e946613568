// Who may approve, sign and ask for certificates.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call } from '@kedge/engine/kube-api';
import { isStatus, type KubeObject } from '@kedge/model/k8s';
import type { Authorizer } from '../authz/attributes.ts';
import type { Kind } from '../kinds/kind.ts';
import { certificateRequests } from './certificate-requests.ts';

/** May `sign` for one signer and `approve` for all of a domain. */
const authorizer: Authorizer = {
  decide: (_, asked) => ({
    allowed:
      asked.isResource &&
      asked.resource === 'signers' &&
      ((asked.verb === 'approve' && asked.name === 'x.io/*') ||
        (asked.verb === 'sign' && asked.name === 'x.io/client')),
    reason: '',
  }),
};
const step = certificateRequests({
  authorizer,
  readRequest: async (pem) => ({
    subject: { commonName: 'eve', organizations: pem === 'root' ? ['system:masters'] : [] },
    dnsNames: [],
    addresses: [],
    publicKey: new Uint8Array(),
  }),
});

async function outcome(
  operation: 'create' | 'update',
  subresource: string | undefined,
  object: KubeObject,
  before?: KubeObject,
) {
  const kind = { collection: 'certificatesigningrequests.certificates.k8s.io' } as unknown as Kind;
  const user = { name: 'ann', groups: ['staff'] };
  const request = {
    operation,
    kind,
    namespace: undefined,
    name: 'c',
    subresource,
    object,
    before,
    user,
    dryRun: false,
  };
  try {
    await step.admit!(request, {} as Call);
    return 'admitted';
  } catch (error) {
    if (!isStatus(error, 'Forbidden')) throw error;
    return error.message.replace(/^.* is forbidden: /, '');
  }
}
const csr = (signerName: string, more: object = {}): KubeObject => ({
  metadata: { name: 'c' },
  spec: { signerName },
  ...more,
});

test('approving and signing are permissions on the signer or its domain', async () => {
  const [ours, others] = [csr('x.io/client'), csr('y.io/client')];
  assert.equal(await outcome('update', 'approval', ours, ours), 'admitted');
  assert.equal(
    await outcome('update', 'approval', others, others),
    'user not permitted to approve requests with signerName "y.io/client"',
  );
  const signed = (of: string) => csr(of, { status: { certificate: 'abc' } });
  assert.equal(await outcome('update', 'status', signed('x.io/client'), ours), 'admitted');
  assert.equal(
    await outcome('update', 'status', signed('x.io/server'), csr('x.io/server')),
    'user not permitted to sign requests with signerName "x.io/server"',
  );
  assert.equal(await outcome('update', 'status', others, others), 'admitted');
});

test('a request says who asked, and never asks for a superuser', async () => {
  const asked = csr('kubernetes.io/kube-apiserver-client', {
    spec: { signerName: 'kubernetes.io/kube-apiserver-client', request: btoa('plain'), username: 'root' },
  });
  assert.equal(await outcome('create', undefined, asked), 'admitted');
  assert.deepEqual(
    [(asked['spec'] as { username: string }).username, (asked['spec'] as { groups: string[] }).groups],
    ['ann', ['staff']],
  );
  (asked['spec'] as { request: string }).request = btoa('root');
  assert.equal(
    await outcome('create', undefined, asked),
    'use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed',
  );
});
