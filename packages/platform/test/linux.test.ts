// The machine: facts out of /proc, mounts, cgroups and probes, on this kernel where root is allowed to.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { createCgroups, createHost, createMounts, createProbeNetwork } from '@kedge/platform/linux';
import { createProcesses } from '@kedge/platform/node';
import { temporaryDirectory, withCode } from '@kedge/testing/contracts';
import { defaultInterface, isReadOnly, parseCpuTime, parseOsRelease, parseVictims } from '../src/linux/host.ts';
import { parseMountPoints } from '../src/linux/mounts.ts';

const needsRoot = { skip: process.getuid?.() === 0 ? false : 'needs root' };

describe('texts of the kernel and of distributions', () => {
  test('the name of the system, with and without quotes', () => {
    assert.equal(
      parseOsRelease('ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'),
      'Debian GNU/Linux 12 (bookworm)',
    );
    assert.equal(parseOsRelease('PRETTY_NAME=Void'), 'Void');
    assert.equal(parseOsRelease(''), 'Linux');
  });

  test('the default route with the smallest metric names the interface', () => {
    const row = (...columns: string[]) => columns.join('\t');
    const table = [
      row('Iface', 'Destination', 'Gateway', 'Flags', 'RefCnt', 'Use', 'Metric', 'Mask'),
      row('cni0', '0000580A', '00000000', '0001', '0', '0', '0', '00FFFFFF'),
      row('wlan0', '00000000', '0101A8C0', '0003', '0', '0', '600', '00000000'),
      row('eth0', '00000000', '010200C0', '0003', '0', '0', '100', '00000000'),
    ].join('\n');
    assert.equal(defaultInterface(table), 'eth0');
    assert.equal(defaultInterface(''), undefined);
  });

  test('mount points below a path, deepest first, with blanks as they are', () => {
    const table = [
      '21 1 0:20 / / rw - ext4 /dev/vda rw',
      '22 21 0:21 / /pods rw - tmpfs tmpfs rw',
      String.raw`23 22 0:22 / /pods/a\040b rw - tmpfs tmpfs rw`,
      '24 21 0:23 / /pods-other rw - tmpfs tmpfs rw',
    ].join('\n');
    assert.deepEqual(parseMountPoints(table, '/pods'), ['/pods/a b', '/pods']);
  });
});

test('processor time is what was not idle, of all processors together', () => {
  const table = ['cpu  100 20 30 4000 500 6 7 8 9 10', 'cpu0 100 20 30 4000 500 6 7 8 9 10', 'btime 1700000000'].join(
    '\n',
  );
  assert.deepEqual(parseCpuTime(table), { busySeconds: 1.71, bootedAt: 1_700_000_000_000 });
});

test('this machine has booted in the past and has worked since', async () => {
  const { busySeconds, bootedAt } = await createHost().cpuTime();
  assert.ok(busySeconds > 0 && bootedAt > 0 && bootedAt < Date.now());
});

test('the load of this machine is within its limits', async () => {
  const load = await createHost().load();
  assert.ok(load.availableMemoryBytes > 0 && load.processes > 0 && load.processes <= load.maxProcesses);
});

test('memory is mounted once and unmounted once, however often one asks', needsRoot, async (t) => {
  const mounts = createMounts(createProcesses());
  const path = join(await temporaryDirectory(t), 'volume');
  mkdirSync(path);
  t.after(() => mounts.unmount(path));
  await mounts.mountMemory(path, { sizeBytes: 1024 * 1024 });
  await mounts.mountMemory(path, {});
  assert.deepEqual(await mounts.below(path), [path]);
  assert.throws(() => writeFileSync(join(path, 'large'), new Uint8Array(2 * 1024 * 1024)), /ENOSPC/);
  await mounts.unmount(path);
  await mounts.unmount(path);
  assert.deepEqual(await mounts.below(path), []);
});

test('what cannot be mounted is a typed error', needsRoot, async (t) => {
  const mounts = createMounts(createProcesses());
  const path = join(await temporaryDirectory(t), 'nothing');
  await assert.rejects(mounts.mountMemory(path, {}), withCode('MOUNT_FAILED'));
});

