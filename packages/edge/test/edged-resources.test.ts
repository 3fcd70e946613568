// Edged on a node that runs short: of memory, of disk, and of patience with long logs.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { minutes, seconds } from '@kedge/core/time';
import type { Node } from '@kedge/model/k8s-types';
import { EdgedFixture, image } from './edged-fixture.ts';

async function edged(t: TestContext, ...more: Parameters<EdgedFixture['start']>): Promise<EdgedFixture> {
  const fixture = new EdgedFixture();
  await fixture.start(...more);
  t.after(async () => assert.deepEqual(await fixture.stop(), []));
  return fixture;
}

const node = (site: EdgedFixture) => site.cloud.objects.get('node/edge-1') as Node | undefined;
const condition = (site: EdgedFixture, type: string): string | undefined =>
  node(site)?.status?.conditions?.find((one) => one.type === type)?.status;
const mebibytes = (n: number): number => n * 1_024 ** 2;

describe('a node without memory to spare', () => {
  test('says so, and ends the pod that takes more than it asked for', async (t) => {
    const site = await edged(t);
    const main = { name: 'main', image, command: ['serve'] };
    site.put('modest', { containers: [{ ...main, resources: { requests: { memory: '64Mi' } } }] });
    site.put('greedy', {});
    await site.pass(seconds(15));
    assert.deepEqual(site.fake.running, ['main', 'main']);
    site.freeMemoryBytes = mebibytes(50);
    await site.pass(seconds(5));
    site.freeMemoryBytes = mebibytes(500);
    await site.pass(seconds(5));
    assert.equal(condition(site, 'MemoryPressure'), 'True');
    const status = site.statuses.get('greedy');
    assert.equal(status?.phase, 'Failed');
    assert.equal(status?.reason, 'Evicted');
    assert.match(
      status?.message ?? '',
      /^The node was low on resource: memory\. Threshold quantity: 100Mi, available: 50Mi\. The pod was using 4Mi, request is 0, /,
    );
    assert.equal(status?.conditions?.find(({ type }) => type === 'DisruptionTarget')?.reason, 'TerminationByKubelet');
    assert.equal(site.statuses.get('modest')?.phase, 'Running');
    assert.ok(site.reasons().includes('Evicted') && site.reasons().includes('EvictionThresholdMet'));
    await site.pass(minutes(6));
    assert.equal(condition(site, 'MemoryPressure'), 'False');
    assert.equal(site.statuses.get('greedy')?.phase, 'Failed', 'it does not come back');
  });

  test('takes no pod that asks for nothing, and leaves those that run', async (t) => {
    const site = await edged(t);
    site.freeMemoryBytes = mebibytes(50);
    await site.pass(seconds(11));
    site.freeMemoryBytes = mebibytes(500);
    site.put('late', {});
    const resources = { requests: { memory: '10Mi' } };
    site.put('frugal', { containers: [{ name: 'main', image, command: ['serve'], resources }] });
    await site.pass(seconds(5));
    assert.equal(site.statuses.get('late')?.reason, 'Evicted');
    assert.match(site.statuses.get('late')?.message ?? '', /The node had condition: \[MemoryPressure\]/);
    assert.equal(site.statuses.get('frugal')?.phase, 'Running');
  });

  test('ends one pod at a time, and none that belongs to the system', async (t) => {
    const site = await edged(t);
    site.put('system', { priority: 2_000_001_000 });
    site.put('one', {});
    site.put('two', {});
    await site.pass(seconds(15));
    site.freeMemoryBytes = mebibytes(1);
    await site.pass(seconds(5));
    const failed = () => ['one', 'two', 'system'].filter((name) => site.statuses.get(name)?.phase === 'Failed');
    assert.equal(failed().length, 1);
    await site.pass(seconds(30));
    assert.deepEqual(failed(), ['one', 'two']);
    assert.equal(site.statuses.get('system')?.phase, 'Running');
  });
});

describe('a node that is short for longer than it may be', () => {
  const softly = {
    signal: 'pid.available',
    below: { units: 1_000 },
    written: '1000',
    grace: seconds(30),
    reclaim: { units: 500 },
  } as const;

  test('of processes says so, and the pod that goes has its hook and what grace there is', async (t) => {
    const hooks: string[] = [];
    const site = new EdgedFixture({
      exec: (_container, [command = '']) => {
        hooks.push(command);
        return { exitCode: 0 };
      },
      obeys: () => false,
    });
    await site.start({ eviction: { thresholds: [softly], transitionPeriod: minutes(5), maxPodGraceSeconds: 20 } });
    t.after(async () => assert.deepEqual(await site.stop(), []));
    const lifecycle = { preStop: { exec: { command: ['bye'] } } };
    site.put('important', { priority: 10 });
    site.put('least', {
      terminationGracePeriodSeconds: 600,
      containers: [{ name: 'least', image, command: ['serve'], lifecycle }],
    });
    await site.pass(seconds(5));
    site.processes = 32_000;
    await site.pass(seconds(25));
    assert.equal(site.statuses.get('least')?.phase, 'Running', 'a soft threshold waits');
    await site.pass(seconds(25));
    assert.deepEqual(hooks, ['bye']);
    assert.equal(site.statuses.get('important')?.phase, 'Running', 'one at a time');
    assert.deepEqual(site.fake.running.toSorted(), ['least', 'main'], 'it has its grace');
    site.processes = 100;
    await site.pass(seconds(30));
    assert.equal(condition(site, 'PIDPressure'), 'True');
    assert.equal(site.statuses.get('least')?.reason, 'Evicted');
    assert.match(site.statuses.get('least')?.message ?? '', /^The node was low on resource: pids\./);
    assert.deepEqual(site.fake.running, ['main']);
    assert.equal(site.statuses.get('important')?.phase, 'Running');
  });
});

