// Samples outlive the mapper: whatever is killed, goes away and comes back, each arrives, in order, and twice only when it says so.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { array, assert as check, asyncProperty, constant, integer, oneof, record } from 'fast-check';
import { silentLog } from '@kedge/core/log';
import { createMetrics } from '@kedge/core/metrics';
import type { Database } from '@kedge/core/ports';
import { FakeClock } from '@kedge/core/testing';
import { milliseconds, seconds } from '@kedge/core/time';
import { openDatabase } from '@kedge/platform/sqlite';
import type { DeviceManager } from '@kedge/wire/dmi';
import { rpcErrors } from '@kedge/wire/rpc';
import { ReportQueue } from '../src/mapper-sdk/report-queue.ts';
import { sampleMigrations, SampleStore } from '../src/mapper-sdk/sample-store.ts';

type Report = Parameters<DeviceManager['reportDeviceStatus']>[0];

const unreachable = rpcErrors.UNREACHABLE({ method: 'm', address: 'a', reason: 'gone' });
const device = { namespace: 'default', name: 'd' };

/** An edgecore, a disk, and one mapper after the other. */
function place(when: 'late' | 'always' | 'exact') {
  const clock = new FakeClock({ settle: () => new Promise((resolve) => setImmediate(resolve)) });
  const disk = openDatabase({ path: ':memory:', migrations: sampleMigrations, durability: 'normal' });
  const arrived: { value: number; duplicate: boolean }[] = [];
  const edgecore = { isAway: false, losesAnswers: false, isFull: false, takesMs: 0, takes: Number.POSITIVE_INFINITY };
  const enough = Promise.withResolvers<void>();
  let opened = 0;
  let commits = 0;

  function life() {
    let isDead = false;
    const orDead = <T>(work: () => T): T => {
      if (isDead) throw new Error('the process is dead');
      if (edgecore.isFull) throw new Error('the disk is full');
      return work();
    };
    const mine: Database = {
      path: disk.path,
      statement: (sql) => orDead(() => disk.statement(sql)),
      write: (work) => orDead(() => disk.write(work)),
      writeNow: (work) =>
        orDead(() => {
          commits += 1;
          return disk.writeNow(work);
        }),
      backupTo: (path) => disk.backupTo(path),
      close: async () => undefined,
    };
    const manager = {
      async reportDeviceStatus({ reportedDevice }: Report) {
        if (edgecore.takesMs > 0) await clock.sleep('edgecore', milliseconds(edgecore.takesMs));
        if (edgecore.takes === 0) enough.resolve();
        if (isDead || edgecore.isAway || edgecore.takes === 0) throw unreachable;
        edgecore.takes -= 1;
        for (const { reported } of reportedDevice!.twins!) {
          arrived.push({ value: Number(reported!.value), duplicate: reported!.metadata!['duplicate'] === 'true' });
        }
        if (edgecore.losesAnswers) throw unreachable;
        return {};
      },
    } as unknown as DeviceManager;
    const metrics = createMetrics();
    const queue = new ReportQueue({
      clock,
      log: silentLog,
      metrics,
      random: () => 0,
      manager,
      keep: {
        when,
        isThere: opened > 0,
        async open() {
          opened += 1;
          return new SampleStore(mine);
        },
      },
      onBack: () => undefined,
    });
    const stop = new AbortController();
    const running = queue.run(stop.signal);
    return {
      queue,
      metrics,
      isDead: () => isDead,
      kill() {
        isDead = true;
        stop.abort(new Error('killed'));
        return running;
      },
      end() {
        stop.abort(new Error('asked to end'));
        return running;
      },
    };
  }
  const rows = (): number => disk.statement<{ n: number }>('SELECT count(*) AS n FROM samples').get()!.n;
  const close = (): Promise<void> => disk.close();
  return {
    clock,
    arrived,
    edgecore,
    enough: enough.promise,
    life,
    rows,
    close,
    openings: () => opened,
    commits: () => commits,
  };
}

const sampleOf = (value: number) => ({
  property: 'p',
  value: String(value),
  observedDesired: '',
  type: 'int',
  at: value,
});

