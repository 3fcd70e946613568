// A pod's life has as many phases as edged makes calls for it. At every one of them, before it took effect and after, the
// pod is deleted, dropped by the API, or edged is killed: it runs once, or it is gone without a trace. Calls that only look
// count too, and so do waits. Beside that, images that broke on the node.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { minutes, seconds } from '@kedge/core/time';
import type { FakeCall } from '@kedge/testing/cri';
import { rpcErrors } from '@kedge/wire/rpc';
import { EdgedFixture, image } from './edged-fixture.ts';

const pulled = 'reg.example.com/web:1';
const effects = ['before it took effect', 'after it took effect'] as const;
type Effect = (typeof effects)[number];

/** Needs every call: a pull, a sandbox, init containers of both kinds, hooks, a probe, a volume in memory. */
function putWhole(site: EdgedFixture, name = 'web'): void {
  site.put(name, {
    volumes: [{ name: 'tmp', emptyDir: { medium: 'Memory' } }],
    initContainers: [
      { name: 'init', image, command: ['sh', '-c', 'exit 0'] },
      { name: 'sidecar', image, command: ['serve'], restartPolicy: 'Always' },
    ],
    containers: [
      {
        name: 'main',
        image: pulled,
        command: ['serve'],
        lifecycle: { postStart: { exec: { command: ['hello'] } }, preStop: { exec: { command: ['bye'] } } },
        readinessProbe: { exec: { command: ['ready'] }, periodSeconds: 60 },
      },
    ],
  });
}

/** Calls `happens` at call number `at` of those about pods and their images; returns how many calls there were. */
function interrupt(
  site: EdgedFixture,
  at: number,
  effect: Effect,
  happens: (call: FakeCall) => Promise<void> | void,
): { readonly calls: string[] } {
  const calls: string[] = [];
  site.fake.tamper = async (call, work) => {
    // Lists of all pods belong to no phase of one of them.
    if (call.about === undefined) return work();
    calls.push(call.method);
    if (calls.length !== at) return work();
    if (effect === 'before it took effect') {
      await happens(call);
      call.options.signal?.throwIfAborted();
      return work();
    }
    const answer = await work();
    await happens(call);
    call.options.signal?.throwIfAborted();
    return answer;
  };
  return { calls };
}

async function site(t: TestContext): Promise<EdgedFixture> {
  const fixture = new EdgedFixture({ events: true, registry: [pulled] });
  await fixture.start();
  t.after(async () => {
    fixture.fake.tamper = undefined;
    assert.deepEqual(await fixture.stop(), []);
    assert.deepEqual(failuresOf(fixture), []);
  });
  return fixture;
}

const failuresOf = ({ history }: EdgedFixture): string[] => history.filter((line) => line.startsWith('FAILED'));

