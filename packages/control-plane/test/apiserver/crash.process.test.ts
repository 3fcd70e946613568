// `kill -9` at random moments: whatever was acknowledged is there after the next start, and revisions never go back.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createHttpClient } from '@kedge/platform/node';

const devServer = new URL('dev-server.ts', import.meta.url).pathname;

async function start(directory: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [devServer, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  for await (const chunk of child.stdout) {
    out += String(chunk);
    if (out.includes('KUBECONFIG=')) return child;
  }
  throw new Error('the API server did not start');
}

async function connect(directory: string) {
  const decode = (text: string): string => Buffer.from(text, 'base64').toString();
  const { clusters, users } = JSON.parse(await readFile(join(directory, 'kubeconfig'), 'utf8')) as {
    clusters: [{ cluster: Record<string, string> }];
    users: [{ user: Record<string, string> }];
  };
  const { cluster } = clusters[0];
  const { user } = users[0];
  const client = createHttpClient({
    tls: {
      ca: decode(cluster['certificate-authority-data']!),
      certificate: decode(user['client-certificate-data']!),
      key: decode(user['client-key-data']!),
    },
  });
  const url = `${cluster['server']}/api/v1/namespaces/default/configmaps`;
  return { client, url };
}

test('nothing acknowledged is lost when the server is killed', { timeout: 60_000 }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'kedge-crash-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const acknowledged = new Map<string, string>();
  let newest = 0;
  for (let round = 0; round < 4; round++) {
    const child = await start(directory);
    const { client, url } = await connect(directory);
    const down = new AbortController();
    const write = async (worker: number): Promise<void> => {
      for (let i = 0; !down.signal.aborted; i++) {
        const name = `r${round}-w${worker}-${i}`;
        const body = JSON.stringify({ metadata: { name } });
        const headers = { 'content-type': 'application/json' };
        const response = await client.request({ method: 'POST', url, headers, body });
        const made = JSON.parse(await response.text()) as { metadata: { resourceVersion: string } };
        assert.equal(response.status, 201);
        acknowledged.set(name, made.metadata.resourceVersion);
      }
    };
    const writers = [0, 1, 2, 3].map((worker) => write(worker).catch(() => undefined));
    // Killed in the middle of writing: after a number of answers, not after a time.
    const enough = acknowledged.size + 20 + round * 37;
    while (acknowledged.size < enough) await new Promise((resolve) => setImmediate(resolve));
    child.kill('SIGKILL');
    await once(child, 'close');
    down.abort();
    await Promise.all(writers);
    await client.close();
  }

  const child = await start(directory);
  const { client, url } = await connect(directory);
  const response = await client.request({ method: 'GET', url });
  const { items } = JSON.parse(await response.text(64 << 20)) as {
    items: { metadata: { name: string; resourceVersion: string } }[];
  };
  const found = new Map(items.map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
  for (const [name, version] of acknowledged) {
    assert.equal(found.get(name), version, `${name} is lost`);
    newest = Math.max(newest, Number(version));
  }
  assert.equal(new Set(found.values()).size, found.size, 'two objects share a revision');
  const made = await client.request({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/json' },
    body: '{"metadata":{"name":"last"}}',
  });
  const last = JSON.parse(await made.text()) as { metadata: { resourceVersion: string } };
  assert.ok(Number(last.metadata.resourceVersion) > newest);
  await client.close();
  child.kill();
  await once(child, 'close');
});
