// Clock, chance, processes, host facts and log files, against the real machine.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { instant, milliseconds, days } from '@kedge/core/time';
import { createHost } from '@kedge/platform/linux';
import { createProcesses, createRandom, openLogFile, systemClock } from '@kedge/platform/node';
import { temporaryDirectory, withCode } from '@kedge/testing/contracts';

describe('the system clock', () => {
  test('a sleep takes at least as long as asked', async () => {
    const began = systemClock.monotonic();
    await systemClock.sleep('test', milliseconds(5));
    assert.ok(systemClock.monotonic() - began >= 4.9);
  });

  test('a sleep ends with the reason of its signal, also when that had aborted before', async () => {
    const stop = new AbortController();
    const sleeping = systemClock.sleep('test', days(365), stop.signal);
    stop.abort(new Error('wake up'));
    await assert.rejects(sleeping, /wake up/);
    await assert.rejects(systemClock.sleep('test', milliseconds(1), stop.signal), /wake up/);
  });
});

describe('chance', () => {
  test('numbers are at least 0, below 1, and not all the same', () => {
    const random = createRandom();
    const numbers = Array.from({ length: 100 }, () => random.next());
    assert.ok(numbers.every((n) => n >= 0 && n < 1));
    assert.ok(new Set(numbers).size > 90);
  });

  test('a uuid is one of version 4', () => {
    assert.match(createRandom().uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});

describe('processes', () => {
  const processes = createProcesses();
  const shell = (script: string, options?: Parameters<typeof processes.run>[2]) =>
    processes.run('/bin/sh', ['-c', script], options);

  test('code, output and errors come back', async () => {
    assert.deepEqual(await shell('echo out; echo err >&2; exit 3'), { code: 3, stdout: 'out\n', stderr: 'err\n' });
  });

  test('input arrives, and a program that does not read it is fine', async () => {
    assert.equal((await shell('cat', { input: 'grüß' })).stdout, 'grüß');
    assert.equal((await shell('exit 0', { input: 'x'.repeat(1_000_000) })).code, 0);
  });

  test('output is cut at a mebibyte, and the program still ends by itself', async () => {
    const { code, stdout } = await shell('head -c 3000000 /dev/zero; exit 7');
    assert.deepEqual([code, stdout.length], [7, 1024 * 1024]);
  });

  test('a program that is killed has the code a shell would give it', async () => {
    assert.equal((await shell('kill -9 $$')).code, 137);
    assert.equal((await shell('kill -2 $$')).code, 130);
  });

  test('a program that is not there is a typed error', async () => {
    await assert.rejects(processes.run('/no/such/program', []), withCode('FILES_CANNOT_RUN'));
  });

  test('a signal ends the program', async () => {
    const stop = new AbortController();
    const running = processes.run('/bin/sleep', ['1000'], { signal: stop.signal });
    stop.abort(new Error('enough'));
    await assert.rejects(running, /enough/);
  });
});

test('host facts are those of this machine', async () => {
  const facts = await createHost().facts();
  assert.ok(facts.cpus >= 1 && facts.memoryBytes > 0);
  assert.match(facts.architecture, /^(?:amd64|arm64)$/);
  assert.equal(facts.bootId, readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
  assert.ok(facts.addresses.every((address) => !address.startsWith('127.')));
});

describe('log files', () => {
  const record = (sentence: string) => ({
    at: instant(0),
    level: 'info' as const,
    sentence,
    fields: { node: 'edge-1' },
  });

  test('a line is on disk when the call returns', async (t) => {
    const path = join(await temporaryDirectory(t), 'logs', 'edgecore.log');
    const file = openLogFile(path);
    file.write(record('node ready'));
    assert.deepEqual(JSON.parse(readFileSync(path, 'utf8')), {
      time: '1970-01-01T00:00:00.000Z',
      level: 'info',
      say: 'node ready',
      node: 'edge-1',
    });
    file.close();
  });

  test('a file that is full makes room, and two files are all there ever is', async (t) => {
    const path = join(await temporaryDirectory(t), 'edgecore.log');
    const file = openLogFile(path, 1_000);
    for (let n = 0; n < 100; n += 1) file.write(record(`line ${n}`));
    file.close();
    assert.ok(statSync(path).size <= 1_000 && statSync(`${path}.1`).size <= 1_000);
    assert.match(readFileSync(path, 'utf8'), /"line 99"/);
  });
});

test('the first signal asks a daemon to end, the second does not ask', async () => {
  const script = `
    import { onTermination } from '@kedge/platform/node';
    const { signal } = onTermination();
    signal.addEventListener('abort', () => {
      console.log(signal.reason.message);
      process.kill(process.pid, 'SIGTERM');
    });
    setInterval(() => undefined, 1000);
    process.kill(process.pid, 'SIGTERM');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { cwd: import.meta.dirname });
  let said = '';
  child.stdout.on('data', (chunk) => (said += String(chunk)));
  const [code] = (await once(child, 'close')) as [number];
  assert.deepEqual([said.trim(), code], ['received SIGTERM', 143]);
});
