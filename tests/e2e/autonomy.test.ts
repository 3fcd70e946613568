// The edge without the cloud: containers run on, crashed ones come back, and restarts of edgecore and of the whole
// machine bring every pod back from the disk; afterwards the cloud learns what happened.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { tracesOf } from './harness/host-traces.ts';
import { httpGet } from './harness/http-get.ts';
import { createParts, type Parts } from './harness/parts.ts';
import { eventually } from './harness/run.ts';
import { showcase, sleeper } from './manifests.ts';

interface Pod {
  metadata: { name: string; uid: string };
  status: {
    podIP: string;
    phase: string;
    containerStatuses: { restartCount: number; containerID: string; ready: boolean }[];
  };
}

describe('an edge without its cloud', () => {
  let parts: Parts;
  let podIp = '';
  const pod = (name: string): Promise<Pod> => parts.kubectl.json<Pod>('get', 'pod', name);

  before(async () => {
    parts = await createParts('alone');
    try {
      await parts.startAll();
      await parts.kubectl.apply(showcase('show', parts.node));
      await parts.kubectl('wait', '--for=condition=Ready', 'pod/show', '--timeout=60s');
      podIp = (await pod('show')).status.podIP;
    } catch (error) {
      throw new Error(parts.logs(), { cause: error });
    }
  });

  after(async () => {
    await parts.remove();
    assert.deepEqual(await tracesOf(...parts.marks), []);
  });

  it('has given the pod everything it asked for', async () => {
    assert.equal(await httpGet(`http://${podIp}:8080/data/config/greeting`), 'hello');
    assert.equal(await httpGet(`http://${podIp}:8080/data/secret/password`), 'swordfish');
    assert.match(await httpGet(`http://${podIp}:8080/data/all/labels`), /app="show"/);
    assert.match(await httpGet(`http://${podIp}:8080/data/all/ca.crt`), /BEGIN CERTIFICATE/);
    assert.equal((await httpGet(`http://${podIp}:8080/data/all/token`)).split('.').length, 3);
    const env = await httpGet(`http://${podIp}:8080/scratch/env`);
    for (const line of ['LITERAL=one', 'EXPANDED=one-two', 'POD_NAME=show', 'COLOR=blue', 'PASSWORD=swordfish']) {
      assert.ok(env.split('\n').includes(line), `${line} in:\n${env}`);
    }
  });

  it('leaves running containers alone when edgecore restarts', async () => {
    const before_ = await parts.runtime.running();
    await parts.end('edgecore', 'SIGKILL');
    await parts.start('edgecore');
    await parts.waitReady();
    await eventually('edgecore to report again', async () => (await pod('show')).status.containerStatuses[0]!.ready);
    assert.deepEqual(new Map(await parts.runtime.running()), new Map(before_));
    assert.equal((await pod('show')).status.containerStatuses[0]!.restartCount, 0);
  });

  it('restarts a crashed container while the cloud is away', async () => {
    await parts.end('cloudcore', 'SIGKILL');
    const { containerStatuses } = (await pod('show')).status;
    const id = containerStatuses[0]!.containerID.replace(/^.*:\/\//, '');
    const pid = (await parts.runtime.running()).get(id)!;
    process.kill(pid, 'SIGKILL');
    await eventually('the page to be served by a new container', async () => {
      const tasks = await parts.runtime.running();
      return !tasks.has(id) && (await httpGet(`http://${podIp}:8080/data/config/greeting`)) === 'hello';
    });
  });

  it('brings every pod back after a reboot, with no call to the cloud', async () => {
    await parts.reboot();
    await parts.start('edgecore');
    const isWeb = (pid: number): boolean => readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('httpd');
    const pid = await eventually('the web server to run again', async () =>
      [...(await parts.runtime.running()).values()].find(isWeb),
    );
    const root = `/proc/${pid}/root`;
    assert.equal(readFileSync(`${root}/data/config/greeting`, 'utf8'), 'hello');
    assert.equal(readFileSync(`${root}/data/secret/password`, 'utf8'), 'swordfish');
    assert.equal(readFileSync(`${root}/data/all/token`, 'utf8').split('.').length, 3);
  });

  it('brings the cloud up to date after the reconnection, and takes what changed meanwhile', async () => {
    await parts.kubectl.apply(sleeper('newcomer'));
    await parts.start('cloudcore');
    await parts.waitReady();
    await parts.kubectl('wait', '--for=condition=Ready', 'pod/newcomer', '--timeout=90s');
    const after_ = await eventually('the restarts to be known in the cloud', async () => {
      const now = await pod('show');
      return now.status.containerStatuses[0]!.ready && now.status.podIP !== '' && now;
    });
    assert.equal(await httpGet(`http://${after_.status.podIP}:8080/data/config/greeting`), 'hello');
  });

  it('rebuilds a wiped database from the cloud without leaving a pod stuck', async () => {
    await parts.end('edgecore', 'SIGTERM');
    await parts.kubectl('delete', 'pod', 'newcomer', '--wait=false');
    await parts.wipeEdgeDatabase();
    await parts.start('edgecore');
    await parts.kubectl('wait', '--for=delete', 'pod/newcomer', '--timeout=60s');
    await eventually('the other pod to be ready', async () => (await pod('show')).status.containerStatuses[0]!.ready);
  });

  it('is whole again after its Node was deleted, and no pod stays in Terminating', async () => {
    await parts.kubectl.apply(sleeper('bystander'));
    await parts.kubectl('wait', '--for=condition=Ready', 'pod/bystander', '--timeout=60s');
    await parts.kubectl('delete', 'node', parts.node);
    await parts.waitReady();
    await eventually('pods of the deleted node to be gone or running', async () => {
      const { items } = await parts.kubectl.json<{ items: (Pod & { metadata: { deletionTimestamp?: string } })[] }>(
        'get',
        'pods',
      );
      return items.every(
        ({ metadata, status }) => metadata.deletionTimestamp === undefined && status.phase === 'Running',
      );
    });
  });
});
