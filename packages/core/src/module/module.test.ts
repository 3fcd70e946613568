// Hosts: modules start in order, stop in reverse, and leave nothing behind.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Scope, whenAborted } from '@kedge/core/flow';
import { createLog, type LogRecord } from '@kedge/core/log';
import { createHost, hostErrors, type Module } from '@kedge/core/module';
import { FakeClock } from '@kedge/core/testing';
import { seconds } from '@kedge/core/time';

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const never = new AbortController().signal;

function place() {
  const clock = new FakeClock({ settle });
  const logged: LogRecord[] = [];
  const log = createLog({ now: () => clock.now(), level: 'warn', write: (record) => logged.push(record) });
  const seen: string[] = [];
  /** A module that says what happens to it. */
  const module = (name: string, start: (scope: Scope) => Promise<void> = async () => undefined): Module => ({
    name,
    async start(scope) {
      seen.push(`${name} starting`);
      scope.defer('port', () => void seen.push(`${name} away`));
      await start(scope);
      seen.push(`${name} ready`);
    },
    drain: async () => void seen.push(`${name} drained`),
  });
  return { clock, logged, seen, module, host: createHost({ clock, log, grace: seconds(5) }) };
}

describe('a host', () => {
  test('starts modules one after the other, and stops them the other way round', async () => {
    const { host, module, seen } = place();
    await host.start([module('store', settle), module('hub')], never);
    assert.deepEqual(seen.splice(0), ['store starting', 'store ready', 'hub starting', 'hub ready']);
    assert.deepEqual(await host.stop(), []);
    assert.deepEqual(seen, ['hub drained', 'hub away', 'store drained', 'store away']);
  });

  test('puts everything away again when one module cannot start', async () => {
    const { host, module, seen } = place();
    const broken = module('hub', () => Promise.reject(new Error('port taken')));
    await assert.rejects(host.start([module('store'), broken, module('never')], never), /port taken/);
    assert.deepEqual(seen.slice(2), ['hub starting', 'hub drained', 'hub away', 'store drained', 'store away']);
  });

  test('a task that fails while its module starts fails the start', async () => {
    const { host, module, seen } = place();
    const broken = module('hub', (scope) => {
      scope.spawn('accept', () => Promise.reject(new Error('socket gone')));
      return new Promise(() => undefined);
    });
    await assert.rejects(host.start([broken], never), /socket gone/);
    assert.deepEqual(seen, ['hub starting', 'hub drained', 'hub away']);
  });

  test('gives a start up when it is told to', async () => {
    const { host, module, seen } = place();
    const stop = new AbortController();
    const starting = host.start([module('store'), module('hub', (scope) => whenAborted(scope.signal))], stop.signal);
    await settle();
    stop.abort(new Error('received SIGTERM'));
    await assert.rejects(starting, /received SIGTERM/);
    assert.ok(seen.includes('hub away') && seen.includes('store away'));
  });

  test('says which module failed later, and why, once', async () => {
    const { host, module, logged } = place();
    const failing = Promise.withResolvers<void>();
    await host.start(
      [module('store'), module('hub', async (scope) => scope.spawn('task', () => failing.promise))],
      never,
    );
    failing.reject(new Error('lost it'));
    const { module: name, error } = await host.failed;
    assert.deepEqual([name, error.message], ['hub', 'lost it']);
    assert.deepEqual(
      logged.map(({ sentence }) => sentence),
      ['module failed'],
    );
    await host.stop();
  });

  test('names what does not end in time, and stops the rest', async () => {
    const { clock, host, logged, module, seen } = place();
    const stubborn: Module = {
      name: 'hub',
      start: async (scope) => scope.spawn('sessions', () => new Promise(() => undefined)),
      drain: () => new Promise(() => undefined),
    };
    await host.start([module('store'), stubborn], never);
    assert.deepEqual(await clock.until(host.stop()), ['hub: drain did not end in time', 'hub: sessions']);
    assert.ok(seen.includes('store away'));
    assert.equal(clock.monotonic(), seconds(10));
    assert.equal(logged.length, 1);
  });

  test('a drain that fails does not keep the rest from stopping', async () => {
    const { host, module, seen } = place();
    const broken = { ...module('hub'), drain: () => Promise.reject(new Error('no way')) };
    await host.start([module('store'), broken], never);
    assert.deepEqual(await host.stop(), ['hub: drain: no way']);
    assert.ok(seen.includes('store away'));
  });

  test('stopped in the middle of a start, it starts nothing more', async () => {
    const { host, module, seen } = place();
    const gate = Promise.withResolvers<void>();
    const starting = host.start([module('store', () => gate.promise), module('hub')], never);
    await settle();
    await host.stop();
    gate.resolve();
    await assert.rejects(starting, hostErrors.STOPPED.is);
    assert.deepEqual(
      seen.filter((what) => what.startsWith('hub')),
      [],
    );
    await assert.rejects(host.start([module('late')], never), hostErrors.STOPPED.is);
  });
});
