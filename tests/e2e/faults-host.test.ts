// What a host does to a site: no containerd, a containerd that dies under running pods, a second edgecore on the same
// database, ports that somebody else has.
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { tracesOf } from './harness/host-traces.ts';
import { createParts, type Parts } from './harness/parts.ts';
import { eventually, kedgeProgram, run } from './harness/run.ts';
import { sleeper } from './manifests.ts';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

describe('a host with faults', () => {
  let parts: Parts;
  before(async () => {
    parts = await createParts('host');
  });
  after(async () => {
    await parts.remove();
    assert.deepEqual(await tracesOf(...parts.marks), []);
  });

  async function ready(): Promise<Condition | undefined> {
    const node = await parts.kubectl.json<{ status: { conditions?: Condition[] } }>('get', 'node', parts.node);
    return node.status.conditions?.find(({ type }) => type === 'Ready');
  }
  const restartsOf = (pod: string): Promise<string> =>
    parts.kubectl('get', 'pod', pod, '-o', 'jsonpath={.status.containerStatuses[0].restartCount}');

  it('without containerd: edgecore says so, here and in the cloud, and carries on when it appears', async () => {
    await parts.endRuntime('SIGTERM');
    await parts.start('apiserver');
    await parts.start('cloudcore');
    await parts.start('edgecore');
    const pid = parts.pid('edgecore');
    const told = await eventually('the node to say that it is not ready', ready);
    assert.equal(told.status, 'False');
    assert.equal(told.reason, 'KubeletNotReady');
    assert.match(told.message, /container runtime/);
    assert.match(parts.logOf('edgecore'), /container runtime does not answer/);
    assert.ok(parts.logOf('edgecore').includes(parts.runtime.socket), 'and where it was looked for');
    await parts.startRuntime();
    await parts.waitReady();
    assert.equal(parts.pid('edgecore'), pid, 'it is the same process');
    await parts.kubectl.apply(sleeper('steady'));
    await parts.kubectl('wait', '--for=condition=Ready', 'pod/steady', '--timeout=60s');
  });

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    it(`whose containerd ends by ${signal} keeps its pods, tells, and goes on afterwards`, async () => {
      const running = await parts.runtime.running();
      await parts.endRuntime(signal);
      await eventually('the node not to be ready', async () => (await ready())?.status === 'False');
      await parts.kubectl.apply(sleeper(`late-${signal.toLowerCase()}`));
      await parts.startRuntime();
      await parts.waitReady();
      await parts.kubectl('wait', '--for=condition=Ready', `pod/late-${signal.toLowerCase()}`, '--timeout=60s');
      const now = await parts.runtime.running();
      for (const [id, pid] of running) assert.equal(now.get(id), pid, 'the same process as before');
      assert.equal(await restartsOf('steady'), '0');
    });
  }

  it('refuses a second edgecore on the same database and names the first', async () => {
    const pid = parts.pid('edgecore');
    const { code, stderr } = await run(kedgeProgram, ['edgecore', '--config', parts.layout.edge.config]);
    assert.equal(code, 1);
    const last = stderr.trim().split('\n').at(-1)!;
    assert.match(last, /^edgecore: \[SQLITE_LOCKED\]/);
    assert.ok(last.includes(`(pid ${pid})`), last);
    assert.equal(parts.pid('edgecore'), pid);
    await parts.kubectl('annotate', 'pod', 'steady', 'still=served');
  });

  it('refuses a second API on the same directory, and cloudcore a port that is taken, in a sentence', async () => {
    const api = await run(kedgeProgram, ['apiserver', '--config', parts.layout.api.config]);
    assert.equal(api.code, 1);
    assert.match(api.stderr, /^apiserver: \[SQLITE_LOCKED\].*\(pid \d+\)/m);
    const twice = await run(kedgeProgram, ['cloudcore', '--config', parts.layout.cloudcore.config]);
    assert.equal(twice.code, 1);
    assert.match(twice.stderr, /^cloudcore: \[SQLITE_LOCKED\].*\(pid \d+\)/m);
    // One that has a store of its own finds the ports taken.
    const second = join(parts.layout.data, 'second-cloudcore.yaml');
    const text = await readFile(parts.layout.cloudcore.config, 'utf8');
    await writeFile(second, text.replace('samples.db', 'second-samples.db'));
    const cloud = await run(kedgeProgram, ['cloudcore', '--config', second]);
    assert.equal(cloud.code, 1);
    const last = cloud.stderr.trim().split('\n').at(-1)!;
    assert.match(
      last,
      new RegExp(`^cloudcore: \\[HTTP_PORT_TAKEN\\] port ${parts.ports.hub} on 127\\.0\\.0\\.1 is in use`),
    );
    const directory = join(parts.layout.data, 'other-api');
    await mkdir(directory);
    const config = join(directory, 'config.json');
    await writeFile(config, JSON.stringify({ directory, address: '127.0.0.1', port: parts.ports.api }));
    const other = await run(kedgeProgram, ['apiserver', '--config', config]);
    assert.equal(other.code, 1);
    assert.match(other.stderr, new RegExp(`^apiserver: \\[HTTP_PORT_TAKEN\\] port ${parts.ports.api} `, 'm'));
  });

  it('makes `kedge up --detach` fail with the port that is taken, and leave nothing', async () => {
    const data = join(parts.layout.data, 'second');
    const base = parts.ports.hub + 7;
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(base + 443, '127.0.0.1', resolve));
    try {
      const args = ['up', '--detach', '--data', data, '--node', 'second', '--port-base', String(base)];
      const { code, stderr } = await run(kedgeProgram, args);
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`did not come up: port ${base + 443} on 127\\.0\\.0\\.1.* in use.*--port-base`));
      assert.deepEqual(await tracesOf(data), []);
    } finally {
      squatter.close();
    }
  });
});