/** Only systemd's cgroups need a program. */
const noProcesses = { run: () => Promise.reject(new Error('no program is run')) };

describe('cgroups', () => {
  const limits = { cpuShares: 512, cpuQuota: 50_000, memoryBytes: 64 * 1_024 ** 2, processes: 100 };

  test('are limited in each hierarchy of version 1 that there is', async (t) => {
    const root = await temporaryDirectory(t);
    for (const controller of ['cpu', 'memory']) mkdirSync(join(root, controller));
    await createCgroups(noProcesses, root).set('/kubepods/pod1', limits);
    const read = (path: string): string => readFileSync(join(root, path), 'utf8');
    assert.equal(read('cpu/kubepods/pod1/cpu.shares'), '512');
    assert.equal(read('cpu/kubepods/pod1/cpu.cfs_quota_us'), '50000');
    assert.equal(read('memory/kubepods/pod1/memory.limit_in_bytes'), '67108864');
    assert.equal(existsSync(join(root, 'pids')), false);
  });

  test('are limited in the one hierarchy of version 2, where every cgroup above passes its controllers on', async (t) => {
    const root = await temporaryDirectory(t);
    writeFileSync(join(root, 'cgroup.controllers'), 'cpuset cpu io memory pids\n');
    await createCgroups(noProcesses, root).set('/kubepods/burstable/pod1', { ...limits, cpuQuota: -1 });
    const read = (path: string): string => readFileSync(join(root, path), 'utf8');
    for (const above of ['', 'kubepods', 'kubepods/burstable']) {
      assert.match(read(join(above, 'cgroup.subtree_control')), /\+cpu \+memory \+pids/);
    }
    assert.equal(read('kubepods/burstable/pod1/cpu.weight'), '20');
    assert.equal(read('kubepods/burstable/pod1/cpu.max'), 'max 100000');
    assert.equal(read('kubepods/burstable/pod1/memory.max'), '67108864');
    assert.equal(read('kubepods/burstable/pod1/pids.max'), '100');
  });

  test('of systemd are limited through it', async () => {
    const ran: string[] = [];
    const run = async (command: string, args: readonly string[]) => {
      ran.push([command, ...args].join(' '));
      return { code: 0, stdout: '', stderr: '' };
    };
    await createCgroups({ run }, '/nowhere').set('kubepods-pod1.slice', limits);
    assert.deepEqual(ran, [
      'systemctl set-property --runtime kubepods-pod1.slice CPUWeight=20 CPUQuota=50% MemoryMax=67108864 TasksMax=100',
    ]);
  });

  test('that cannot be limited are a typed error', async (t) => {
    const root = await temporaryDirectory(t);
    writeFileSync(join(root, 'cgroup.controllers'), 'cpu memory');
    writeFileSync(join(root, 'kubepods'), 'in the way');
    await assert.rejects(createCgroups(noProcesses, root).set('/kubepods/pod1', limits), withCode('CGROUP_REFUSED'));
  });

  test('of a pod are removed in every hierarchy, with everything below', async (t) => {
    const root = await temporaryDirectory(t);
    for (const path of ['cpu/kubepods/pod1/container', 'memory/kubepods/pod1', 'memory/kubepods/pod2']) {
      mkdirSync(join(root, path), { recursive: true });
    }
    assert.equal(await createCgroups(noProcesses, root).remove('/kubepods/pod1'), true);
    assert.equal(existsSync(join(root, 'cpu/kubepods/pod1')), false);
    assert.equal(existsSync(join(root, 'memory/kubepods/pod1')), false);
    assert.equal(existsSync(join(root, 'memory/kubepods/pod2')), true);
    assert.equal(await createCgroups(noProcesses, root).remove('/kubepods/pod1'), true);
  });

  test('that are still in use stay, and that is said', async (t) => {
    const root = await temporaryDirectory(t);
    mkdirSync(join(root, 'cpu/kubepods/pod1'), { recursive: true });
    writeFileSync(join(root, 'cpu/kubepods/pod1/busy'), '');
    assert.equal(await createCgroups(noProcesses, root).remove('/kubepods/pod1'), false);
  });

  for (const path of ['', '/', '//', 'kubepods', '/kubepods/../system.slice']) {
    test(`"${path}" is not taken for one of a pod`, async (t) => {
      await assert.rejects(
        createCgroups(noProcesses, await temporaryDirectory(t)).remove(path),
        /not a cgroup of pods/,
      );
    });
  }
});

