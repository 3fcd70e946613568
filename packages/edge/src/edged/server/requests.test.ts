// Who may ask, and what a question for a log may say.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { instant } from '@kedge/core/time';
import type { PeerCertificate } from '@kedge/core/ports';
import { authorizeCaller } from './authorize-caller.ts';
import { readLogRequest } from './log-request.ts';

const peer = (commonName: string, organizations: string[]): PeerCertificate => ({
  commonName,
  organizations,
  serialNumber: '1',
  notAfter: 0,
  raw: new Uint8Array(0),
});

describe('callers', () => {
  const cases: [string, PeerCertificate | undefined, true | number][] = [
    ['nobody', undefined, 401],
    ['an administrator', peer('admin', ['system:masters']), true],
    ['the API server', peer('kube-apiserver-kubelet-client', []), true],
    ['another node', peer('system:node:edge-2', ['system:nodes']), 403],
    ['a user', peer('jane', ['developers']), 403],
  ];
  for (const [who, certificate, expected] of cases) {
    test(`${who}: ${expected}`, () => {
      const verdict = authorizeCaller(certificate);
      assert.equal(verdict.allow ? true : verdict.status, expected);
    });
  }
});

describe('questions for a log', () => {
  const now = instant(Date.UTC(2026, 0, 1));
  const ask = (path: string, query = '') => readLogRequest(path, new URLSearchParams(query), now);

  test('name a container and carry the parameters of kubectl logs', () => {
    assert.deepEqual(
      ask('/containerLogs/default/web-0/main', 'follow=true&tailLines=5&sinceSeconds=60&stream=Stdout'),
      {
        namespace: 'default',
        pod: 'web-0',
        container: 'main',
        previous: false,
        options: {
          follow: true,
          timestamps: false,
          tailLines: 5,
          limitBytes: undefined,
          since: instant(Date.UTC(2026, 0, 1) - 60_000),
          stream: 'stdout',
        },
      },
    );
  });

  const bad: [string, string, RegExp][] = [
    ['/containerLogs/default/web-0', '', /needs to be \/containerLogs/],
    ['/containerLogs/default/web-0/main/more', '', /needs to be \/containerLogs/],
    ['/containerLogs/default/%zz/main', '', /percent-encoded/],
    ['/containerLogs/a/b/c', 'tailLines=-1', /tailLines is "-1"/],
    ['/containerLogs/a/b/c', 'tailLines=many&limitBytes=0', /tailLines .*; limitBytes/],
    ['/containerLogs/a/b/c', 'follow=maybe', /follow is "maybe"/],
    ['/containerLogs/a/b/c', 'sinceTime=yesterday', /RFC 3339/],
    ['/containerLogs/a/b/c', 'sinceTime=2026-01-01T00:00:00Z&sinceSeconds=1', /at most one/],
    ['/containerLogs/a/b/c', 'stream=stdin', /All, Stdout or Stderr/],
  ];
  for (const [path, query, expected] of bad) {
    test(`${path}?${query} is refused`, () => {
      const read = ask(path, query);
      assert.ok('say' in read);
      assert.match(read.say, expected);
    });
  }
});
