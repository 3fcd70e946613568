// What edged makes of a container runtime that answers wrongly: every failure of gRPC from every call that a pod's life
// takes, once and for a while. A pod for each call and code, all in one site, beside one that no fault is meant for.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { minutes, seconds } from '@kedge/core/time';
import type { FakeCall } from '@kedge/testing/cri';
import { type RpcCode, rpcCodes, rpcErrors } from '@kedge/wire/rpc';
import { EdgedFixture, image } from './edged-fixture.ts';

type Method = FakeCall['method'];
const codes = (Object.keys(rpcCodes) as RpcCode[]).filter((code) => code !== 'OK');

/** A pod whose calls of one method fail with one code. */
interface Victim {
  readonly name: string;
  readonly method: Method;
  readonly code: RpcCode;
  readonly image: string;
}

const victimsOf = (methods: readonly Method[]): Victim[] =>
  methods.flatMap((method) =>
    codes.map((code) => {
      const name = `${method}-${code}`.toLowerCase().replaceAll('_', '-');
      return { name, method, code, image: `reg.example.com/${name}:1` };
    }),
  );

class Faults {
  /** How often each victim was refused, by name. */
  readonly refused = new Map<string, number>();
  readonly victims: readonly Victim[];
  readonly site: EdgedFixture;
  #bystander = '';

  constructor(methods: readonly Method[]) {
    this.victims = victimsOf(methods);
    this.site = new EdgedFixture({ events: true, registry: this.victims.map((victim) => victim.image) });
  }

