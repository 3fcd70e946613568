// `kedge mapper new` makes a project that compiles, passes its test, and runs beside an edgecore.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { openScope } from '@kedge/core/flow';
import { silentLog } from '@kedge/core/log';
import { createMetrics } from '@kedge/core/metrics';
import { seconds } from '@kedge/core/time';
import { createDmiServer, type MapperReport } from '@kedge/edge/dmi';
import { edgeMigrations } from '@kedge/edge/metamanager';
import type { Device, DeviceModel } from '@kedge/model/kubeedge';
import { grpcServers, openGrpcChannel } from '@kedge/platform/grpc';
import { createRandom, systemClock } from '@kedge/platform/node';
import { openDatabase } from '@kedge/platform/sqlite';
import { temporaryDirectory } from '@kedge/testing/contracts';
import { parseAllDocuments } from 'yaml';

const root = join(import.meta.dirname, '..', '..', '..');
const kedge = join(root, 'apps', 'kedge', 'src', 'devices-main.ts');

function run(folder: string, ...args: string[]) {
  // Set by the runner of this test: a runner below it would report to that one instead of on its own.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const ended = once(child, 'close').then(([code]) => ({ code: code as number, output }));
  return { child, ended };
}

test('a new project compiles, passes its test, and runs beside an edgecore', async (t) => {
  const directory = await temporaryDirectory(t);
  const made = await run(directory, kedge, 'mapper', 'new', 'thermometer').ended;
  assert.deepEqual([made.code, /is ready/.test(made.output)], [0, true], made.output);
  const folder = join(directory, 'thermometer');
  const again = await run(directory, kedge, 'mapper', 'new', 'thermometer').ended;
  assert.match(again.output, /is there already/);

  const compiled = await run(folder, join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', '.').ended;
  assert.deepEqual([compiled.code, compiled.output], [0, '']);
  const tested = await run(folder, '--test').ended;
  assert.equal(tested.code, 0, tested.output);
  const readme = await readFile(join(root, 'packages', 'devices', 'README.md'), 'utf8');
  assert.ok(readme.includes(await readFile(join(folder, 'mapper.ts'), 'utf8')), 'the README shows the template');

  // The device that the project is for, and an edge that has it.
  const values = new Map([['temp', '15']]);
  const box = createServer((socket) => {
    createInterface({ input: socket }).on('line', (line) => {
      const [verb, name = '', value = ''] = line.split(' ');
      if (verb === 'SET') values.set(name, value);
      socket.write(`${values.get(name) ?? 'error unknown'}\n`);
    });
    socket.on('error', () => undefined);
  });
  box.listen(0, '127.0.0.1');
  await once(box, 'listening');
  const [model, device] = parseAllDocuments(await readFile(join(folder, 'device.yaml'), 'utf8')).map((one) =>
    one.toJS(),
  ) as [DeviceModel, Device];
  device.spec!.protocol!.configData = { host: '127.0.0.1', port: (box.address() as AddressInfo).port };
  const db = openDatabase({ path: ':memory:', migrations: edgeMigrations, durability: 'normal' });
  const reported = Promise.withResolvers<MapperReport>();
  const socketPath = join(directory, 'dmi.sock');
  const edge = createDmiServer(
    {
      clock: systemClock,
      log: silentLog,
      random: createRandom(),
      metrics: createMetrics(),
      db,
      servers: grpcServers,
      openChannel: openGrpcChannel,
      devices: { list: () => [device], get: () => device, model: () => model, listen: () => () => undefined },
      twins: {
        report: async (_, [first]) => {
          if (first?.observedDesired !== undefined) reported.resolve(first);
        },
        state: async () => undefined,
        condition: async () => undefined,
      },
    },
    { socketPath },
  );
  const scope = openScope({ clock: systemClock, name: 'dmi' });
  await edge.start(scope);
  await writeFile(
    join(folder, 'config.yaml'),
    `grpc_server: { socket_path: ${join(directory, 'm.sock')} }\ncommon: { edgecore_sock: ${socketPath}, http_port: "", data_dir: ${directory} }\n`,
  );
  const mapper = run(folder, kedge, 'mapper', 'run', 'mapper.ts', '--config-file', 'config.yaml');
  const patience = new AbortController();
  try {
    const first = await Promise.race([
      reported.promise,
      mapper.ended.then(({ output }) => assert.fail(output)),
      systemClock.sleep('a report', seconds(20), patience.signal).then(() => assert.fail('no report')),
    ]);
    assert.deepEqual([first.property, first.reported, first.observedDesired], ['temperature', '21', '21']);
    assert.equal(values.get('temp'), '21');
  } finally {
    patience.abort();
    mapper.child.kill('SIGTERM');
    const { code, output } = await mapper.ended;
    box.close();
    assert.deepEqual(await scope.close(seconds(5)), []);
    await db.close();
    assert.equal(code, 0, output);
  }
});
