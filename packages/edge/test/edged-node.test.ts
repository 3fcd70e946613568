// The Node that edged keeps in the cloud.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { minutes, seconds } from '@kedge/core/time';
import type { Lease, Node } from '@kedge/model/k8s-types';
import { EdgedFixture } from './edged-fixture.ts';

async function edged(t: TestContext): Promise<EdgedFixture> {
  const fixture = new EdgedFixture();
  await fixture.start();
  t.after(async () => assert.deepEqual(await fixture.stop(), []));
  return fixture;
}

const nodeOf = (site: EdgedFixture) => site.cloud.objects.get('node/edge-1') as Node | undefined;
const leaseOf = (site: EdgedFixture) => site.cloud.objects.get('lease/edge-1') as Lease | undefined;
const ready = (site: EdgedFixture) => nodeOf(site)?.status?.conditions?.find(({ type }) => type === 'Ready');

describe('the node', () => {
  test('registers itself, ready, with labels, capacity and lease', async (t) => {
    const site = await edged(t);
    await site.pass(seconds(1));
    const node = nodeOf(site);
    assert.equal(node?.metadata.labels?.['node-role.kubernetes.io/edge'], '');
    assert.equal(node?.metadata.labels?.['site'], 'north');
    assert.equal(node?.status?.capacity?.['memory'], '4194304Ki');
    assert.equal(node?.status?.allocatable?.['memory'], '4091904Ki');
    assert.deepEqual(node?.status?.addresses, [
      { type: 'InternalIP', address: '192.0.2.7' },
      { type: 'Hostname', address: 'edge-1' },
    ]);
    assert.equal(node?.status?.nodeInfo?.kubeletVersion, 'v1.32.0-kedge-v0.1.0');
    assert.equal(ready(site)?.status, 'True');
    assert.equal(leaseOf(site)?.metadata?.ownerReferences?.[0]?.uid, node?.metadata.uid);
    assert.equal(leaseOf(site)?.spec?.leaseDurationSeconds, 40);
  });

  test('renews its lease every ten seconds and reports an unchanged status every five minutes', async (t) => {
    const site = await edged(t);
    await site.pass(seconds(5));
    site.cloud.asked.length = 0;
    await site.pass(minutes(10));
    const count = (what: string) => site.cloud.asked.filter((asked) => asked === what).length;
    assert.equal(count('object.update lease/edge-1'), 60);
    assert.equal(count('node.status node/edge-1'), 2);
    assert.equal(site.cloud.asked.length, 62);
  });

  test('says within seconds that its runtime is down, and that it is back', async (t) => {
    const site = await edged(t);
    await site.pass(seconds(5));
    site.fake.isDown = true;
    await site.pass(seconds(11));
    assert.equal(ready(site)?.status, 'False');
    assert.match(ready(site)?.message ?? '', /container runtime is down/);
    site.fake.isDown = false;
    await site.pass(seconds(2));
    assert.equal(ready(site)?.status, 'True');
  });

  test('reports an address that came after the start, and so do its pods', async (t) => {
    const site = new EdgedFixture();
    site.addresses = [];
    await site.start();
    t.after(() => site.stop());
    await site.pass(seconds(1));
    site.addresses = ['192.0.2.8'];
    await site.pass(seconds(11));
    site.put('web', {});
    await site.pass(seconds(1));
    assert.equal(nodeOf(site)?.status?.addresses?.at(-2)?.address, '192.0.2.8');
    assert.equal(site.statuses.get('web')?.hostIP, '192.0.2.8');
  });

  test('is not ready without a pod network', async (t) => {
    const site = await edged(t);
    site.fake.isNetworkReady = false;
    await site.pass(seconds(11));
    assert.match(ready(site)?.message ?? '', /NetworkReady=false/);
  });

  test('that was deleted in the cloud is registered again, and its pods report again', async (t) => {
    const site = await edged(t);
    site.put('web', {});
    await site.pass(seconds(5));
    site.cloud.objects.clear();
    site.history.length = 0;
    await site.pass(seconds(30));
    assert.equal(ready(site)?.status, 'True');
    assert.equal(leaseOf(site)?.metadata?.ownerReferences?.[0]?.uid, nodeOf(site)?.metadata.uid);
    assert.deepEqual(site.history, ['web Running']);
  });

  test('that was made anew by somebody else is taken over', async (t) => {
    const site = await edged(t);
    await site.pass(seconds(5));
    await site.stop();
    const node = nodeOf(site)!;
    site.cloud.objects.set('node/edge-1', { ...node, metadata: { ...node.metadata, uid: 'new', labels: {} } });
    await site.start();
    await site.pass(seconds(12));
    assert.equal(nodeOf(site)?.metadata.uid, 'new');
    assert.equal(nodeOf(site)?.metadata.labels?.['node-role.kubernetes.io/edge'], '');
  });

  test('asks nothing while the link is down, and comes back at once', async (t) => {
    const site = await edged(t);
    await site.pass(seconds(5));
    site.setOnline(false);
    site.cloud.asked.length = 0;
    await site.pass(minutes(5));
    assert.equal(site.cloud.asked.length, 0);
    site.setOnline(true);
    await site.pass(seconds(1));
    assert.ok(site.cloud.asked.includes('object.update lease/edge-1'));
    assert.ok(site.cloud.asked.includes('node.status node/edge-1'));
  });
});

describe('a machine with problems', () => {
  const told = (site: EdgedFixture, reason: string): string[] =>
    site.events
      .filter((event) => event.reason === reason)
      .map(({ message, involvedObject }) => `${involvedObject?.kind}: ${message}`);

  async function started(t: TestContext): Promise<EdgedFixture> {
    const site = new EdgedFixture();
    site.victims.push({ process: 'before', pid: 1 });
    await site.start();
    t.after(() => site.stop());
    await site.pass(seconds(61));
    return site;
  }

  test('tells of processes that were killed for want of memory, not of those before its time', async (t) => {
    const site = await started(t);
    site.victims.push({ process: 'greedy', pid: 4_711 });
    await site.pass(minutes(2));
    assert.deepEqual(told(site, 'SystemOOM'), ['Node: System OOM encountered, victim process: greedy, pid: 4711']);
  });

  test('tells of a file system that went read-only, once, and of its return', async (t) => {
    const site = await started(t);
    site.isReadOnly = true;
    await site.pass(minutes(2));
    site.isReadOnly = false;
    await site.pass(minutes(2));
    assert.equal(told(site, 'FilesystemIsReadOnly').length, 1);
    assert.equal(told(site, 'FilesystemIsNotReadOnly').length, 1);
  });

  test('tells of a clock that is off, as far as that can be known', async (t) => {
    const site = await started(t);
    site.cloudIsAhead = 10_040;
    await site.pass(minutes(2));
    assert.deepEqual(told(site, 'ClockSkew'), []);
    site.cloudIsAhead = -95_000;
    await site.pass(minutes(2));
    assert.deepEqual(told(site, 'ClockSkew'), ['Node: The clock of this node is 1m35s ahead of that of the cloud']);
  });

  test('looks at its pods again when the clock was set', async (t) => {
    const site = await started(t);
    site.put('job', { activeDeadlineSeconds: 3_600 });
    await site.pass(seconds(1));
    site.clock.jumpTo((site.clock.now() + 7_200_000) as ReturnType<EdgedFixture['clock']['now']>);
    await site.pass(seconds(40));
    assert.match(told(site, 'ClockWasSet')[0] ?? '', /^Node: The clock was set forward by 2h0m0s$/);
    assert.equal(site.statuses.get('job')?.reason, 'DeadlineExceeded');
  });
});
