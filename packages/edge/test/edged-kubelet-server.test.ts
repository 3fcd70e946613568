// The kubelet's endpoints over edged with a runtime in memory.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { HttpHandler, ListenOptions, PeerCertificate, ServerRequest } from '@kedge/core/ports';
import { seconds } from '@kedge/core/time';
import type { Pod } from '@kedge/model/k8s-types';
import { EdgedFixture } from './edged-fixture.ts';

const administrator: PeerCertificate = {
  commonName: 'admin',
  organizations: ['system:masters'],
  serialNumber: '1',
  notAfter: 0,
  raw: new Uint8Array(0),
};

interface Answer {
  readonly status: number;
  readonly body: string;
}

async function serving(t: TestContext) {
  const site = new EdgedFixture();
  const listened: ListenOptions[] = [];
  site.cloud.ca = '-----BEGIN CERTIFICATE-----\nca\n-----END CERTIFICATE-----\n';
  site.listenWith(async (options) => {
    listened.push(options);
    return { address: options.address, port: options.port, renew: () => undefined, close: async () => undefined };
  });
  await site.start({ server: { address: '0.0.0.0', port: 10_250 } });
  t.after(async () => assert.deepEqual(await site.stop(), []));
  await site.pass(seconds(1));
  const handler = (): HttpHandler => listened[0]!.handler!;
  const get = async (
    path: string,
    peer: PeerCertificate | 'nobody' = administrator,
    method = 'GET',
  ): Promise<Answer> => {
    const url = new URL(path, 'https://edge');
    let answer: Answer = { status: 0, body: '' };
    const request: ServerRequest = {
      method,
      path: url.pathname,
      query: url.searchParams,
      headers: {},
      remoteAddress: '192.0.2.1',
      peer: peer === 'nobody' ? undefined : peer,
      signal: new AbortController().signal,
      body: async () => new Uint8Array(0),
    };
    const pieces: string[] = [];
    await handler()(request, {
      send: (status, _headers, body = '') => void (answer = { status, body: String(body) }),
      stream: (status) => ({
        write: (piece) => pieces.push(typeof piece === 'string' ? piece : new TextDecoder().decode(piece)) > 0,
        bufferedBytes: 0,
        drained: async () => undefined,
        end: () => void (answer = { status, body: pieces.join('') }),
        destroy: () => undefined,
      }),
    });
    return answer;
  };
  return { site, listened, get };
}

describe("the kubelet's endpoints", () => {
  test('are served with the certificate of the node, for callers of the CA of the cluster', async (t) => {
    const { site, listened } = await serving(t);
    assert.equal(listened[0]?.tls?.clientCa, site.cloud.ca);
    assert.equal(listened[0]?.tls?.clientAuth, 'request');
    assert.equal(listened[0]?.tls?.certificate, 'certificate of edge-1');
    assert.equal(await site.files.readText('/var/lib/kedge/pki/cluster-ca.crt'), site.cloud.ca);
  });

  test('answer health to everybody and the rest to those who may ask', async (t) => {
    const { get } = await serving(t);
    assert.deepEqual(await get('/healthz', 'nobody'), { status: 200, body: 'ok' });
    for (const path of [
      '/pods',
      '/metrics',
      '/metrics/resource',
      '/metrics/cadvisor',
      '/stats/summary',
      '/containerLogs/a/b/c',
    ]) {
      assert.equal((await get(path, 'nobody')).status, 401, path);
      assert.equal((await get(path, { ...administrator, organizations: [] })).status, 403, path);
    }
    assert.equal((await get('/pods', administrator, 'POST')).status, 405);
    assert.equal((await get('/exec/default/web/main')).status, 404);
  });

  test('tell of pods with the status that edged has, and of what they use', async (t) => {
    const { site, get } = await serving(t);
    site.put('web', {});
    await site.pass(seconds(10));
    const list = JSON.parse((await get('/pods')).body) as { kind: string; items: Pod[] };
    assert.equal(list.kind, 'PodList');
    assert.deepEqual(
      list.items.map(({ metadata, status }) => [metadata.name, status?.phase]),
      [['web', 'Running']],
    );

    const resource = (await get('/metrics/resource')).body;
    assert.match(
      resource,
      /^container_memory_working_set_bytes\{container="main",namespace="default",pod="web"\} 4194304 \d+$/m,
    );
    assert.match(resource, /^pod_cpu_usage_seconds_total\{namespace="default",pod="web"\} [\d.]+ \d+$/m);
    assert.match(resource, /^node_cpu_usage_seconds_total 1234.5 \d+$/m);
    assert.match(resource, /^resource_scrape_error 0$/m);
    assert.match((await get('/metrics/cadvisor')).body, /^container_fs_inodes_used\{.*pod="web"\} 7 \d+$/m);

    const summary = JSON.parse((await get('/stats/summary')).body) as {
      node: { nodeName: string; memory: { workingSetBytes: number } };
      pods: {
        podRef: { name: string; uid: string };
        memory: { workingSetBytes: number };
        containers: { name: string }[];
      }[];
    };
    assert.equal(summary.node.nodeName, 'edge-1');
    assert.deepEqual(
      summary.pods.map(({ podRef, memory, containers }) => [podRef.uid, memory.workingSetBytes, containers[0]?.name]),
      [['uid-web', 4_194_304, 'main']],
    );
  });

  test('say so when the runtime cannot be asked, and go on answering for the node', async (t) => {
    const { site, get } = await serving(t);
    site.fake.fail('listContainerStats', 'INTERNAL', 'no stats', 1);
    const { status, body } = await get('/metrics/resource');
    assert.equal(status, 200);
    assert.match(body, /^resource_scrape_error 1$/m);
    assert.match(body, /^node_memory_working_set_bytes /m);
  });

  test('read logs of containers that there are', async (t) => {
    const { site, get } = await serving(t);
    site.put('web', {});
    await site.pass(seconds(10));
    assert.match((await get('/containerLogs/default/web/main')).body, /has not started yet/);
    const directory = '/var/log/pods/default_web_uid-web/main';
    for (const [start, say] of [
      [0, 'first'],
      [1, 'second'],
    ] as const) {
      await site.files.makeDirectory(directory);
      await site.files.writeAtomically(`${directory}/${start}.log`, `2026-01-01T00:00:01Z stdout F ${say}\n`);
    }
    assert.deepEqual(await get('/containerLogs/default/web/main'), { status: 200, body: 'second\n' });
    assert.deepEqual(await get('/containerLogs/default/web/main?previous=true'), { status: 200, body: 'first\n' });
    assert.equal((await get('/containerLogs/default/web/..%2f..')).status, 404);
    assert.equal((await get('/containerLogs/default/gone/main')).status, 404);
    assert.equal((await get('/containerLogs/default/web/main?tailLines=x')).status, 400);
  });

  test('begin with the CA on the disk when the cloud is away', async (t) => {
    const { site, listened } = await serving(t);
    await site.stop();
    site.setOnline(false);
    await site.start({ server: { address: '0.0.0.0', port: 10_250 } });
    await site.pass(seconds(1));
    assert.equal(listened.length, 2);
  });
});