  async start(t: TestContext): Promise<void> {
    const { site } = this;
    await site.start({ maxPods: 1_000 });
    t.after(async () => {
      site.fake.tamper = undefined;
      assert.deepEqual(await site.stop(), []);
      assert.deepEqual(
        site.history.filter((line) => line.startsWith('FAILED')),
        [],
      );
    });
    site.put('bystander', { containers: [{ name: 'bystander', image, command: ['serve'] }] });
    await site.pass(seconds(5));
    this.#bystander = site.fake.container('bystander')?.id ?? '';
    assert.notEqual(this.#bystander, '');
  }

  /** Pods that need every call: an image to pull, an init container, a hook, a probe, a volume in memory. */
  putVictims(): void {
    for (const { name, image: own } of this.victims) {
      this.site.put(name, {
        volumes: [{ name: 'tmp', emptyDir: { medium: 'Memory' } }],
        initContainers: [{ name: 'init', image, command: ['sh', '-c', 'exit 0'] }],
        containers: [
          {
            name: 'main',
            image: own,
            command: ['serve'],
            lifecycle: { postStart: { exec: { command: ['hello'] } } },
            readinessProbe: { exec: { command: ['ready'] }, periodSeconds: 60 },
          },
        ],
      });
    }
  }

  refuse(times: 'once' | 'always'): void {
    const byUid = new Map(this.victims.map((victim) => [`uid-${victim.name}`, victim]));
    const byImage = new Map(this.victims.map((victim) => [victim.image, victim]));
    this.site.fake.tamper = async ({ method, about = '' }, work) => {
      const victim = byUid.get(about) ?? byImage.get(about);
      if (victim?.method !== method) return work();
      const before = this.refused.get(victim.name) ?? 0;
      if (times === 'once' && before > 0) return work();
      this.refused.set(victim.name, before + 1);
      throw rpcErrors.REFUSED({ method, code: victim.code, message: `refused with ${victim.code}` });
    };
  }

  heal(): void {
    this.site.fake.tamper = undefined;
  }

  assertAllRefused(): void {
    assert.deepEqual([...this.refused.keys()].toSorted(), this.victims.map(({ name }) => name).toSorted());
  }

  /** In `minutes` of a failure that lasts, no call is made so often that it would count as a loop. */
  async assertPatient(): Promise<void> {
    const before = new Map(this.refused);
    await this.site.pass(minutes(5));
    for (const [name, count] of this.refused) {
      const more = count - (before.get(name) ?? 0);
      assert.ok(more <= 75, `${name}: ${more} tries in five minutes`);
    }
  }

  assertRunningOnce(): void {
    const { site } = this;
    const isReady = (name: string): unknown =>
      site.statuses.get(name)?.conditions?.find(({ type }) => type === 'Ready')?.status;
    const lagging = this.victims.filter(({ name }) => site.state(name) !== 'running' || isReady(name) !== 'True');
    assert.deepEqual(
      lagging.map(({ name }) => `${name} ${site.state(name)}`),
      [],
    );
    const sandboxes = [...site.fake.sandboxes.values()].filter(({ isReady: ready }) => ready);
    const running = [...site.fake.containers.values()].filter(({ state }) => state === 'running');
    const names = ['bystander', ...this.victims.map(({ name }) => name)].toSorted();
    assert.deepEqual(sandboxes.map(({ config }) => config.metadata?.name).toSorted(), names);
    const owners = running.map(({ sandboxId }) => site.fake.sandboxes.get(sandboxId)?.config.metadata?.name);
    assert.deepEqual(owners.toSorted(), names);
    this.assertBystander();
  }

  assertBystander(): void {
    const { site } = this;
    assert.equal(site.fake.containers.get(this.#bystander)?.state, 'running');
    assert.equal(site.statuses.get('bystander')?.phase, 'Running');
    assert.equal(site.statuses.get('bystander')?.containerStatuses?.[0]?.restartCount, 0);
  }

  async deleteVictims(): Promise<void> {
    for (const { name } of this.victims) this.site.markDeleted(name);
    await this.site.pass(minutes(1));
  }

  async assertNothingLeft(): Promise<void> {
    const { site, victims } = this;
    assert.deepEqual(site.removals.toSorted(), victims.map(({ name }) => name).toSorted());
    for (const { name } of victims) site.forget(name);
    await site.pass(seconds(10));
    assert.deepEqual([...site.fake.containers.keys()], [this.#bystander]);
    assert.equal(site.fake.sandboxes.size, 1);
    assert.equal(site.mounted.size, 0);
    assert.deepEqual(await site.files.list('/var/lib/kedge/pods'), ['uid-bystander']);
    assert.deepEqual(await site.files.list('/var/log/pods'), ['default_bystander_uid-bystander']);
    assert.equal(new Set(site.cgroupsRemoved).size, victims.length);
    this.assertBystander();
  }

  /** How the status says why it waits, of the container that the fault hits first. */
  stateOf({ name }: Victim): string {
    const init = this.site.state(name, 'init');
    return init === 'exited 0' ? this.site.state(name) : init;
  }

  hasEvent({ name, code }: Victim, reason: string): boolean {
    return this.site.events.some(
      (event) =>
        event.involvedObject?.name === name &&
        event.reason === reason &&
        event.message?.includes(`refused with ${code}`),
    );
  }
}

const ups: readonly Method[] = [
  ...(['runPodSandbox', 'podSandboxStatus', 'listPodSandbox', 'listContainers', 'containerStatus'] as const),
  ...(['createContainer', 'startContainer', 'imageStatus', 'pullImage', 'execSync'] as const),
];

/** What users read while a call fails all the time; calls without a row say nothing new. */
const told: Partial<Record<Method, { readonly states: readonly string[]; readonly event: string }>> = {
  runPodSandbox: { states: ['PodInitializing'], event: 'FailedCreatePodSandBox' },
  createContainer: { states: ['CreateContainerError'], event: 'Failed' },
  startContainer: { states: ['RunContainerError'], event: 'Failed' },
  imageStatus: { states: ['ImageInspectError'], event: 'InspectFailed' },
  pullImage: { states: ['ErrImagePull', 'ImagePullBackOff'], event: 'Failed' },
  execSync: { states: ['CrashLoopBackOff', 'PostStartHookError'], event: 'FailedPostStartHook' },
};

const downs: readonly Method[] = [
  ...(['stopContainer', 'removeContainer', 'stopPodSandbox', 'removePodSandbox'] as const),
  ...(['listPodSandbox', 'listContainers', 'containerStatus'] as const),
];

describe('a runtime that refuses, with any code of gRPC', () => {
  test('one call on the way up delays that pod, and every pod runs once', async (t) => {
    const faults = new Faults(ups);
    await faults.start(t);
    faults.refuse('once');
    faults.putVictims();
    await faults.site.pass(minutes(3));
    faults.assertAllRefused();
    faults.assertRunningOnce();
  });

  test('a call on the way up for long is asked patiently, says why, and every pod runs afterwards', async (t) => {
    const faults = new Faults(ups);
    const { site } = faults;
    await faults.start(t);
    faults.refuse('always');
    faults.putVictims();
    await site.pass(minutes(1));
    await faults.assertPatient();
    faults.assertAllRefused();
    for (const victim of faults.victims) {
      const expected = told[victim.method];
      if (!expected) continue;
      assert.ok(expected.states.includes(faults.stateOf(victim)), `${victim.name} is ${faults.stateOf(victim)}`);
      assert.ok(faults.hasEvent(victim, expected.event), `${victim.name} has no event ${expected.event}`);
    }
    faults.assertBystander();
    faults.heal();
    await site.pass(minutes(6));
    faults.assertRunningOnce();
  });

  test('one call on the way down delays that pod, and nothing is left', async (t) => {
    const faults = new Faults(downs);
    await faults.start(t);
    faults.putVictims();
    await faults.site.pass(minutes(1));
    faults.assertRunningOnce();
    faults.refuse('once');
    await faults.deleteVictims();
    faults.assertAllRefused();
    await faults.assertNothingLeft();
  });

  test('a call on the way down for long is asked patiently, says why, and nothing is left afterwards', async (t) => {
    const faults = new Faults(downs);
    const { site } = faults;
    await faults.start(t);
    faults.putVictims();
    await site.pass(minutes(1));
    faults.refuse('always');
    await faults.deleteVictims();
    await faults.assertPatient();
    faults.assertAllRefused();
    for (const victim of faults.victims) {
      const { method, code, name } = victim;
      // Only this node is concerned with what is dead: the API is not kept waiting for that.
      if (method.startsWith('remove')) assert.ok(site.removals.includes(name), `${name} is kept in the API`);
      else if (method.startsWith('stop')) assert.ok(!site.removals.includes(name), `${name} may still run`);
      if (method.startsWith('stop') && code !== 'NOT_FOUND') assert.ok(faults.hasEvent(victim, 'FailedKillPod'), name);
    }
    faults.assertBystander();
    faults.heal();
    await site.pass(minutes(3));
    await faults.assertNothingLeft();
  });
});

describe('a disk that is full', () => {
  test('keeps new pods waiting, and says why; others run, restart, end, and all goes on when there is space', async (t) => {
    const site = new EdgedFixture({ events: true });
    await site.start();
    t.after(async () => {
      assert.deepEqual(await site.stop(), []);
      assert.deepEqual(
        site.history.filter((line) => line.startsWith('FAILED')),
        [],
      );
    });
    const volumes = [{ name: 'settings', configMap: { name: 'settings' } }];
    site.putObject('configmap', 'settings', { a: '1' });
    for (const name of ['steady', 'going']) {
      site.put(name, { volumes, containers: [{ name, image, command: ['serve'] }] });
    }
    await site.pass(seconds(5));
    site.isDiskFull = true;
    site.put('late', { volumes, containers: [{ name: 'late', image, command: ['serve'] }] });
    site.putObject('configmap', 'settings', { a: '2' });
    site.markDeleted('going', 5);
    await site.pass(minutes(2));
    const told = site.events.filter(({ message }) => message?.includes('ENOSPC'));
    assert.ok(told.some(({ involvedObject }) => involvedObject?.name === 'late'));
    assert.equal(site.statuses.get('late')?.phase, 'Pending');
    assert.ok((site.fake.calls.get('runPodSandbox') ?? 0) <= 3);
    assert.deepEqual(site.removals, ['going']);
    assert.equal(site.statuses.get('steady')?.phase, 'Running');
    assert.equal(site.statuses.get('steady')?.containerStatuses?.[0]?.restartCount, 0);
    site.isDiskFull = false;
    await site.pass(minutes(3));
    assert.deepEqual(site.fake.running.toSorted(), ['late', 'steady']);
    assert.equal(
      await site.files.readText('/var/lib/kedge/pods/uid-steady/volumes/kubernetes.io~configmap/settings/a'),
      '2',
    );
  });
});