function assertRunsOnce({ fake, statuses }: EdgedFixture, when: string): void {
  assert.equal(statuses.get('web')?.phase, 'Running', when);
  assert.equal(statuses.get('web')?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True', when);
  assert.deepEqual(fake.running.toSorted(), ['main', 'sidecar'], when);
  assert.equal(fake.sandboxes.size, 1, when);
  for (const name of ['main', 'sidecar', 'init']) {
    const starts = fake.done.filter((step) => step === `startContainer ${name}`).length;
    assert.equal(starts, 1, `${name} was started ${starts} times: ${when}`);
  }
  for (const { restartCount } of statuses.get('web')?.containerStatuses ?? []) assert.equal(restartCount, 0, when);
}

async function assertGone(fixture: EdgedFixture, when: string): Promise<void> {
  assert.ok(fixture.removals.length > 0, `its removal was not asked for: ${when}`);
  fixture.forget('web');
  await fixture.pass(seconds(30));
  assert.deepEqual([...fixture.fake.containers.keys(), ...fixture.fake.sandboxes.keys()], [], when);
  assert.equal(fixture.mounted.size, 0, when);
  assert.deepEqual((await fixture.files.list('/var/lib/kedge/pods')) ?? [], [], when);
  assert.deepEqual((await fixture.files.list('/var/log/pods')) ?? [], [], when);
}

/** How many calls a pod takes until it is ready, and until it is gone. */
async function countCalls(): Promise<{ up: string[]; down: string[] }> {
  const fixture = new EdgedFixture({ events: true, registry: [pulled] });
  await fixture.start();
  const { calls } = interrupt(fixture, 0, 'before it took effect', () => undefined);
  putWhole(fixture);
  await fixture.pass(minutes(1));
  const up = calls.splice(0);
  fixture.markDeleted('web');
  await fixture.pass(minutes(1));
  await fixture.stop();
  return { up, down: calls };
}

/** One site for each moment, until a pod's life has no more of them. */
async function atEveryCall(
  t: TestContext,
  calls: readonly string[],
  run: (fixture: EdgedFixture, at: number, effect: Effect, when: string) => Promise<void>,
): Promise<void> {
  for (const [n, method] of calls.entries()) {
    for (const effect of effects) {
      const fixture = new EdgedFixture({ events: true, registry: [pulled] });
      await fixture.start();
      try {
        await run(fixture, n + 1, effect, `call ${n + 1}, ${method}, ${effect}`);
        assert.deepEqual(failuresOf(fixture), []);
      } finally {
        fixture.fake.tamper = undefined;
        await fixture.stop();
      }
    }
  }
  t.diagnostic(`${calls.length * effects.length} moments`);
}

/** As kill -9: no call of the one that is killed takes effect any more, and all that it remembered is gone. */
async function untilKilled(
  fixture: EdgedFixture,
  { at, effect, during }: { at: number; effect: Effect; during: () => void },
): Promise<boolean> {
  let isDead = false;
  interrupt(fixture, at, effect, () => void (isDead = true));
  const inner = fixture.fake.tamper;
  fixture.fake.tamper = async (call, work) => {
    const hang = (): Promise<never> =>
      new Promise((_, reject) => {
        const { signal } = call.options;
        const end = (): void =>
          reject(rpcErrors.UNREACHABLE({ method: call.method, address: 'fake', reason: 'killed' }));
        if (signal?.aborted) end();
        else signal?.addEventListener('abort', end, { once: true });
      });
    if (isDead) return hang();
    const answer = await inner?.(call, async () => (isDead ? hang() : work()));
    return isDead ? hang() : answer;
  };
  during();
  await fixture.pass(seconds(10));
  await fixture.stop();
  fixture.fake.tamper = undefined;
  await fixture.start();
  return isDead;
}

describe('a pod that is deleted', () => {
  test('at any call on its way up is gone without a trace', async (t) => {
    const { up } = await countCalls();
    assert.ok(up.length >= 15, `${up.length} calls`);
    await atEveryCall(t, up, async (fixture, at, effect, when) => {
      interrupt(fixture, at, effect, () => fixture.markDeleted('web', 5));
      putWhole(fixture);
      await fixture.pass(seconds(40));
      await assertGone(fixture, when);
      assert.equal(fixture.removals.length, 1, when);
    });
  });

  test('at any call on its way up, and is not in the API any more, is gone as well', async (t) => {
    const { up } = await countCalls();
    await atEveryCall(t, up, async (fixture, at, effect, when) => {
      interrupt(fixture, at, effect, () => fixture.forget('web'));
      putWhole(fixture);
      await fixture.pass(minutes(1));
      assert.deepEqual([...fixture.fake.containers.keys(), ...fixture.fake.sandboxes.keys()], [], when);
      assert.equal(fixture.mounted.size, 0, when);
      assert.deepEqual((await fixture.files.list('/var/lib/kedge/pods')) ?? [], [], when);
      assert.deepEqual((await fixture.files.list('/var/log/pods')) ?? [], [], when);
    });
  });

  const waits: [what: string, prepare: (fixture: EdgedFixture) => Promise<void> | void][] = [
    ['while its image is pulled', (fixture) => void (fixture.fake.pullsHang = true)],
    ['while its image cannot be pulled', (fixture) => void fixture.fake.registry.clear()],
    ['while its runtime refuses sandboxes', (fixture) => fixture.fake.fail('runPodSandbox', 'INTERNAL', 'no', 1_000)],
    ['while its containers cannot be made', (fixture) => fixture.fake.fail('createContainer', 'INTERNAL', 'no', 1_000)],
    ['while its cgroup is refused', (fixture) => void (fixture.cgroupsRefuse = true)],
  ];
  for (const [what, prepare] of waits) {
    test(`${what} is gone without a trace`, async (t) => {
      const fixture = await site(t);
      await prepare(fixture);
      putWhole(fixture);
      await fixture.pass(minutes(2));
      fixture.markDeleted('web', 5);
      await fixture.pass(minutes(1));
      await assertGone(fixture, what);
    });
  }

  test('while a container of it waits to be started again is gone without a trace', async (t) => {
    const fixture = await site(t);
    fixture.put('web', { containers: [{ name: 'main', image, command: ['sh', '-c', 'exit 1'] }] });
    await fixture.pass(minutes(1));
    assert.equal(fixture.state('web'), 'CrashLoopBackOff');
    fixture.markDeleted('web', 5);
    await fixture.pass(minutes(1));
    await assertGone(fixture, 'CrashLoopBackOff');
  });
});

describe('edged that is killed', () => {
  test('at any call on the way up of a pod lets it run, once, when it is back', async (t) => {
    const { up } = await countCalls();
    await atEveryCall(t, up, async (fixture, at, effect, when) => {
      assert.ok(await untilKilled(fixture, { at, effect, during: () => putWhole(fixture) }), when);
      await fixture.pass(seconds(40));
      assertRunsOnce(fixture, when);
    });
  });

  test('at any call on the way down of a pod leaves nothing of it when it is back', async (t) => {
    const { down } = await countCalls();
    assert.ok(down.length >= 6, `${down.length} calls`);
    await atEveryCall(t, down, async (fixture, at, effect, when) => {
      putWhole(fixture);
      await fixture.pass(seconds(10));
      await untilKilled(fixture, { at, effect, during: () => fixture.markDeleted('web', 5) });
      await fixture.pass(seconds(40));
      await assertGone(fixture, when);
    });
  });
});

describe('an image that is broken', () => {
  const refuse = (method: 'createContainer' | 'startContainer', message: string) =>
    rpcErrors.REFUSED({ method, code: 'UNKNOWN', message });

  for (const method of ['createContainer', 'startContainer'] as const) {
    test(`on the node, as ${method} finds out, is said, and used once it is whole`, async (t) => {
      const fixture = await site(t);
      const message = 'content digest sha256:0123: not found';
      fixture.fake.tamper = async (call, work) => {
        if (call.method === method) throw refuse(method, message);
        return work();
      };
      fixture.put('web', {});
      await fixture.pass(minutes(5));
      const waiting = fixture.statuses.get('web')?.containerStatuses?.[0]?.state?.waiting;
      assert.match(waiting?.reason ?? '', /^(CreateContainerError|RunContainerError)$/);
      assert.match(waiting?.message ?? '', /content digest/);
      assert.ok((fixture.fake.calls.get(method) ?? 0) <= 20, `${fixture.fake.calls.get(method)} tries`);
      fixture.fake.tamper = undefined;
      await fixture.pass(minutes(3));
      assert.equal(fixture.state('web'), 'running');
      assert.equal(fixture.fake.containers.size, 1);
    });
  }
});
