// A mapper in Go, made from the template of KubeEdge v1.22's mapper framework, with our DMI server. Its driver holds one
// value per device, 21.5 at first. Skipped unless $PEERS names a folder that has mapper-v1.22.2.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { seconds } from '@kedge/core/time';
import { freePort } from '@kedge/testing/free-port';
import { device, place, until } from './dmi-rig.ts';

const program = join(process.env['PEERS'] ?? '/nowhere', 'mapper-v1.22.2');
const skip = existsSync(program) ? false : 'set PEERS to a folder with mapper-v1.22.2';

async function startMapper(t: TestContext, directory: string) {
  const port = await freePort();
  const config = join(directory, `mapper-${port}.yaml`);
  await writeFile(
    config,
    `grpc_server: { socket_path: ${join(directory, 'go.sock')} }
common: { name: Toy-mapper, version: v1.13.0, api_version: v1.0.0, protocol: toy, address: 127.0.0.1,
  edgecore_sock: ${join(directory, 'dmi.sock')}, http_port: "${port}" }
`,
  );
  const child = spawn(program, ['--config-file', config, '--v', '4'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  t.after(stop);
  const read = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return response.text();
  };
  return { stop, read, log: () => log, isRunning: () => child.exitCode === null && child.signalCode === null };
}

test('a Go mapper gets its devices, reports them, follows changes, and is missed when it dies', { skip }, async (t) => {
  const { directory, put, remove, run, server, reports, states, conditions, models } = await place(t);
  put(device('a', '23.5'));
  const stopServer = await run(server());
  const mapper = await startMapper(t, directory);
  const reported = (value: string, name = 'a') =>
    reports.some(
      ({ device: from, property, reported }) => from === name && property === 'temperature' && reported === value,
    );
  await until('a report', () => reported('23.5'));
  assert.ok(reports.some(({ property, observedDesired }) => property === 'temperature' && observedDesired === '23.5'));

  put(device('a', '30'));
  await until('the desired value came through UpdateDevice', () => reported('30'));
  put(device('b', '12'));
  await until('a device that was added later', () => reported('12', 'b'));
  // Odd objects that crash a mapper of KubeEdge's when they are handed over as they are.
  const odd = device('odd');
  put({
    ...odd,
    spec: {
      ...odd.spec,
      properties: [{ name: 'temperature' }, { name: 'unknown' }],
      protocol: { protocolName: 'toy' },
    },
  });
  await until('the odd one is told', () => conditions.get('odd/HandedOver')?.status === 'False');
  remove('b');
  put(device('a', '31'));
  await until('it goes on', () => reported('31'));
  assert.ok(mapper.isRunning(), mapper.log());

  // A restarted edgecore knows the mapper, and which devices it has.
  await stopServer();
  await run(server());
  put(device('a', '32'));
  await until('a change after the restart', () => reported('32'), seconds(20));
  models.set('default/temp-model', {
    ...models.get('default/temp-model')!,
    spec: { ...models.get('default/temp-model')!.spec, protocol: 'toy' },
  });

  await mapper.stop();
  await until('its devices are offline', () => states.get('a') === 'offline', seconds(30));
  assert.equal(conditions.get('a/MapperReady')?.reason, 'MapperGone');
  reports.length = 0;
  const next = await startMapper(t, directory);
  await until('it is back', () => reported('32') && states.get('a') === 'online', seconds(20));
  assert.ok(next.isRunning(), next.log());
});
