import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kubeClientErrors } from './kube-client-errors.ts';
import { loadKubeconfig, parseKubeconfig } from './kubeconfig.ts';

const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
const data = btoa(pem);
const config = (
  user: string,
  cluster = `{ server: 'https://127.0.0.1:6443', certificate-authority-data: ${data} }`,
) => `
apiVersion: v1
kind: Config
current-context: main
contexts:
- name: main
  context: { cluster: c, user: u, namespace: shop }
clusters:
- name: c
  cluster: ${cluster}
users:
- name: u
  user: ${user}
`;

test('reads certificates given as data', () => {
  const read = parseKubeconfig(config(`{ client-certificate-data: ${data}, client-key-data: ${data} }`));
  assert.equal(read.server, 'https://127.0.0.1:6443');
  assert.equal(read.namespace, 'shop');
  assert.deepEqual(read.ca, { pem });
  assert.deepEqual(read.client?.certificate, { pem });
  assert.deepEqual(read.client?.key.reveal(), { pem });
  assert.equal(String(read.client?.key), '***');
});

test('reads tokens and files beside the kubeconfig', async () => {
  const files: Record<string, string> = {
    '/etc/k/config': config(`{ tokenFile: t }`, `{ server: 'http://localhost:8080', certificate-authority: /ca.pem }`),
    '/etc/k/t': 'abc\n',
    '/ca.pem': pem,
  };
  const loaded = await loadKubeconfig({ readText: async (path) => files[path] }, '/etc/k/config');
  assert.equal(loaded.ca, pem);
  assert.equal((await loaded.token!()).reveal(), 'abc');
});

const mistakes: [what: string, text: string, field: RegExp][] = [
  ['no YAML', 'a: [', /the file is not YAML/],
  ['no mapping', 'just text', /the file holds no mapping/],
  ['another kind', 'kind: Pod', /kind is "Pod"/],
  ['no context', 'kind: Config', /current-context is not set/],
  [
    'an unknown context',
    config('{}').replace('current-context: main', 'current-context: other'),
    /contexts has no entry named "other"/,
  ],
  ['no server', config('{}', '{ certificate-authority: x }'), /clusters\[c\]\.server is not set/],
  ['a server that is no URL', config('{}', '{ server: nowhere }'), /clusters\[c\]\.server is not an http/],
  [
    'bad base64',
    config('{ client-certificate-data: "%%%", client-key-data: x }'),
    /users\[u\]\.client-certificate-data is not base64/,
  ],
  ['base64 of something else', config('{ client-certificate-data: aGVsbG8= }'), /client-certificate-data is not PEM/],
  ['a key without certificate', config(`{ client-key-data: ${data} }`), /client-certificate-data is not set/],
  ['a login plug-in', config('{ exec: { command: aws } }'), /users\[u\]\.exec is not supported/],
];
for (const [what, text, expected] of mistakes) {
  test(`names the field that is wrong: ${what}`, () => {
    assert.throws(
      () => parseKubeconfig(text),
      (error) => kubeClientErrors.BAD_KUBECONFIG.is(error) && expected.test(error.message),
    );
  });
}
