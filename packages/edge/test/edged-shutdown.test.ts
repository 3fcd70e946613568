// The machine goes down while edged runs pods on it.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { HostShutdown, HostShutdowns } from '@kedge/core/ports';
import { type Duration, seconds } from '@kedge/core/time';
import type { Node } from '@kedge/model/k8s-types';
import { EdgedFixture } from './edged-fixture.ts';

const critical = 2_000_000_000;

/** A machine that goes down when it is told to. */
class FakeShutdowns implements HostShutdowns {
  wished: Duration | undefined;
  isHeld = false;
  /** Says why it cannot be held back. */
  refuses: string | undefined;
  #begin: ((shutdown: HostShutdown) => void) | undefined;

  next(wish: Duration, held: (granted: Duration | undefined) => void, signal: AbortSignal): Promise<HostShutdown> {
    if (this.refuses !== undefined) return Promise.reject(new Error(this.refuses));
    this.wished = wish;
    this.isHeld = true;
    held(wish);
    return new Promise((resolve, reject) => {
      this.#begin = resolve;
      signal.addEventListener('abort', () => reject(new Error('ended')), { once: true });
    });
  }

  begin(): void {
    this.#begin?.({ from: 'test', letGo: async () => void (this.isHeld = false) });
  }
}

async function edged(t: TestContext, byPriority: [priority: number, seconds: number][]) {
  const site = new EdgedFixture({ obeys: () => false });
  const machine = new FakeShutdowns();
  site.shutdowns = machine;
  t.after(async () => assert.deepEqual(await site.stop(), []));
  const groups = byPriority.map(([priority, howLong]) => ({ priority, period: seconds(howLong) }));
  await site.start({ shutdown: { groups } });
  return { site, machine };
}

const ready = (site: EdgedFixture) =>
  (site.cloud.objects.get('node/edge-1') as Node | undefined)?.status?.conditions?.find(({ type }) => type === 'Ready');

describe('a machine that goes down', () => {
  test('ends pods group by group and is held back until they have ended', async (t) => {
    const { site, machine } = await edged(t, [
      [0, 20],
      [critical, 10],
    ]);
    site.put('app', {});
    site.put('dns', { priority: critical });
    await site.pass(seconds(5));
    assert.equal(machine.wished, seconds(30));
    assert.equal(site.state('app'), 'running');

    machine.begin();
    await site.pass(seconds(1));
    const app = site.statuses.get('app');
    assert.equal(app?.phase, 'Failed');
    assert.equal(app?.reason, 'Terminated');
    assert.equal(app?.message, 'Pod was terminated in response to imminent node shutdown.');
    const target = app?.conditions?.find(({ type }) => type === 'DisruptionTarget');
    assert.deepEqual([target?.status, target?.reason], ['True', 'TerminationByKubelet']);
    assert.equal(site.state('app'), 'running', 'it has its grace period');
    assert.equal(site.statuses.get('dns')?.phase, 'Running', 'critical pods wait for the others');

    await site.pass(seconds(20));
    assert.match(site.state('app'), /^exited/);
    assert.equal(site.statuses.get('dns')?.reason, 'Terminated');
    assert.equal(site.state('dns'), 'running');
    assert.equal(machine.isHeld, true);
    await site.pass(seconds(10));
    assert.match(site.state('dns'), /^exited/);
    assert.equal(machine.isHeld, false);
  });

  test('does not wait for a group longer than its period', async (t) => {
    const { site, machine } = await edged(t, [
      [0, 4],
      [10, 3],
    ]);
    site.put('low', {});
    site.put('high', { priority: 10 });
    await site.pass(seconds(5));
    site.fake.isDown = true;
    machine.begin();
    await site.pass(seconds(6));
    assert.equal(machine.isHeld, true);
    await site.pass(seconds(2));
    assert.equal(machine.isHeld, false);
    site.fake.isDown = false;
    await site.pass(seconds(1));
  });

  test('is not ready, refuses pods, and takes them again when the shutdown was called off', async (t) => {
    const { site, machine } = await edged(t, [[0, 20]]);
    await site.pass(seconds(1));
    assert.equal(ready(site)?.status, 'True');
    machine.begin();
    machine.refuses = 'a shutdown is under way';
    await site.pass(seconds(2));
    assert.deepEqual([ready(site)?.status, ready(site)?.message], ['False', 'node is shutting down']);
    site.put('late', { priority: critical });
    await site.pass(seconds(1));
    const { phase, reason, message } = site.statuses.get('late') ?? {};
    assert.deepEqual(
      { phase, reason, message },
      { phase: 'Failed', reason: 'NodeShutdown', message: 'Pod was rejected as the node is shutting down.' },
    );
    await site.pass(seconds(30));
    assert.equal(ready(site)?.status, 'False');

    machine.refuses = undefined;
    await site.pass(seconds(20));
    assert.equal(ready(site)?.status, 'True');
    site.put('next', {});
    await site.pass(seconds(3));
    assert.equal(site.state('next'), 'running');
    assert.deepEqual(
      site.events.filter(({ reason: of }) => of === 'NodeShutdown').map(({ message: says }) => says),
      [
        'Shutdown manager detected shutdown event',
        'Pod was rejected as the node is shutting down.',
        'Shutdown manager detected shutdown cancellation',
      ],
    );
  });

  test('nothing is loaded nor asked without a period, and an end of edged leaves pods running', async (t) => {
    const site = new EdgedFixture();
    t.after(() => site.stop());
    const machine = new FakeShutdowns();
    site.shutdowns = machine;
    await site.start();
    site.put('app', {});
    await site.pass(seconds(5));
    assert.equal(machine.wished, undefined);
    assert.deepEqual(await site.stop(), []);
    assert.equal(site.state('app'), 'running');
    assert.equal(site.statuses.get('app')?.phase, 'Running');
  });
});