/** In order once repetitions that say so are left out; each in `all` is there, and nothing else. */
function assertAll(arrived: readonly { value: number; duplicate: boolean }[], all: readonly number[]): void {
  const firsts: number[] = [];
  const seen = new Set<number>();
  for (const { value, duplicate } of arrived) {
    if (seen.has(value)) assert.ok(duplicate, `${value} came twice and does not say so`);
    else firsts.push(value);
    seen.add(value);
  }
  assert.deepEqual(firsts, all);
}

describe('samples on disk', () => {
  for (const when of ['always', 'late'] as const) {
    test(`${when}: none is lost, whatever happens in whatever order`, async () => {
      const action = oneof(
        record({ do: constant('add' as const), count: integer({ min: 1, max: 2_500 }) }),
        record({ do: constant('wait' as const), ms: integer({ min: 1, max: 3_000 }) }),
        constant({ do: 'kill' } as const),
        constant({ do: 'restart' } as const),
        constant({ do: 'away' } as const),
        constant({ do: 'back' } as const),
        constant({ do: 'forgetful' } as const),
      );
      await check(
        asyncProperty(array(action, { maxLength: 25 }), async (actions) => {
          const { clock, arrived, edgecore, life, rows, close } = place(when);
          let mapper = life();
          await clock.advance(milliseconds(1));
          let count = 0;
          for (const one of actions) {
            switch (one.do) {
              case 'add':
                for (let n = 0; n < one.count; n++) void mapper.queue.add(device, [sampleOf((count += 1))]);
                // Half a second may be lost when only what is late is kept.
                if (when === 'late') await clock.advance(milliseconds(1_100));
                break;
              case 'wait':
                await clock.advance(milliseconds(one.ms));
                break;
              case 'kill':
              case 'restart':
                await (one.do === 'kill' ? mapper.kill() : mapper.end());
                mapper = life();
                await clock.advance(milliseconds(1));
                break;
              case 'away':
              case 'back':
                Object.assign(edgecore, { isAway: one.do === 'away', losesAnswers: false });
                break;
              case 'forgetful':
                Object.assign(edgecore, { isAway: false, losesAnswers: true });
            }
          }
          Object.assign(edgecore, { isAway: false, losesAnswers: false });
          await clock.advance(seconds(30));
          assertAll(
            arrived,
            Array.from({ length: count }, (_, n) => n + 1),
          );
          assert.equal(rows(), 0);
          await mapper.end();
          await close();
        }),
        { numRuns: 20 },
      );
    });
  }

  test('exact: none that was handed over is lost, and each commit is shared', async () => {
    const action = oneof(
      record({ do: constant('add' as const), count: integer({ min: 1, max: 60 }) }),
      record({ do: constant('burst' as const), count: integer({ min: 1, max: 2_500 }) }),
      record({ do: constant('wait' as const), ms: integer({ min: 1, max: 300 }) }),
      constant({ do: 'kill' } as const),
      constant({ do: 'restart' } as const),
      constant({ do: 'away' } as const),
      constant({ do: 'back' } as const),
      constant({ do: 'slow' } as const),
      constant({ do: 'forgetful' } as const),
    );
    await check(
      asyncProperty(array(action, { maxLength: 30 }), async (actions) => {
        const { clock, arrived, edgecore, life, rows, close } = place('exact');
        let mapper = life();
        await clock.advance(milliseconds(1));
        let count = 0;
        const handedOver = new Set<number>();
        const add = (): void => {
          const value = (count += 1);
          const { queue, isDead } = mapper;
          void queue.add(device, [sampleOf(value)])!.then(() => isDead() || handedOver.add(value));
        };
        const mood = { isAway: false, losesAnswers: false, takesMs: 0 };
        for (const one of actions) {
          switch (one.do) {
            case 'add':
              for (let n = 0; n < one.count; n++) {
                add();
                await clock.advance(milliseconds(3));
              }
              break;
            case 'burst':
              for (let n = 0; n < one.count; n++) add();
              break;
            case 'wait':
              await clock.advance(milliseconds(one.ms));
              break;
            case 'kill':
            case 'restart':
              await Promise.all([one.do === 'kill' ? mapper.kill() : mapper.end(), clock.advance(milliseconds(200))]);
              mapper = life();
              await clock.advance(milliseconds(1));
              break;
            case 'away':
              Object.assign(edgecore, { ...mood, isAway: true });
              break;
            case 'back':
              Object.assign(edgecore, mood);
              break;
            case 'slow':
              Object.assign(edgecore, { ...mood, takesMs: 80 });
              break;
            case 'forgetful':
              Object.assign(edgecore, { ...mood, losesAnswers: true });
          }
        }
        Object.assign(edgecore, mood);
        await clock.advance(seconds(120));
        const seen = new Set<number>();
        let newest = 0;
        for (const { value, duplicate } of arrived) {
          if (seen.has(value)) assert.ok(duplicate, `${value} came twice and does not say so`);
          else assert.ok(value > newest, `${value} came after ${newest}`);
          newest = Math.max(newest, value);
          seen.add(value);
        }
        assert.deepEqual(
          [...handedOver].filter((value) => !seen.has(value)),
          [],
        );
        assert.equal(rows(), 0);
        await mapper.end();
        await close();
      }),
      { numRuns: 30 },
    );
  });

  test('exact: nothing touches the disk while edgecore takes what comes, and 20 commits a second are the most', async () => {
    const { clock, edgecore, life, openings, commits, arrived, rows } = place('exact');
    const mapper = life();
    const handedOver: number[] = [];
    const add = (value: number): void =>
      void mapper.queue.add(device, [sampleOf(value)])!.then(() => handedOver.push(value));
    for (let n = 1; n <= 50; n++) {
      add(n);
      await clock.advance(milliseconds(20));
    }
    assert.deepEqual([arrived.length, handedOver.length, openings()], [50, 50, 0]);
    edgecore.isAway = true;
    add(51);
    assert.equal(handedOver.length, 50);
    await clock.advance(milliseconds(60));
    assert.deepEqual([handedOver.length, rows()], [51, 1]);
    const before = commits();
    for (let n = 52; n <= 1_051; n++) {
      add(n);
      await clock.advance(milliseconds(1));
    }
    assert.ok(commits() - before <= 21, `${commits() - before} commits`);
    await clock.advance(milliseconds(60));
    assert.equal(handedOver.length, 1_051);
    edgecore.isAway = false;
    const full = commits();
    await clock.advance(seconds(10));
    // What is delivered leaves 16 reports at a time.
    assert.ok(commits() - full <= 1_001 / 16 + 3, `${commits() - full} commits`);
    assertAll(
      arrived,
      Array.from({ length: 1_051 }, (_, n) => n + 1),
    );
    // Open for a while, and closed when nothing more is late.
    assert.equal(openings(), 1);
    await clock.advance(seconds(60));
    edgecore.isAway = true;
    add(1_052);
    await clock.advance(seconds(1));
    assert.equal(openings(), 2);
    await mapper.end();
  });

  test('exact: what a kill leaves on disk although it was delivered says so when it comes again', async () => {
    const { clock, arrived, edgecore, enough, life, rows } = place('exact');
    edgecore.isAway = true;
    const first = life();
    for (let n = 1; n <= 40; n++) void first.queue.add(device, [sampleOf(n)]);
    await clock.advance(milliseconds(60));
    Object.assign(edgecore, { isAway: false, takes: 26 });
    await clock.until(enough);
    assert.deepEqual([arrived.length, rows()], [26, 24]);
    await first.kill();
    edgecore.takes = Number.POSITIVE_INFINITY;
    const next = life();
    await clock.advance(seconds(30));
    assertAll(
      arrived,
      Array.from({ length: 40 }, (_, n) => n + 1),
    );
    await next.end();
  });

  test('exact: a disk that fails holds nobody up', async () => {
    const { clock, edgecore, life } = place('exact');
    const mapper = life();
    edgecore.isAway = true;
    edgecore.isFull = true;
    const handedOver = mapper.queue.add(device, [sampleOf(1)]);
    await clock.until(handedOver!);
    assert.equal(mapper.queue.add(device, [sampleOf(2)]), undefined);
    assert.equal(mapper.queue.size, 2);
    await mapper.end();
  });

  test('late: nothing touches the disk while edgecore takes what comes', async () => {
    const { clock, life, openings, arrived } = place('late');
    const mapper = life();
    for (let n = 1; n <= 50; n++) {
      void mapper.queue.add(device, [sampleOf(n)]);
      await clock.advance(milliseconds(100));
    }
    assert.deepEqual([arrived.length, openings()], [50, 0]);
    await mapper.end();
  });

  test('memory holds little of what waits, and a mapper that is asked to end leaves the rest on disk', async () => {
    const { clock, edgecore, life, rows, arrived } = place('late');
    edgecore.isAway = true;
    const mapper = life();
    for (let n = 1; n <= 20_000; n++) {
      void mapper.queue.add(device, [sampleOf(n)]);
      if (n === 5_000) await clock.advance(seconds(1));
    }
    await clock.advance(seconds(5));
    assert.deepEqual([mapper.queue.size, rows()], [20_000, 20_000]);
    await mapper.end();
    edgecore.isAway = false;
    const next = life();
    await clock.advance(seconds(30));
    assertAll(
      arrived,
      Array.from({ length: 20_000 }, (_, n) => n + 1),
    );
    await next.end();
  });

  test('a disk that fails costs no sample of a mapper that lives', async () => {
    const { clock, edgecore, life, arrived } = place('always');
    const mapper = life();
    await clock.advance(milliseconds(1));
    edgecore.isAway = true;
    for (let n = 1; n <= 10; n++) void mapper.queue.add(device, [sampleOf(n)]);
    edgecore.isFull = true;
    for (let n = 11; n <= 20; n++) void mapper.queue.add(device, [sampleOf(n)]);
    await clock.advance(seconds(3));
    edgecore.isAway = false;
    await clock.advance(seconds(10));
    assertAll(
      arrived,
      Array.from({ length: 20 }, (_, n) => n + 1),
    );
    await mapper.end();
  });

  test('a device that is gone leaves nothing behind; too much of one goes from the oldest on', async () => {
    const { clock, edgecore, life, rows } = place('always');
    edgecore.isAway = true;
    const mapper = life();
    await clock.advance(milliseconds(1));
    const many = Array.from({ length: 50_010 }, (_, n) => sampleOf(n));
    void mapper.queue.add(device, many);
    void mapper.queue.add(device, many);
    assert.match(mapper.metrics.format(), /outcome="overflow"\} 20/);
    assert.equal(rows(), 100_000);
    mapper.queue.forget(device);
    assert.deepEqual([rows(), mapper.queue.size], [0, 0]);
    await mapper.end();
  });

  test('where the disk is full, the device that has most gives way, and not the one that says something', async () => {
    const { clock, arrived, edgecore, life } = place('always');
    edgecore.isAway = true;
    const mapper = life();
    await clock.advance(milliseconds(1));
    const large = 'x'.repeat(4_096);
    const talker = { namespace: 'default', name: 'talker' };
    void mapper.queue.add(device, [sampleOf(1)]);
    for (let n = 0; n < 16; n++) {
      void mapper.queue.add(
        talker,
        Array.from({ length: 1_000 }, (_, at) => ({ ...sampleOf(at), value: large })),
      );
    }
    assert.doesNotMatch(mapper.metrics.format(), /overflow/);
    void mapper.queue.add(device, [{ ...sampleOf(2), observedDesired: 'x'.repeat(500_000) }]);
    assert.match(mapper.metrics.format(), /outcome="overflow"\} 1000\n/);
    assert.equal(mapper.queue.size, 15_002);
    edgecore.isAway = false;
    await clock.advance(seconds(60));
    assert.equal(mapper.queue.size, 0);
    assertAll(
      arrived.filter(({ value }) => !Number.isNaN(value)),
      [1, 2],
    );
    await mapper.end();
  });
});
