// Paths of the Kubernetes API, also for names that try to be a path of their own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStatus } from '@kedge/model/k8s';
import { collectionPath, objectPath } from './request-paths.ts';

const pods = { group: '', version: 'v1', resource: 'pods' };
const deployments = { group: 'apps', version: 'v1', resource: 'deployments' };

test('paths are those of the API', () => {
  assert.equal(collectionPath(pods, undefined), '/api/v1/pods');
  assert.equal(collectionPath(deployments, 'default'), '/apis/apps/v1/namespaces/default/deployments');
  const target = { namespace: 'default', name: 'web', subresource: 'status' };
  assert.equal(objectPath(pods, target), '/api/v1/namespaces/default/pods/web/status');
});

for (const name of ['a/b', 'a?b', 'a#b', 'a%2fb', '...']) {
  test(`"${name}" stays one name`, () => {
    const url = new URL(`https://api${objectPath(pods, { namespace: 'default', name })}`);
    assert.equal(url.pathname, `/api/v1/namespaces/default/pods/${encodeURIComponent(name)}`);
    assert.equal(url.search + url.hash, '');
  });
}

for (const name of ['', '.', '..']) {
  test(`"${name}" names no object and no namespace`, () => {
    const isRefused = (error: unknown): boolean => isStatus(error, 'BadRequest');
    assert.throws(() => objectPath(pods, { namespace: 'default', name }), isRefused);
    if (name) assert.throws(() => collectionPath(pods, name), isRefused);
  });
}
