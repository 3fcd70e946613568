// What edged makes of a container runtime that does not answer: calls that hang until their deadline, answers that get
// lost, connections that break, nonsense, and a runtime that comes back with everything or with nothing.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { minutes, seconds } from '@kedge/core/time';
import type { FakeCall } from '@kedge/testing/cri';
import { rpcErrors } from '@kedge/wire/rpc';
import { EdgedFixture, image } from './edged-fixture.ts';

async function edged(t: TestContext, ...options: ConstructorParameters<typeof EdgedFixture>): Promise<EdgedFixture> {
  const fixture = new EdgedFixture({ events: true, ...options[0] });
  await fixture.start();
  t.after(async () => {
    fixture.fake.tamper = undefined;
    assert.deepEqual(await fixture.stop(), []);
    assert.deepEqual(
      fixture.history.filter((line) => line.startsWith('FAILED')),
      [],
    );
  });
  return fixture;
}

/** As the channel does: the call's own deadline, else two minutes. */
async function hang(site: EdgedFixture, { method, options }: FakeCall): Promise<never> {
  const timeout = options.timeout ?? minutes(2);
  await site.clock.sleep(`hung ${method}`, timeout, options.signal);
  throw rpcErrors.TIMED_OUT({ method, afterMs: timeout });
}

const named = (name: string) => ({ containers: [{ name, image, command: ['serve'] }] });
const startsOf = (site: EdgedFixture, name: string): number =>
  site.fake.done.filter((step) => step === `startContainer ${name}`).length;

const everyCall = [
  'runPodSandbox',
  'podSandboxStatus',
  'createContainer',
  'startContainer',
  'containerStatus',
] as const;

describe('a runtime that hangs', () => {
  for (const method of [...everyCall, 'imageStatus', 'listContainers'] as const) {
    test(`in ${method} is given up at the deadline, and asked again`, async (t) => {
      const site = await edged(t);
      let hung = 0;
      site.fake.tamper = (call, work) => {
        if (call.method !== method || call.about === undefined || hung > 0) return work();
        hung += 1;
        return hang(site, call);
      };
      site.put('web', {});
      await site.pass(minutes(10));
      assert.equal(hung, 1);
      assert.equal(site.state('web'), 'running');
      assert.equal(startsOf(site, 'main'), 1);
    });
  }

  test('for many pods leaves the others their turn: they start, restart and end', async (t) => {
    const site = await edged(t);
    site.put('steady', named('steady'));
    site.put('going', named('going'));
    await site.pass(seconds(5));
    site.fake.tamper = (call, work) =>
      call.method === 'runPodSandbox' && call.about?.startsWith('uid-hung') ? hang(site, call) : work();
    for (let n = 0; n < 40; n++) site.put(`hung-${n}`, {});
    site.put('late', named('late'));
    await site.pass(seconds(40));
    assert.equal(site.state('late', 'late'), 'running');
    site.fake.exit('steady', 1);
    site.markDeleted('going');
    await site.pass(seconds(40));
    assert.equal(site.statuses.get('steady')?.containerStatuses?.[0]?.restartCount, 1);
    assert.deepEqual(site.removals, ['going']);
    site.fake.tamper = undefined;
    await site.pass(minutes(10));
    assert.equal(site.fake.running.length, 42);
  });

  test('in pulls of more pods than are looked at at once does not hold up a pod that is deleted', async (t) => {
    const site = await edged(t);
    site.fake.pullsHang = true;
    site.put('going', named('going'));
    await site.pass(seconds(1));
    for (let n = 0; n < 20; n++)
      site.put(`p-${n}`, { containers: [{ name: 'main', image: `reg.example.com/${n}:1` }] });
    await site.pass(seconds(30));
    site.markDeleted('going');
    await site.pass(seconds(3));
    assert.deepEqual(site.removals, ['going']);
  });

  test('while a container is stopped: it is asked again after the grace', async (t) => {
    const site = await edged(t);
    site.put('web', {});
    await site.pass(seconds(1));
    let hung = 0;
    site.fake.tamper = (call, work) => (call.method === 'stopContainer' && hung++ === 0 ? hang(site, call) : work());
    site.markDeleted('web', 20);
    await site.pass(seconds(45));
    assert.deepEqual(site.removals, []);
    await site.pass(seconds(15));
    assert.deepEqual(site.removals, ['web']);
    assert.equal(site.fake.sandboxes.size, 0);
  });
});

