// A Modbus mapper in Go that speaks DMI v1alpha1 (modbus-dmi of KubeEdge's mappers-go 1.13, with messages of KubeEdge v1.12),
// with our DMI server and a Modbus server of registers. As it is published it crashes on its first report, in what copies desired
// values into one, whoever it speaks to; the one we run leaves them out. Skipped unless $PEERS names a folder that has modbus-mapper-v1.12.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { seconds } from '@kedge/core/time';
import type { Device, DeviceModel } from '@kedge/model/kubeedge';
import { freePort } from '@kedge/testing/free-port';
import modbus from 'modbus-serial';
import { place, until } from './dmi-rig.ts';

const program = join(process.env['PEERS'] ?? '/nowhere', 'modbus-mapper-v1.12');
const skip = existsSync(program) ? false : 'set PEERS to a folder with modbus-mapper-v1.12';

const model: DeviceModel = {
  metadata: { name: 'register', namespace: 'default' },
  spec: { protocol: 'modbus', properties: [{ name: 'value', type: 'INT', accessMode: 'ReadWrite' }] },
};

async function startRegisters(t: TestContext) {
  const registers = new Map<number, number>();
  const port = await freePort();
  const server = new modbus.ServerTCP(
    {
      getHoldingRegister: async (at: number) => registers.get(at) ?? 0,
      getMultipleHoldingRegisters: async (at: number, count: number) =>
        Array.from({ length: count }, (_, n) => registers.get(at + n) ?? 0),
      setRegister: async (at: number, value: number) => void registers.set(at, value),
    },
    { host: '127.0.0.1', port, unitID: 1 },
  );
  server.on('socketError', () => undefined);
  const listener = (server as unknown as { _server: Server })._server;
  t.after(() => new Promise((resolve) => server.close(resolve)));
  await once(listener, 'listening');
  return { registers, port };
}

async function startMapper(t: TestContext, directory: string) {
  // It reads this file of its working directory before it looks at its flags.
  await writeFile(
    join(directory, 'config.yaml'),
    `grpc_server: { socket_path: ${join(directory, 'old.sock')} }
common: { name: modbus-dmi-mapper, version: v1.13.0, api_version: v1.0.0, protocol: modbus, address: 127.0.0.1,
  edgecore_sock: ${join(directory, 'dmi.sock')} }
dev_init: { mode: register }
`,
  );
  const child = spawn(program, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-20_000)));
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  t.after(stop);
  return { stop, log: () => log, isRunning: () => child.exitCode === null && child.signalCode === null };
}

test(
  'a Go mapper of DMI v1alpha1 gets its devices by calls, reports them, follows changes, and is missed',
  { skip },
  async (t) => {
    const { directory, put, remove, run, server, reports, states, conditions, models } = await place(t);
    const { registers, port } = await startRegisters(t);
    models.set('default/register', model);
    const device = (name: string, offset: number, desired: string): Device => ({
      metadata: { name, namespace: 'default' },
      spec: {
        deviceModelRef: { name: 'register' },
        nodeName: 'edge-1',
        protocol: { protocolName: 'modbus', configData: { ip: '127.0.0.1', port, slaveID: 1 } },
        properties: [
          {
            name: 'value',
            reportToCloud: true,
            collectCycle: 100,
            desired: { value: desired },
            visitors: {
              protocolName: 'modbus',
              configData: { register: 'HoldingRegister', offset, limit: 1, scale: 1, dataType: 'int' },
            },
          },
        ],
      },
    });
    const reported = (name: string, value: string) =>
      reports.some((one) => one.device === name && one.property === 'value' && one.reported === value);

    put(device('a', 4, '21'));
    const stopServer = await run(server());
    const mapper = await startMapper(t, directory);
    await until('a report', () => reported('a', '21'));
    assert.equal(registers.get(4), 21);
    await until('the device is online', () => states.get('a') === 'online');

    put(device('a', 4, '22'));
    await until('the desired value is in the register', () => registers.get(4) === 22 && reported('a', '22'));
    put(device('b', 5, '7'));
    await until('a device that was added later', () => reported('b', '7'));
    remove('b');
    put(device('a', 4, '23'));
    await until('it goes on', () => reported('a', '23'));
    registers.set(4, 24);
    await until('what the device does by itself', () => reported('a', '24'));
    assert.ok(mapper.isRunning(), mapper.log());

    // A restarted edgecore knows the mapper, and which devices it has.
    await stopServer();
    await run(server());
    put(device('a', 4, '25'));
    await until('a change after the restart', () => reported('a', '25'), seconds(20));

    await mapper.stop();
    await until('its devices are offline', () => states.get('a') === 'offline', seconds(30));
    assert.equal(conditions.get('a/MapperReady')?.reason, 'MapperGone');
    reports.length = 0;
    const next = await startMapper(t, directory);
    await until('it is back', () => reported('a', '25') && states.get('a') === 'online', seconds(20));
    assert.ok(next.isRunning(), next.log());
  },
);
