// Backup, restore and encryption at rest, with the real executable and the real API: as whoever looks after a site does.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { after, describe, test } from 'node:test';
import { createSampleStore, sampleMigrations, type SampleStore } from '@kedge/cloud/devicecontroller';
import { silentLog } from '@kedge/core/log';
import { hours } from '@kedge/core/time';
import { collections, type KubeApi } from '@kedge/engine/kube-client';
import { isStatus } from '@kedge/model/k8s';
import { messageId } from '@kedge/model/messages';
import { systemClock } from '@kedge/platform/node';
import { openDatabase } from '@kedge/platform/sqlite';
import { openKubeApi } from '../src/kube-access.ts';
import { cloudcoreConfig } from '../src/site/config-files.ts';
import { siteLayout, sitePorts } from '../src/site/layout.ts';
import { writePidFile } from '../src/site/pid-files.ts';
import { freePort } from '@kedge/testing/free-port';

const kedge = fileURLToPath(new URL('../../../bin/kedge', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'kedge-backup-'));
const children: ChildProcess[] = [];
after(async () => {
  for (const child of children) await stop(child);
  rmSync(root, { recursive: true, force: true });
});

const run = (...args: string[]): { code: number; stdout: string; stderr: string } => {
  const { status, stdout, stderr } = spawnSync(kedge, args, { encoding: 'utf8' });
  return { code: status ?? -1, stdout, stderr };
};

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

interface Running {
  readonly api: KubeApi;
  stop(): Promise<void>;
}

