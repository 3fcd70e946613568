// The small parts of the site supervisor: names and ports, process files, waiting, options.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { readUpOptions } from '../src/commands/up.ts';
import { startChild } from '../src/site/child.ts';
import { siteLayout, sitePorts } from '../src/site/layout.ts';
import { liveProcesses, processStartTime, stopProcess, writePidFile } from '../src/site/pid-files.ts';
import { readSiteState, writeSiteState } from '../src/site/site-state.ts';
import { waitFor } from '../src/site/wait-for.ts';

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'kedge-site-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

const signal = new AbortController().signal;

describe('a site', () => {
  it('has upstream ports at the default base, and moves all of them with another', () => {
    const { hub, hubHttps } = sitePorts(10_000);
    assert.deepEqual([hub, hubHttps], [10_000, 10_002]);
    const moved = Object.values(sitePorts(30_000));
    assert.ok(moved.every((port) => port >= 30_000 && port < 31_000));
    assert.equal(new Set(moved).size, moved.length);
  });

  it('keeps everything below its data directory', () => {
    const { data, ...rest } = siteLayout('/srv/site');
    assert.equal(data, '/srv/site');
    const paths = JSON.stringify(rest).match(/"\/[^"]*"/g) ?? [];
    assert.ok(paths.length >= 8);
    for (const path of paths) assert.match(path, /^"\/srv\/site\//);
  });

  it('remembers its state, and has none before its first start', async (t) => {
    const layout = siteLayout(await folder(t));
    assert.equal(await readSiteState(layout), undefined);
    const state = { phase: 'ready', say: 'ready', node: 'n', portBase: 1, sampleApplied: true } as const;
    await writeSiteState(layout, state);
    const { at, ...kept } = (await readSiteState(layout))!;
    assert.deepEqual(kept, state);
    assert.ok(at > 0);
  });
});

describe('options of up', () => {
  it('have defaults', () => {
    assert.deepEqual(readUpOptions({}), {
      data: './.kedge',
      detach: false,
      node: undefined,
      portBase: undefined,
      encryption: undefined,
      devices: true,
    });
    assert.equal(readUpOptions({ 'no-devices': true }).devices, false);
  });

  for (const [values, complaint] of [
    [{ node: 'Edge_1' }, /node name is lower case/],
    [{ node: '-edge' }, /node name is lower case/],
    [{ 'port-base': '80' }, /1024 to 64000/],
    [{ 'port-base': 'many' }, /1024 to 64000/],
    [{ 'port-base': '65000' }, /1024 to 64000/],
  ] as const) {
    it(`refuse ${JSON.stringify(values)}`, () => assert.throws(() => readUpOptions(values), complaint));
  }
});

describe('process files', () => {
  it('name the living and forget the dead and those whose id went to another process', async (t) => {
    const directory = await folder(t);
    const child = spawn('sleep', ['60']);
    t.after(() => child.kill('SIGKILL'));
    await writePidFile(directory, 'ours', child.pid!);
    await writeFile(join(directory, 'recycled.pid'), `${child.pid} 1\n`);
    await writeFile(join(directory, 'gone.pid'), '4194300 12345\n');
    assert.deepEqual(
      (await liveProcesses(directory)).map(({ name, pid }) => [name, pid]),
      [['ours', child.pid]],
    );
    assert.deepEqual(await readdir(directory), ['ours.pid']);
  });

  it('let a process be stopped that does not want to', async (t) => {
    const child = spawn('sh', ['-c', 'trap "" TERM; echo ready; while :; do sleep 0.05; done'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    t.after(() => child.kill('SIGKILL'));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const known = { name: 'stubborn', pid: child.pid!, startTime: processStartTime(child.pid!)! };
    await stopProcess(known, 50);
    assert.equal(processStartTime(known.pid), undefined);
  });
});

describe('a child', () => {
  it('is started again when it ends, and not when it was stopped', async (t) => {
    const directory = await folder(t);
    const ends: string[] = [];
    const child = startChild({
      name: 'short',
      command: 'sh',
      args: ['-c', 'echo here; exit 3'],
      logDirectory: directory,
      pidDirectory: directory,
      onRestart: (name, why) => ends.push(`${name}: ${why}`),
      onTrouble: assert.fail,
    });
    await waitFor(async () => child.restarts >= 2 || undefined, {
      what: 'two ends',
      limitMs: 10_000,
      everyMs: 20,
      signal,
    });
    await child.stop(1_000);
    assert.equal(ends[0], 'short: exit code 3');
    assert.match(await readFile(join(directory, 'short.log'), 'utf8'), /^here\nhere\n/);
    assert.equal(child.lastWords(), 'here');
    assert.deepEqual(
      (await readdir(directory)).filter((name) => name.endsWith('.pid')),
      [],
    );
  });

  it('whose program does not exist is reported, not thrown', async (t) => {
    const directory = await folder(t);
    const ends: string[] = [];
    const child = startChild({
      name: 'missing',
      command: join(directory, 'nothing'),
      args: [],
      logDirectory: directory,
      pidDirectory: directory,
      onRestart: (_, why) => ends.push(why),
      onTrouble: assert.fail,
    });
    await waitFor(async () => ends[0], { what: 'the report', limitMs: 5_000, everyMs: 10, signal });
    await child.stop(100);
    assert.match(ends[0]!, /ENOENT/);
  });
});

describe('waiting', () => {
  it('ends with the first value, and says what never came and why', async () => {
    let looks = 0;
    const value = await waitFor(async () => (++looks === 3 ? 'there' : undefined), {
      what: 'it',
      limitMs: 5_000,
      everyMs: 1,
      signal,
    });
    assert.equal(value, 'there');
    const fails = waitFor(() => Promise.reject(new Error('no route')), {
      what: 'the hub',
      limitMs: 20,
      everyMs: 1,
      signal,
    });
    await assert.rejects(fails, /the hub did not happen within 0 s: no route/);
  });

  it('ends at once when there is no hope or when it is called off', async () => {
    const options = { what: 'it', limitMs: 60_000, everyMs: 1, signal };
    await assert.rejects(
      waitFor(async () => undefined, { ...options, hopeless: () => 'it is dead' }),
      /it: it is dead/,
    );
    const stop = new AbortController();
    stop.abort(new Error('called off'));
    await assert.rejects(
      waitFor(async () => undefined, { ...options, signal: stop.signal }),
      /called off/,
    );
  });
});