describe('an answer that is lost', () => {
  for (const method of [...everyCall.filter((one) => !one.endsWith('Status')), 'pullImage', 'imageStatus'] as const) {
    test(`of ${method} leads to nothing that is there twice`, async (t) => {
      const remote = 'reg.example.com/app:2';
      const site = await edged(t, { registry: [remote] });
      let lost = 0;
      site.fake.tamper = async (call, work) => {
        const answer = await work();
        if (call.method !== method || lost++ > 0) return answer;
        throw rpcErrors.UNREACHABLE({ method, address: 'fake', reason: 'the connection broke in the middle of it' });
      };
      site.put('web', { containers: [{ name: 'main', image: remote, command: ['serve'] }] });
      await site.pass(minutes(1));
      assert.ok(lost >= 1);
      assert.equal(site.state('web'), 'running');
      assert.equal(startsOf(site, 'main'), 1);
      assert.equal(site.fake.sandboxes.size, 1);
      assert.equal(site.fake.containers.size, 1);
    });
  }

  for (const method of ['stopContainer', 'stopPodSandbox', 'removeContainer', 'removePodSandbox'] as const) {
    test(`of ${method} keeps no pod from going, once`, async (t) => {
      const site = await edged(t);
      site.put('web', { volumes: [{ name: 'tmp', emptyDir: { medium: 'Memory' } }] });
      await site.pass(seconds(1));
      let lost = 0;
      site.fake.tamper = async (call, work) => {
        const answer = await work();
        if (call.method !== method || lost++ > 0) return answer;
        throw rpcErrors.UNREACHABLE({ method, address: 'fake', reason: 'the connection broke in the middle of it' });
      };
      site.markDeleted('web');
      await site.pass(minutes(1));
      assert.ok(lost >= 1);
      assert.deepEqual(site.removals, ['web']);
      assert.equal(site.fake.sandboxes.size + site.fake.containers.size + site.mounted.size, 0);
    });
  }
});

describe('a runtime that answers nonsense', () => {
  for (const method of [...everyCall, 'listPodSandbox', 'listContainers', 'imageStatus'] as const) {
    test(`to ${method} is asked again: no pod is given up`, async (t) => {
      const site = await edged(t);
      let asked = 0;
      site.fake.tamper = async (call, work) => {
        if (call.method !== method || call.about === undefined || asked++ > 2) return work();
        throw rpcErrors.MALFORMED({ method, reason: 'field 1 ends in the middle' });
      };
      site.put('web', {});
      await site.pass(minutes(2));
      assert.ok(asked > 2, `${asked} questions`);
      assert.equal(site.state('web'), 'running');
    });
  }
});

describe('a runtime that dies', () => {
  const kinds: [string, (site: EdgedFixture) => void, number][] = [
    ['everything as it was', () => undefined, 1],
    ['everything stopped', (site) => site.fake.reboot(), 2],
    ['nothing', (site) => site.fake.loseEverything(), 2],
  ];
  for (const [what, happens, starts] of kinds) {
    test(`and comes back with ${what}: every pod runs, once`, async (t) => {
      const site = await edged(t);
      for (let n = 0; n < 10; n++) site.put(`p-${n}`, named(`c-${n}`));
      await site.pass(seconds(5));
      site.fake.isDown = true;
      await site.pass(minutes(5));
      assert.equal(site.statuses.get('p-0')?.phase, 'Running', 'nobody can know better');
      happens(site);
      site.fake.isDown = false;
      await site.pass(minutes(1));
      assert.equal(site.fake.running.length, 10);
      for (let n = 0; n < 10; n++) assert.equal(startsOf(site, `c-${n}`), starts, `c-${n}`);
    });
  }

  test('while pods are deleted: they go when it is back', async (t) => {
    const site = await edged(t);
    for (let n = 0; n < 10; n++) site.put(`p-${n}`, named(`c-${n}`));
    await site.pass(seconds(5));
    site.fake.isDown = true;
    for (let n = 0; n < 10; n++) site.markDeleted(`p-${n}`);
    await site.pass(minutes(5));
    assert.deepEqual(site.removals, []);
    site.fake.isDown = false;
    await site.pass(minutes(1));
    assert.equal(site.removals.length, 10);
    assert.equal(site.fake.sandboxes.size + site.fake.containers.size, 0);
  });
});

test('an old container that cannot be removed keeps none from starting', async (t) => {
  const site = await edged(t);
  site.put('web', { containers: [{ name: 'main', image, command: ['sh', '-c', 'exit 3'] }] });
  site.fake.tamper = async (call, work) => {
    if (call.method === 'removeContainer')
      throw rpcErrors.REFUSED({ method: 'removeContainer', code: 'INTERNAL', message: 'device busy' });
    return work();
  };
  await site.pass(minutes(3));
  assert.ok((site.statuses.get('web')?.containerStatuses?.[0]?.restartCount ?? 0) >= 4);
  site.fake.tamper = undefined;
  await site.pass(minutes(10));
  assert.ok(site.fake.containers.size <= 2);
});
