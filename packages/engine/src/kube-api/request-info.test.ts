import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readRequestInfo } from './request-info.ts';

const read = (method: string, url: string): string => {
  const [path = '', query = ''] = url.split('?');
  const info = readRequestInfo({ method, path, query: new URLSearchParams(query) });
  if (!info) return 'broken';
  if (!info.isResource) return `path ${info.path}`;
  const { verb, group, version, resource, namespace, name, subresource } = info;
  return [
    verb,
    group || 'core',
    version,
    `${resource}${subresource && `/${subresource}`}`,
    namespace || '-',
    name || '-',
  ].join(' ');
};

describe('request info', () => {
  const table: readonly [method: string, url: string, expected: string][] = [
    ['GET', '/api/v1/pods', 'list core v1 pods - -'],
    ['GET', '/api/v1/namespaces/a/pods', 'list core v1 pods a -'],
    ['GET', '/api/v1/namespaces/a/pods?watch=true', 'watch core v1 pods a -'],
    ['GET', '/api/v1/watch/namespaces/a/pods', 'watch core v1 pods a -'],
    ['GET', '/api/v1/namespaces/a/pods/web-0', 'get core v1 pods a web-0'],
    ['GET', '/api/v1/namespaces/a/pods/web-0?watch=1', 'watch core v1 pods a web-0'],
    ['PATCH', '/api/v1/namespaces/a/pods/web-0/status', 'patch core v1 pods/status a web-0'],
    ['POST', '/apis/apps/v1/namespaces/a/deployments', 'create apps v1 deployments a -'],
    ['PUT', '/apis/apps/v1/namespaces/a/deployments/w/scale', 'update apps v1 deployments/scale a w'],
    ['DELETE', '/api/v1/namespaces/a/pods', 'deletecollection core v1 pods a -'],
    ['DELETE', '/api/v1/nodes/n', 'delete core v1 nodes - n'],
    ['GET', '/api/v1/namespaces', 'list core v1 namespaces - -'],
    ['GET', '/api/v1/namespaces/a', 'get core v1 namespaces a a'],
    ['PUT', '/api/v1/namespaces/a/finalize', 'update core v1 namespaces/finalize a a'],
    ['GET', '/api/v1/nodes/n/proxy/stats/summary', 'get core v1 nodes/proxy - n'],
    ['GET', '/api/v1/namespaces/a%2Fb/pods', 'list core v1 pods a/b -'],
    ['TRACE', '/api/v1/pods', 'unknown core v1 pods - -'],
    ['GET', '/api/v1', 'path /api/v1'],
    ['GET', '/apis/apps', 'path /apis/apps'],
    ['GET', '/healthz', 'path /healthz'],
    ['GET', '/', 'path /'],
    ['GET', '/api/v1/pods/%zz', 'broken'],
  ];
  for (const [method, url, expected] of table) {
    test(`${method} ${url} is ${expected}`, () => assert.equal(read(method, url), expected));
  }
});
