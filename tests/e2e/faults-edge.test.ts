// What an edge loses while it runs: its certificate, its database. And a new configuration. Pods run on through all of it.
import assert from 'node:assert/strict';
import {
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  openSync,
  writeSync,
  closeSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parse, stringify } from 'yaml';
import { tracesOf } from './harness/host-traces.ts';
import { createParts, type Parts } from './harness/parts.ts';
import { eventually } from './harness/run.ts';
import { sleeper } from './manifests.ts';

/** A pod with a ConfigMap that does not fit into the cache of the database. */
const withLarge = (name: string): string =>
  `${sleeper(name)}      volumeMounts: [{ name: large, mountPath: /large }]\n  volumes: [{ name: large, configMap: { name: large } }]\n`;

describe('an edge that loses what it has', () => {
  let parts: Parts;
  let tasks: ReadonlyMap<string, number>;

  before(async () => {
    parts = await createParts('loses');
    try {
      await parts.startAll();
      await parts.kubectl.apply(sleeper('kept'));
      await parts.kubectl('wait', '--for=condition=Ready', 'pod/kept', '--timeout=60s');
      tasks = await parts.runtime.running();
    } catch (error) {
      throw new Error(parts.logs(), { cause: error });
    }
  });
  after(async () => {
    await parts.remove();
    assert.deepEqual(await tracesOf(...parts.marks), []);
  });

  const edgeLog = (): string => parts.logOf('edgecore');
  const untilLogged = (what: string): Promise<unknown> =>
    eventually(`"${what}" in the log`, async () => edgeLog().includes(what) || undefined);
  async function nothingRestarted(): Promise<void> {
    const now = await parts.runtime.running();
    for (const [id, pid] of tasks) assert.equal(now.get(id), pid, `task ${id} is the same as before`);
  }

  /** Signals that are blocked and ignored: a program inherits both from the one whose place it takes. */
  const signalsOf = (pid: number): readonly string[] =>
    readFileSync(`/proc/${pid}/status`, 'utf8').match(/^Sig(?:Blk|Ign):.*$/gm) ?? [];
  const openFilesOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

  it('takes over a configuration that is right under the same process id, and none that is wrong', async () => {
    const pid = parts.pid('edgecore');
    const signals = signalsOf(pid);
    const openFiles = openFilesOf(pid);
    const { config } = parts.layout.edge;
    const before = readFileSync(config, 'utf8');
    writeFileSync(config, before.replace(/^modules:$/m, 'modules:\n  nonsense: true'));
    process.kill(pid, 'SIGHUP');
    await untilLogged('the configuration is wrong and not taken over');
    writeFileSync(
      config,
      before.replace(/^( *)hostnameOverride:/m, '$1nodeLabels: { reloaded: "done" }\n$1hostnameOverride:'),
    );
    process.kill(pid, 'SIGHUP');
    await eventually('the new label', async () => {
      const { stdout } = await parts.kubectl.try(
        'get',
        'node',
        parts.node,
        '-o',
        'jsonpath={.metadata.labels.reloaded}',
      );
      return stdout === 'done' || undefined;
    });
    assert.equal(parts.pid('edgecore'), pid);
    assert.match(String(signals), /^SigBlk:\t0+,SigIgn/);
    assert.deepEqual(signalsOf(pid), signals);
    // Requests of the moment have some of their own; what was open before the reload would be there twice.
    await eventually('no more open files than before', async () => openFilesOf(pid) <= openFiles);
    await nothingRestarted();
  });

  it('notices a damaged database, puts it aside and gets everything again', async () => {
    const pid = parts.pid('edgecore');
    // More than is kept in memory of it.
    const large = join(parts.layout.data, 'large.txt');
    writeFileSync(large, 'x'.repeat(800_000));
    await parts.kubectl('create', 'configmap', 'large', `--from-file=${large}`);
    await parts.kubectl.apply(withLarge('uses'));
    await parts.kubectl('wait', '--for=condition=Ready', 'pod/uses', '--timeout=60s');
    tasks = await parts.runtime.running();
    const database = join(parts.layout.edge.directory, 'edgecore.db');
    // Most of what is known is still in the log beside it.
    for (const path of [database, `${database}-wal`]) {
      const file = openSync(path, 'r+');
      const { size } = statSync(path);
      for (let at = 4_096; at < size; at += 4_096) writeSync(file, Buffer.alloc(4_096, 0x5a), 0, 4_096, at);
      closeSync(file);
    }
    // Whatever is read next from the file shows it.
    await parts.kubectl.apply(withLarge('new'));
    await untilLogged('the database is damaged; edgecore starts anew, pods run on');
    await untilLogged('the database was damaged and is rebuilt from the cloud');
    await parts.kubectl('wait', '--for=condition=Ready', 'pod/new', '--timeout=60s');
    assert.equal(parts.pid('edgecore'), pid);
    assert.ok(readdirSync(parts.layout.edge.directory).some((name) => name.includes('.corrupt-')));
    await nothingRestarted();
  });

  it('goes on with its pods without a certificate, and with its cloud when it is back', async () => {
    await parts.end('edgecore', 'SIGTERM');
    const { config, directory } = parts.layout.edge;
    const certificate = join(directory, 'certs', 'server.crt');
    const document = parse(readFileSync(config, 'utf8')) as { modules: { edgeHub: { token: string } } };
    document.modules.edgeHub.token = '';
    writeFileSync(config, stringify(document));
    renameSync(certificate, `${certificate}.away`);
    await parts.start('edgecore');
    await untilLogged('no certificate: pods run on').catch((error: unknown) => {
      throw new Error(edgeLog().split('\n').slice(-15).join('\n'), { cause: error });
    });
    const [id = ''] = tasks.keys();
    process.kill(tasks.get(id) ?? 0, 'SIGKILL');
    await eventually('the container to be started again', async () => {
      const now = await parts.runtime.running();
      return (
        (now.size >= tasks.size && !now.has(id)) ||
        [...now.values()].every((task) => task !== tasks.get(id)) ||
        undefined
      );
    });
    renameSync(`${certificate}.away`, certificate);
    await eventually(
      'the node to hear of a new pod',
      async () => {
        await parts.kubectl.apply(sleeper('late'));
        return (
          (await parts.kubectl.try('wait', '--for=condition=Ready', 'pod/late', '--timeout=5s')).code === 0 || undefined
        );
      },
      90_000,
    );
  });
});
