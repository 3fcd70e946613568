// What disks do to a site: they fill up, they lose pages, they lose the end of a file. Nothing that was answered is lost,
// and nothing that could still be saved is overwritten.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isStatus, type KubeObject } from '@kedge/model/k8s';
import { type KubeAccess, openKubeApi } from '../../apps/kedge/src/kube-access.ts';
import { tracesOf } from './harness/host-traces.ts';
import { createParts, type Parts } from './harness/parts.ts';
import { eventually, kedgeProgram, run } from './harness/run.ts';
import { showcase, sleeper } from './manifests.ts';

const mib = 1 << 20;
const configMaps = { group: '', version: 'v1', resource: 'configmaps' };

/** Takes every free byte of the file system that `directory` is on. */
function fill(directory: string): { free(): void } {
  const path = join(directory, 'ballast');
  const file = openSync(path, 'w');
  for (let size = mib; size >= 1; size >>= 1) {
    const piece = Buffer.alloc(size, 1);
    try {
      for (;;) writeSync(file, piece);
    } catch {
      // Full for pieces of this size.
    }
  }
  closeSync(file);
  return { free: () => rmSync(path) };
}

/** Overwrites the pages from the second on, as a dying flash does. */
function damage(path: string): void {
  const file = openSync(path, 'r+');
  const pages = Math.floor(statSync(path).size / 4_096);
  for (let page = 1; page < pages; page++) writeSync(file, Buffer.alloc(4_096, 0x5a), 0, 4_096, page * 4_096);
  fsyncSync(file);
  closeSync(file);
}

const hashOf = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

describe('disks with faults', () => {
  let parts: Parts;
  let access: KubeAccess;
  const answered = new Map<string, string>();

  before(async () => {
    parts = await createParts('disk', { diskBytes: 24 * mib });
    try {
      await parts.startAll();
      await parts.kubectl.apply(showcase('show', parts.node));
      await parts.kubectl('wait', '--for=condition=Ready', 'pod/show', '--timeout=60s');
      access = await openKubeApi(parts.kubeconfig, 'faults-disk');
    } catch (error) {
      throw new Error(parts.logs(), { cause: error });
    }
  });
  after(async () => {
    await access?.close();
    await parts.remove();
    assert.deepEqual(await tracesOf(...parts.marks), []);
  });

  async function write(name: string, bytes: number): Promise<void> {
    const value = name.repeat(Math.ceil(bytes / name.length));
    const object: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { value } };
    await access.api.create(configMaps, 'default', object);
    answered.set(name, value);
  }
  async function assertNothingLost(): Promise<void> {
    const { items } = await access.api.list(configMaps, { namespace: 'default' });
    const stored = new Map(items.map((item) => [item.metadata.name, (item['data'] as { value?: string }).value]));
    for (const [name, value] of answered) assert.equal(stored.get(name), value, name);
  }

  it('full under the API: writes are refused in a sentence, reads go on, and all is well when there is space', async () => {
    const pid = parts.pid('apiserver');
    const ballast = fill(parts.layout.api.directory);
    let refusal: unknown;
    for (let n = 0; n < 200 && refusal === undefined; n++) {
      await write(`crowd-${n}`, 100_000).catch((error: unknown) => (refusal = error));
    }
    assert.ok(isStatus(refusal), String(refusal));
    assert.match(String(refusal), /disk is full/);
    assert.equal(parts.pid('apiserver'), pid, 'it is the same process');
    await assertNothingLost();
    await parts.end('apiserver', 'SIGKILL');
    ballast.free();
    await parts.start('apiserver');
    await assertNothingLost();
    await write('after', 100_000);
    const again = fill(parts.layout.api.directory);
    await assert.rejects(
      (async () => {
        for (let n = 0; n < 200; n++) await write(`again-${n}`, 100_000);
      })(),
    );
    again.free();
    await eventually('the API to take writes again', () => write('space', 1_000).then(() => true));
    await assertNothingLost();
    await parts.waitReady();
  });

  it('full under edgecore: it lives, its pods live, and what it could not store comes when there is space', async () => {
    const pid = parts.pid('edgecore');
    const ballast = fill(parts.layout.edge.directory);
    const running = await parts.runtime.running();
    for (let n = 0; n < 3; n++) await parts.kubectl.apply(sleeper(`late-${n}`));
    const large = JSON.stringify({ data: { greeting: 'hello again', more: 'x'.repeat(900_000) } });
    await access.api.patch(configMaps, { namespace: 'default', name: 'show' }, 'merge', large);
    await eventually('edgecore to say that its disk is full', async () => /disk is full/.test(parts.logOf('edgecore')));
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    assert.equal(parts.pid('edgecore'), pid, 'it is the same process');
    const now = await parts.runtime.running();
    for (const [id, pid] of running) assert.equal(now.get(id), pid);
    ballast.free();
    for (let n = 0; n < 3; n++) await parts.kubectl('wait', '--for=condition=Ready', `pod/late-${n}`, '--timeout=90s');
    await parts.waitReady();
    await parts.kubectl('delete', 'pod', 'late-0', 'late-1', 'late-2', '--timeout=60s');
  });

  it('with a damaged edge database: it is set aside and filled from the cloud, and the pods run', async () => {
    await parts.end('edgecore', 'SIGTERM');
    const database = join(parts.layout.edge.directory, 'edgecore.db');
    damage(database);
    const running = await parts.runtime.running();
    await parts.start('edgecore');
    const told = /damaged and is rebuilt from the cloud/;
    await eventually('edgecore to say that it starts anew', async () => told.test(parts.logOf('edgecore')));
    assert.ok(readdirSync(parts.layout.edge.directory).some((name) => name.startsWith('edgecore.db.corrupt-')));
    assert.equal(running.size, 1 + parts.runtime.pauseProcesses, 'one container');
    await parts.kubectl.apply(sleeper('newcomer'));
    await parts.kubectl('wait', '--for=condition=Ready', 'pod/newcomer', 'pod/show', '--timeout=60s');
    const now = await parts.runtime.running();
    for (const [id, pid] of running) assert.equal(now.get(id), pid, 'containers went on');
  });

  it('with a truncated API database: it says so, and leaves the file to whoever can save it', async () => {
    await parts.end('apiserver', 'SIGTERM');
    const database = join(parts.layout.api.directory, 'store.db');
    const whole = join(parts.layout.data, 'store.whole');
    copyFileSync(database, whole);
    truncateSync(database, Math.floor(statSync(database).size / 2 / 4_096) * 4_096 + 100);
    const before_ = hashOf(database);
    const { code, stderr } = await run(kedgeProgram, ['apiserver', '--config', parts.layout.api.config]);
    assert.equal(code, 1);
    assert.match(stderr, /^apiserver: \[SQLITE_CORRUPT\] .*store\.db is damaged .* backup .* move it away/m);
    assert.equal(hashOf(database), before_);
    copyFileSync(whole, database);
    await parts.start('apiserver');
    await assertNothingLost();
    await parts.waitReady();
  });
});