describe('probes', () => {
  const network = createProbeNetwork();
  const never = new AbortController().signal;

  async function serve(t: TestContext, handler: http.RequestListener): Promise<{ host: string; port: number }> {
    const server = http.createServer(handler);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  }

  test('a GET has its headers, and its answer is cut', async (t) => {
    const at = await serve(t, (request, response) => {
      response.statusCode = request.headers['x-probe'] === 'yes' ? 503 : 200;
      response.end('x'.repeat(50_000));
    });
    const answer = await network.get({ scheme: 'http', ...at, path: 'healthz', headers: [['x-probe', 'yes']] }, never);
    assert.equal(answer.status, 503);
    assert.ok(answer.body.length <= 10 * 1_024);
  });

  test('a GET follows no redirect but tells of it, and sends a header as often as it is given', async (t) => {
    const seen: (string | undefined)[][] = [];
    const at = await serve(t, ({ url, headers }, response) => {
      seen.push([url, headers['user-agent'], headers['x-twice'] as string]);
      response.writeHead(302, { location: '/elsewhere' }).end();
    });
    const headers = [
      ['User-Agent', 'mine'],
      ['X-Twice', 'a'],
      ['x-twice', 'b'],
    ] as const;
    const { status, location } = await network.get({ scheme: 'http', ...at, path: '/', headers }, never);
    assert.deepEqual([status, location], [302, '/elsewhere']);
    assert.deepEqual(seen, [['/', 'mine', 'a, b']]);
  });

  test('a connection that stands is well; one that is refused is not', async (t) => {
    const at = await serve(t, () => undefined);
    await network.connect(at, never);
    await assert.rejects(network.connect({ host: '127.0.0.1', port: 1 }, never));
  });

  test('a probe ends when its time is up', async (t) => {
    const at = await serve(t, () => undefined);
    const stop = new AbortController();
    const asking = network.get({ scheme: 'http', ...at, path: '/', headers: [] }, stop.signal);
    stop.abort(new Error('time is up'));
    await assert.rejects(asking);
    await assert.rejects(network.connect(at, stop.signal));
  });
});

describe('what the kernel says', () => {
  test('of its victims is told once, and not of those for the sake of a cgroup', () => {
    const record = (sequence: number, constraint: string, task: string, pid: number): string =>
      `6,${sequence},123456,-;oom-kill:constraint=${constraint},nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/x,task=${task},pid=${pid},uid=0`;
    const log = [
      '6,1,100,-;Linux version 6.1',
      record(7, 'CONSTRAINT_NONE', 'old', 10),
      record(8, 'CONSTRAINT_MEMCG', 'own fault', 11),
      record(9, 'CONSTRAINT_NONE', 'stress', 12),
    ].join('\n');
    assert.deepEqual(parseVictims(log, 7), { place: 9, victims: [{ process: 'stress', pid: 12 }] });
    assert.deepEqual(parseVictims(log, 9), { place: 9, victims: [] });
    assert.deepEqual(parseVictims('', 9), { place: 9, victims: [] });
    assert.deepEqual(parseVictims(log, Infinity), { place: 9, victims: [] }, 'those before its time');
  });

  test('of mounts tells whether a path can be written to', () => {
    const mounts = [
      '1 0 8:1 / / rw,relatime - ext4 /dev/sda1 rw',
      '2 1 8:2 / /var ro,relatime - ext4 /dev/sda2 rw',
      '3 2 8:3 / /var/lib rw,relatime - ext4 /dev/sda3 ro,errors=remount-ro',
      '4 1 8:4 / /srv rw - tmpfs tmpfs rw',
    ].join('\n');
    const paths = ['/etc', '/var/log', '/var/lib/kubelet', '/srv', '/variable'];
    assert.deepEqual(
      paths.map((path) => isReadOnly(mounts, path)),
      [false, true, true, false, false],
    );
  });
});
