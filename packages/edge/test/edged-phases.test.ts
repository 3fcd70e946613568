// A pod that is deleted, and an edgecore that is killed, in each phase of a pod's life: while a call of the runtime is under way
// that has not taken effect yet, and while one is that has. And more pods at once than any node should get.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { minutes, seconds } from '@kedge/core/time';
import type { FakeCall } from '@kedge/testing/cri';
import { EdgedFixture, image } from './edged-fixture.ts';

type Method = FakeCall['method'];

interface Phase {
  readonly name: string;
  readonly method: Method;
  /** Which of the calls that the pod's life takes, from 1. */
  readonly nth: number;
}

const ownImage = 'reg.example.com/own:1';

const ups: readonly Phase[] = [
  { name: 'its sandbox is made', method: 'runPodSandbox', nth: 1 },
  { name: 'its init container is made', method: 'createContainer', nth: 1 },
  { name: 'its init container is started', method: 'startContainer', nth: 1 },
  { name: 'its image is looked for', method: 'imageStatus', nth: 1 },
  { name: 'its image is pulled', method: 'pullImage', nth: 1 },
  { name: 'its container is made', method: 'createContainer', nth: 2 },
  { name: 'its container is started', method: 'startContainer', nth: 2 },
  { name: 'its postStart hook runs', method: 'execSync', nth: 1 },
];
const downs: readonly Phase[] = [
  { name: 'its preStop hook runs', method: 'execSync', nth: 2 },
  { name: 'its container is stopped', method: 'stopContainer', nth: 1 },
  { name: 'its sandbox is stopped', method: 'stopPodSandbox', nth: 1 },
  { name: 'its sandbox is removed', method: 'removePodSandbox', nth: 1 },
];

/** Whether the runtime has done what the call asks for when it happens. */
const moments = ['before', 'after'] as const;
type Moment = (typeof moments)[number];

/** A call that is held until it is let go. */
interface Held {
  readonly isReached: boolean;
  letGo(): void;
}

class Life {
  readonly site = new EdgedFixture({ events: true, registry: [ownImage] });

  async start(t: TestContext): Promise<void> {
    await this.site.start();
    t.after(async () => {
      await this.site.stop();
      assert.deepEqual(
        this.site.history.filter((line) => line.startsWith('FAILED')),
        [],
      );
    });
  }

  put(): void {
    this.site.put('pod', {
      volumes: [{ name: 'tmp', emptyDir: { medium: 'Memory' } }],
      initContainers: [{ name: 'init', image, command: ['sh', '-c', 'exit 0'] }],
      containers: [
        {
          name: 'main',
          image: ownImage,
          command: ['serve'],
          lifecycle: { postStart: { exec: { command: ['hello'] } }, preStop: { exec: { command: ['bye'] } } },
        },
      ],
    });
  }

  hold({ method, nth }: Phase, moment: Moment): Held {
    const gate = Promise.withResolvers<void>();
    let count = 0;
    const held = { isReached: false, letGo: () => gate.resolve() };
    this.site.fake.tamper = async ({ method: called, about }, work) => {
      if (called !== method || (about !== 'uid-pod' && about !== ownImage)) return work();
      count += 1;
      if (count !== nth) return work();
      held.isReached = true;
      if (moment === 'before') await gate.promise;
      const answer = await work();
      if (moment === 'after') await gate.promise;
      return answer;
    };
    return held;
  }

  startsOf(name: string): number {
    return this.site.fake.done.filter((done) => done === `startContainer ${name}`).length;
  }

  /** One sandbox, one container that runs, and each container started once. */
  assertRunsOnce(): void {
    const { site } = this;
    assert.equal(site.state('pod'), 'running');
    assert.equal(site.statuses.get('pod')?.phase, 'Running');
    assert.equal(site.statuses.get('pod')?.containerStatuses?.[0]?.restartCount, 0);
    assert.deepEqual(site.fake.running, ['main']);
    assert.equal([...site.fake.sandboxes.values()].filter(({ isReady }) => isReady).length, 1);
    assert.deepEqual([this.startsOf('init'), this.startsOf('main')], [1, 1]);
  }

  async assertGone(): Promise<void> {
    const { site } = this;
    assert.ok(
      site.removals.includes('pod'),
      `the pod is still in the API: ${JSON.stringify(site.statuses.get('pod'))}`,
    );
    site.forget('pod');
    await site.pass(minutes(1));
    assert.deepEqual([...site.fake.containers.keys()], []);
    assert.deepEqual([...site.fake.sandboxes.keys()], []);
    assert.equal(site.mounted.size, 0);
    assert.deepEqual(await site.files.list('/var/lib/kedge/pods'), []);
    assert.deepEqual(await site.files.list('/var/log/pods'), []);
    assert.notEqual(site.cgroupsRemoved.length, 0);
  }
}