describe('a full disk', () => {
  test('costs images first that no pod of the node names', async (t) => {
    const site = await edged(t);
    site.fake.images.add('docker.io/library/old:1');
    site.fake.images.add('pause:1');
    site.put('web', {});
    await site.pass(minutes(3));
    const space = { totalBytes: 1_000, totalInodes: 1_000, freeInodes: 900 };
    site.space = () => ({ ...space, freeBytes: site.fake.images.has('docker.io/library/old:1') ? 50 : 500 });
    await site.pass(minutes(1));
    // The image had not been known for long enough when the disk was looked at first.
    await site.pass(minutes(3));
    assert.ok(site.fake.done.includes('removeImage docker.io/library/old:1'));
    assert.ok(site.fake.images.has(image) && site.fake.images.has('pause:1'));
  });

  test('ends pods when images were not enough', async (t) => {
    const site = await edged(t);
    site.put('web', {});
    await site.pass(minutes(1));
    site.space = () => ({ totalBytes: 1_000, freeBytes: 20, totalInodes: 1_000, freeInodes: 900 });
    await site.pass(seconds(15));
    assert.equal(site.statuses.get('web')?.reason, 'Evicted');
    assert.equal(condition(site, 'DiskPressure'), 'True');
  });
});

describe('what lies about', () => {
  test('images that nobody has used for long go after a while', async (t) => {
    const site = await edged(t, { imageGc: { high: 0.85, low: 0.8, minAge: minutes(2), maxAge: minutes(30) } });
    site.fake.images.add('docker.io/library/old:1');
    site.put('web', {});
    await site.pass(minutes(41));
    assert.deepEqual(
      site.fake.done.filter((what) => what.startsWith('removeImage')),
      ['removeImage docker.io/library/old:1'],
    );
  });

  test('images are part of the status of the node when asked for', async (t) => {
    const site = await edged(t, { imagesInStatus: 1 });
    await site.pass(seconds(1));
    assert.deepEqual(node(site)?.status?.images, [{ names: [image], sizeBytes: 1 }]);
  });

  test('logs are put aside when they get long, and only so many stay', async (t) => {
    const site = await edged(t);
    site.put('web', {});
    await site.pass(seconds(5));
    const directory = '/var/log/pods/default_web_uid-web/main';
    await site.files.makeDirectory(directory);
    for (let turn = 0; turn < 5; turn++) {
      await site.files.writeAtomically(`${directory}/0.log`, 'x'.repeat(2_000));
      await site.pass(seconds(10));
    }
    const names = (await site.files.list(directory)) ?? [];
    assert.equal(names.filter((name) => name.startsWith('0.log.')).length, 2);
    assert.equal(site.fake.done.filter((what) => what === 'reopenContainerLog main').length, 5);
  });

  test('a log keeps its name when the runtime does not begin a new one', async (t) => {
    const site = await edged(t);
    site.put('web', {});
    await site.pass(seconds(5));
    const directory = '/var/log/pods/default_web_uid-web/main';
    await site.files.makeDirectory(directory);
    await site.files.writeAtomically(`${directory}/0.log`, 'x'.repeat(2_000));
    site.fake.fail('reopenContainerLog', 'INTERNAL', 'no');
    await site.pass(seconds(11));
    assert.deepEqual(await site.files.list(directory), ['0.log']);
  });
});

describe('a pod that takes more of the disk than it said', () => {
  const limited = { 'ephemeral-storage': '2k' };
  const cache = { name: 'cache', emptyDir: { sizeLimit: '1k' } };
  const volume = '/var/lib/kedge/pods/uid-greedy/volumes/kubernetes.io~empty-dir/cache';

  test('in an emptyDir is evicted, once', async (t) => {
    const site = await edged(t);
    site.put('greedy', { volumes: [cache] });
    site.put('modest', { volumes: [cache] });
    await site.pass(seconds(40));
    assert.equal(site.statuses.get('greedy')?.phase, 'Running');
    await site.files.append(`${volume}/file`, 'x'.repeat(1_001));
    await site.pass(seconds(90));
    const { phase, reason, message } = site.statuses.get('greedy') ?? {};
    assert.deepEqual([phase, reason], ['Failed', 'Evicted']);
    assert.equal(message, 'Usage of EmptyDir volume "cache" exceeds the limit "1k". ');
    assert.equal(site.statuses.get('modest')?.phase, 'Running');
    assert.equal(site.reasons().filter((one) => one === 'Evicted').length, 1);
  });

  test('in its logs is evicted', async (t) => {
    const site = await edged(t);
    site.put('talks', { containers: [{ name: 'main', image, command: ['serve'], resources: { limits: limited } }] });
    await site.pass(seconds(1));
    await site.files.makeDirectory('/var/log/pods/default_talks_uid-talks/main');
    await site.files.append('/var/log/pods/default_talks_uid-talks/main/0.log', 'x'.repeat(3_000));
    await site.pass(seconds(40));
    assert.match(site.statuses.get('talks')?.message ?? '', /exceeds the total limit of containers 2000/);
  });
});
