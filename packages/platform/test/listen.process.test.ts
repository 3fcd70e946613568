// Listening loads nothing for processes that share a port; in a process of its own, for this one has loaded everything.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { temporaryDirectory } from '@kedge/testing/contracts';

const program = (directory: string): string => `
  import { createServer } from 'node:net';
  import { listen } from '${join(import.meta.dirname, '../src/node/listen.ts')}';
  const told = [];
  const open = (at) => new Promise((resolve) => {
    const server = createServer();
    server.on('error', (error) => { told.push(error.code); resolve(server); });
    listen(server, at, () => { told.push('listens'); resolve(server); });
  });
  const servers = [];
  for (const at of [
    { host: '127.0.0.1', port: 0 },
    { host: '::1', port: 0 },
    { path: '${directory}/s' },
    { path: '${directory}/s' },
    { host: '192.0.2.1', port: 1 },
  ]) servers.push(await open(at));
  servers.push(await open({ host: '127.0.0.1', port: servers[0].address().port }));
  for (const server of servers) server.close();
  console.log(JSON.stringify({ told, loaded: process.moduleLoadList.filter((name) => /cluster|child_process|NativeModule dns/.test(name)) }));
`;

test('listening loads no cluster, and fails as it does with it', async (t) => {
  const directory = await temporaryDirectory(t);
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program(directory)]);
  const { told, loaded } = JSON.parse(stdout) as { told: string[]; loaded: string[] };
  assert.deepEqual(told, ['listens', 'listens', 'listens', 'EADDRINUSE', 'EADDRNOTAVAIL', 'EADDRINUSE']);
  assert.deepEqual(loaded, []);
});