describe('a pod that is deleted while', () => {
  for (const phase of ups)
    for (const moment of moments)
      test(`${phase.name}, ${moment} the runtime did it, goes and leaves nothing`, async (t) => {
        const life = new Life();
        const { site } = life;
        await life.start(t);
        const held = life.hold(phase, moment);
        life.put();
        await site.pass(seconds(5));
        assert.ok(held.isReached);
        site.markDeleted('pod');
        await site.pass(seconds(1));
        held.letGo();
        await site.pass(minutes(2));
        await life.assertGone();
        assert.ok(life.startsOf('main') <= 1);
      });

  for (const phase of downs)
    for (const moment of moments)
      test(`${phase.name}, ${moment} the runtime did it, for the second time and at once, goes and leaves nothing`, async (t) => {
        const life = new Life();
        const { site } = life;
        await life.start(t);
        const held = life.hold(phase, moment);
        life.put();
        await site.pass(seconds(10));
        life.assertRunsOnce();
        site.markDeleted('pod');
        await site.pass(seconds(2));
        assert.ok(held.isReached);
        // kubectl delete --force
        site.markDeleted('pod', 0);
        await site.pass(seconds(1));
        held.letGo();
        await site.pass(minutes(2));
        await life.assertGone();
      });
});

describe('edgecore that is killed while', () => {
  for (const phase of ups)
    for (const moment of moments)
      test(`${phase.name}, ${moment} the runtime did it, goes on, and the pod runs once`, async (t) => {
        const life = new Life();
        const { site } = life;
        await life.start(t);
        const held = life.hold(phase, moment);
        life.put();
        await site.pass(seconds(5));
        assert.ok(held.isReached);
        await site.kill();
        site.fake.tamper = undefined;
        // What was asked for before still happens, as it does in a runtime.
        held.letGo();
        await site.pass(seconds(1));
        await site.start();
        await site.pass(minutes(2));
        life.assertRunsOnce();
        site.markDeleted('pod');
        await site.pass(minutes(2));
        await life.assertGone();
      });

  for (const phase of downs)
    for (const moment of moments)
      test(`${phase.name}, ${moment} the runtime did it, goes on, and the pod goes`, async (t) => {
        const life = new Life();
        const { site } = life;
        await life.start(t);
        const held = life.hold(phase, moment);
        life.put();
        await site.pass(seconds(10));
        life.assertRunsOnce();
        site.markDeleted('pod');
        await site.pass(seconds(2));
        assert.ok(held.isReached);
        await site.kill();
        site.fake.tamper = undefined;
        held.letGo();
        await site.pass(seconds(1));
        await site.start();
        await site.pass(minutes(2));
        await life.assertGone();
        assert.equal(life.startsOf('main'), 1);
      });

  test('pods end on their own: what ended meanwhile is told, and started again by the policy', async (t) => {
    const life = new Life();
    const { site } = life;
    await life.start(t);
    life.put();
    site.put('job', { restartPolicy: 'Never', containers: [{ name: 'job', image, command: ['serve'] }] });
    await site.pass(seconds(10));
    await site.kill();
    site.fake.exit('main', 3);
    site.fake.exit('job', 4);
    await site.start();
    await site.pass(minutes(1));
    assert.deepEqual([site.state('pod'), site.state('job', 'job')], ['running', 'exited 4']);
    assert.equal(site.statuses.get('job')?.phase, 'Failed');
    const [status] = site.statuses.get('pod')?.containerStatuses ?? [];
    assert.deepEqual([status?.restartCount, status?.lastState?.terminated?.exitCode], [1, 3]);
  });
});

describe('two hundred pods at once', () => {
  const names = Array.from({ length: 200 }, (_, n) => `pod-${n}`);
  const put = (site: EdgedFixture): void => {
    for (const name of names) site.put(name, { containers: [{ name, image, command: ['serve'] }] });
  };

  test('all run, each once, and all go', async (t) => {
    const site = new EdgedFixture({ events: true });
    await site.start({ maxPods: 250 });
    t.after(() => site.stop());
    put(site);
    await site.pass(minutes(1));
    assert.deepEqual(site.fake.running.toSorted(), names.toSorted());
    assert.equal(site.fake.done.filter((done) => done.startsWith('startContainer')).length, names.length);
    assert.deepEqual(
      names.filter((name) => site.statuses.get(name)?.phase !== 'Running'),
      [],
    );
    for (const name of names) site.markDeleted(name);
    await site.pass(minutes(1));
    assert.deepEqual(site.removals.toSorted(), names.toSorted());
    for (const name of names) site.forget(name);
    await site.pass(minutes(1));
    assert.equal(site.fake.sandboxes.size + site.fake.containers.size, 0);
  });

  test('no more run than the node takes; the others are refused and say why', async (t) => {
    const site = new EdgedFixture({ events: true });
    await site.start({ maxPods: 110 });
    t.after(() => site.stop());
    put(site);
    await site.pass(minutes(1));
    const refused = names.filter((name) => site.statuses.get(name)?.reason === 'OutOfpods');
    assert.deepEqual([site.fake.running.length, refused.length], [110, 90]);
  });

  test('that come while edgecore is killed run once each', async (t) => {
    const site = new EdgedFixture({ events: true });
    await site.start({ maxPods: 250 });
    t.after(() => site.stop());
    let made = 0;
    const halfway = Promise.withResolvers<void>();
    site.fake.tamper = async ({ method }, work) => {
      if (method === 'createContainer') made += 1;
      if (made > 100) halfway.resolve();
      return work();
    };
    put(site);
    const passing = site.pass(seconds(1));
    await halfway.promise;
    const killed = site.kill();
    await passing;
    await killed;
    site.fake.tamper = undefined;
    await site.start({ maxPods: 250 });
    await site.pass(minutes(2));
    assert.deepEqual(site.fake.running.toSorted(), names.toSorted());
    assert.equal([...site.fake.sandboxes.values()].filter(({ isReady }) => isReady).length, names.length);
  });
});