/** The API part of a site, as the site's supervisor starts it. */
async function start(data: string, more: Record<string, unknown> = {}): Promise<Running> {
  const directory = join(data, 'api');
  mkdirSync(directory, { recursive: true });
  const kubeconfig = join(data, 'kubeconfig');
  rmSync(kubeconfig, { force: true });
  const config = { directory, port: await freePort(), kubeconfigs: { admin: kubeconfig }, ...more };
  writeFileSync(join(directory, 'apiserver.json'), JSON.stringify(config));
  const child = spawn(kedge, ['apiserver', '--config', join(directory, 'apiserver.json')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  children.push(child);
  let words = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (words = (words + text).slice(-4_000)));
  for (let tries = 0; ; tries++) {
    if (child.exitCode !== null) throw new Error(`the API server ended: ${words}`);
    const access = await openKubeApi(kubeconfig, 'test').catch(() => undefined);
    const ready = await access?.api.raw('/readyz').catch(() => undefined);
    if (access && ready?.status === 200) {
      await writePidFile(join(data, 'run'), 'apiserver', child.pid ?? 0);
      return {
        api: access.api,
        async stop() {
          await access.close();
          await stop(child);
        },
      };
    }
    await access?.close();
    if (tries > 600) throw new Error(`the API server did not come up: ${words}`);
    await sleep(50);
  }
}

const inDefault = (name: string) => ({ namespace: 'default', name });

describe('a backup', { timeout: 120_000 }, () => {
  const data = join(root, 'first');
  const file = join(root, 'site.backup');

  test('is taken while the site runs and writes go on, and everything answered before is in it', async (t) => {
    const site = await start(data);
    t.after(() => site.stop());
    for (let n = 0; n < 50; n++) {
      await site.api.create(collections.configMaps, 'default', {
        metadata: { name: `before-${n}` },
        data: { n: String(n) },
      });
    }
    let written = 0;
    let isDone = false;
    const writing = (async () => {
      while (!isDone) {
        await site.api.create(collections.configMaps, 'default', { metadata: { name: `during-${written}` } });
        written += 1;
      }
    })();
    const child = spawn(kedge, ['backup', '--data', data, '--out', file], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [code] = (await once(child, 'exit')) as [number];
    isDone = true;
    await writing;
    assert.equal(code, 0);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.ok(written > 0);
    assert.deepEqual(
      readdirSync(join(data, 'api')).filter((name) => name.includes('backup')),
      [],
    );
    assert.match(run('backup', '--data', data, '--out', file).stderr, /exists already/);
    await site.api.delete(collections.configMaps, inDefault('before-7'));
    await site.api.create(collections.configMaps, 'default', { metadata: { name: 'after' } });
  });

  test('is not put over a site that runs', async () => {
    const site = await start(data);
    const { code, stderr } = run('restore', '--data', data, '--from', file);
    assert.equal(code, 2);
    assert.match(stderr, /is running; stop it first: kedge down/);
    await site.stop();
  });

  test('that is damaged, cut short or something else is refused, and the site stays as it is', () => {
    const store = readFileSync(join(data, 'api', 'store.db'));
    const good = readFileSync(file);
    const spoiled: [string, Buffer, RegExp][] = [
      [
        'flipped',
        Buffer.from(good.map((byte, at) => (at === good.length >> 1 ? byte ^ 0xff : byte))),
        /cannot be restored/,
      ],
      ['cut', good.subarray(0, good.length - 100), /cannot be restored/],
      ['text', Buffer.from('not a backup'), /cannot be restored/],
      ['empty', Buffer.alloc(0), /cannot be restored/],
    ];
    for (const [name, bytes, expected] of spoiled) {
      const path = join(root, name);
      writeFileSync(path, bytes);
      const { code, stderr } = run('restore', '--data', data, '--from', path);
      assert.equal(code, 1, name);
      assert.match(stderr, expected, name);
    }
    assert.match(run('restore', '--data', data, '--from', join(root, 'nowhere')).stderr, /there is no file/);
    assert.deepEqual(readFileSync(join(data, 'api', 'store.db')), store);
    assert.deepEqual(
      readdirSync(join(data, 'api')).filter((name) => name.includes('restore')),
      [],
    );
  });

  test('brings the site back as it was, with its keys, under versions that nobody has seen', async (t) => {
    const kubeconfig = readFileSync(join(data, 'kubeconfig'), 'utf8');
    const restored = run('restore', '--data', data, '--from', file);
    assert.equal(restored.code, 0, restored.stderr);
    assert.match(restored.stdout, /what was there before is in .*before-restore-/);
    const site = await start(data);
    t.after(() => site.stop());
    assert.equal((await site.api.get(collections.configMaps, inDefault('before-7')))?.metadata.name, 'before-7');
    await assert.rejects(site.api.get(collections.configMaps, inDefault('after')), (error) =>
      isStatus(error, 'NotFound'),
    );
    const { metadata } = await site.api.get(collections.configMaps, inDefault('before-1'));
    assert.ok(Number(metadata.resourceVersion) > 1_000_000_000);
    const ca = (text: string): unknown =>
      (JSON.parse(text) as { clusters: { cluster: { 'certificate-authority-data': string } }[] }).clusters[0]?.cluster[
        'certificate-authority-data'
      ];
    assert.equal(ca(readFileSync(join(data, 'kubeconfig'), 'utf8')), ca(kubeconfig));
    // A watch from before the restore must list again.
    const old = await site.api.raw('/api/v1/configmaps?watch=1&resourceVersion=20&timeoutSeconds=1');
    assert.match(old.body, /"code":410/);
    await site.api.create(collections.configMaps, 'default', { metadata: { name: 'after' } });
  });

  test('of a stopped site makes a new one elsewhere', async (t) => {
    const second = join(root, 'second.backup');
    assert.equal(run('backup', '--data', data, '--out', second).code, 0);
    const other = join(root, 'other');
    assert.equal(run('restore', '--data', other, '--from', second).code, 0);
    const site = await start(other);
    t.after(() => site.stop());
    assert.equal((await site.api.get(collections.configMaps, inDefault('after'))).metadata.name, 'after');
  });
});

describe('samples of devices', { timeout: 120_000 }, () => {
  const data = join(root, 'sampled');
  const layout = siteLayout(data);
  const file = join(root, 'sampled.backup');
  const device = { namespace: 'default', name: 'meter' };
  const query = { device, property: 'energy', limit: 10_000 };
  const valuesOf = (store: SampleStore): string[] => store.read(query).map(({ value }) => value);

  async function inStore<T>(path: string, work: (store: SampleStore) => T | Promise<T>): Promise<T> {
    mkdirSync(dirname(path), { recursive: true });
    const db = openDatabase({ path, migrations: sampleMigrations, durability: 'full' });
    const limits = { perProperty: 10_000, age: hours(1), series: 10 };
    try {
      return await work(createSampleStore({ clock: systemClock, log: silentLog, db, limits }));
    } finally {
      await db.close();
    }
  }
  const append = (store: SampleStore, firstSequence: number, ...values: string[]): Promise<void> =>
    store.append({
      kind: 'samples.report',
      id: messageId(`m${firstSequence}`),
      at: systemClock.now(),
      device,
      property: 'energy',
      stream: 's',
      firstSequence,
      samples: values.map((value, n) => ({ at: systemClock.now() + n, value })),
    });

  test('are in the backup of a site that runs, as cloudcore has them', async (t) => {
    const many = Array.from({ length: 9_000 }, (_, n) => `${n}-${'x'.repeat(300)}`);
    await inStore(layout.cloudcore.samples, (store) => append(store, 1, ...many));
    const site = await start(data, {
      kubeconfigs: { admin: layout.kubeconfig, cloudcore: layout.cloudcore.kubeconfig },
    });
    t.after(() => site.stop());
    const base = await freePort();
    const ports = {
      ...sitePorts(base),
      hub: await freePort(),
      hubHttps: await freePort(),
      admission: await freePort(),
    };
    writeFileSync(layout.cloudcore.config, cloudcoreConfig(layout, { ...ports, monitor: await freePort() }));
    const cloud = spawn(kedge, ['cloudcore', '--config', layout.cloudcore.config], { stdio: 'ignore' });
    children.push(cloud);
    await writePidFile(layout.run, 'cloudcore', cloud.pid ?? 0);
    // Until cloudcore listens, the backup says that it cannot be had, and leaves nothing.
    let tries = 0;
    for (; ; tries++) {
      const { code, stdout, stderr } = run('backup', '--data', data, '--out', file);
      if (code === 0) {
        assert.match(stdout, /, 9000 samples of devices, and the keys of the cluster/);
        break;
      }
      assert.ok(tries < 100, stderr);
      assert.deepEqual(
        readdirSync(root).filter((name) => name.startsWith('sampled.backup')),
        [],
      );
      await sleep(200);
    }
    await stop(cloud);
    assert.deepEqual(
      readdirSync(dirname(layout.cloudcore.samples)).filter((name) => name.includes('backup')),
      [],
    );
  });

  test('come back with a restore, and what was there before is put aside', async () => {
    await inStore(layout.cloudcore.samples, (store) => append(store, 9_001, 'later'));
    const { code, stdout, stderr } = run('restore', '--data', data, '--from', file);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /, and 9000 samples of devices, are restored/);
    const values = await inStore(layout.cloudcore.samples, valuesOf);
    assert.deepEqual([values.length, values[8_999]?.slice(0, 5)], [9_000, '8999-']);
    const [, aside = ''] = /what was there before is in (.*)/.exec(stdout) ?? [];
    assert.equal((await inStore(join(aside, 'samples.db'), valuesOf)).at(-1), 'later');
  });

  test('of a stopped site are in its backup too; a backup without any leaves those that are there', async () => {
    const second = join(root, 'sampled-2.backup');
    assert.match(run('backup', '--data', data, '--out', second).stdout, /9000 samples of devices/);
    const bare = join(root, 'bare');
    const site = await start(bare);
    await site.stop();
    const third = join(root, 'bare.backup');
    assert.doesNotMatch(run('backup', '--data', bare, '--out', third).stdout, /samples/);
    assert.equal(run('restore', '--data', data, '--from', third).code, 0);
    assert.equal((await inStore(layout.cloudcore.samples, valuesOf)).length, 9_000);
  });
});

describe('secrets on disk', { timeout: 120_000 }, () => {
  const data = join(root, 'encrypted');
  const keys = join(root, 'keys.yaml');
  const secretKey = (fill: number): string => Buffer.alloc(32, fill).toString('base64');
  const writeKeys = (...all: [string, number][]): void =>
    writeFileSync(
      keys,
      [
        'kind: EncryptionConfiguration',
        'apiVersion: apiserver.config.k8s.io/v1',
        'resources:',
        '  - resources: [secrets]',
        '    providers:',
        '      - aesgcm:',
        `          keys: [${all.map(([name, fill]) => `{ name: ${name}, secret: "${secretKey(fill)}" }`).join(', ')}]`,
        '      - identity: {}',
      ].join('\n'),
    );
  const onDisk = (what: string): boolean =>
    readdirSync(join(data, 'api'))
      .filter((name) => name.startsWith('store.db'))
      .some((name) => readFileSync(join(data, 'api', name)).includes(what));
  const swordfish = Buffer.from('swordfish').toString('base64');

  test('are not to be read without the keys, updated and deleted ones included', async () => {
    writeKeys(['key1', 1]);
    const site = await start(data, { 'encryption-provider-config': keys });
    for (const name of ['kept', 'gone']) {
      await site.api.create(collections.secrets, 'default', { metadata: { name }, data: { password: swordfish } });
    }
    const kept = await site.api.get(collections.secrets, inDefault('kept'));
    await site.api.update(collections.secrets, { ...kept, metadata: { ...kept.metadata, labels: { seen: 'yes' } } });
    await site.api.delete(collections.secrets, inDefault('gone'));
    await site.api.create(collections.configMaps, 'default', {
      metadata: { name: 'plain' },
      data: { fish: 'herring' },
    });
    assert.ok(onDisk('herring') && onDisk('k8s:enc:aesgcm:v1:key1:'));
    assert.ok(!onDisk(swordfish) && !onDisk('swordfish'));
    await site.stop();
    assert.ok(!onDisk(swordfish));
  });

  test('are read after a change of keys, and written with the new one', async () => {
    writeKeys(['key2', 2], ['key1', 1]);
    const site = await start(data, { 'encryption-provider-config': keys });
    const kept = await site.api.get(collections.secrets, inDefault('kept'));
    assert.deepEqual((kept as { data?: unknown }).data, { password: swordfish });
    await site.api.update(collections.secrets, { ...kept, metadata: { ...kept.metadata, labels: { seen: 'twice' } } });
    assert.ok(onDisk('k8s:enc:aesgcm:v1:key2:'));
    await site.stop();
  });

  test('stay closed to a backup without the keys, and open in one that is restored with them', async (t) => {
    const file = join(root, 'encrypted.backup');
    assert.equal(run('backup', '--data', data, '--out', file).code, 0);
    const copy = join(root, 'encrypted-copy');
    assert.equal(run('restore', '--data', copy, '--from', file).code, 0);
    await assert.rejects(start(copy), /APISTORE_UNREADABLE/);
    const site = await start(copy, { 'encryption-provider-config': keys });
    t.after(() => site.stop());
    const kept = await site.api.get(collections.secrets, inDefault('kept'));
    assert.deepEqual((kept as { data?: unknown }).data, { password: swordfish });
  });

  test('are never written in the clear because of a mistake in the configuration', async () => {
    copyFileSync(keys, join(root, 'keys.bad'));
    writeFileSync(join(root, 'keys.bad'), 'kind: EncryptionConfiguration\n');
    await assert.rejects(
      start(join(root, 'fresh'), { 'encryption-provider-config': join(root, 'keys.bad') }),
      /APISTORE_ENCRYPTION_CONFIG/,
    );
  });
});
