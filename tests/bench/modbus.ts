// Modbus reads per second: the bare library, one request after the other, and the mapper as it runs, on the same device over
// loopback; with properties that share requests and with properties that cannot. And what the mapper's process takes meanwhile.
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Device, DeviceModel } from '@kedge/model/kubeedge';
import { kedgeProgram } from '../e2e/harness/run.ts';
import { place, until } from '../interop/dmi-rig.ts';
import { processFigures, round } from './process-figures.ts';
import { printTable } from './table.ts';

const seconds = 10;
const properties = 100;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Box {
  readonly port: number;
  requests(): Promise<number>;
  end(): void;
}

async function openBox(): Promise<Box> {
  const child = fork(join(import.meta.dirname, 'modbus-device.ts'));
  const say = async <T>(): Promise<T> => ((await once(child, 'message')) as [T])[0];
  const { port } = await say<{ port: number }>();
  return {
    port,
    async requests() {
      child.send('how many');
      return (await say<{ requests: number }>()).requests;
    },
    end: () => child.disconnect(),
  };
}

interface Client {
  connectTCP(host: string, options: { port: number }): Promise<void>;
  setTimeout(ms: number): void;
  readHoldingRegisters(address: number, count: number): Promise<unknown>;
  close(done: () => void): void;
}

/** Requests per second of the bare library. */
async function bare(box: Box, count: number): Promise<number> {
  const client = new (createRequire(import.meta.url)('modbus-serial') as new () => Client)();
  await client.connectTCP('127.0.0.1', { port: box.port });
  client.setTimeout(1_000);
  let done = 0;
  const end = performance.now() + seconds * 1_000;
  while (performance.now() < end) {
    await client.readHoldingRegisters(0, count);
    done += 1;
  }
  await new Promise<void>((resolve) => client.close(() => resolve()));
  return done / seconds;
}

/** Registers `step` apart: over 16 of them, each is a request of its own. */
function manifests(port: number, step: number): { model: DeviceModel; device: Device } {
  const names = Array.from({ length: properties }, (_, n) => `p${n}`);
  return {
    model: {
      metadata: { name: 'temp-model', namespace: 'default' },
      spec: { protocol: 'modbus', properties: names.map((name) => ({ name, type: 'INT', accessMode: 'ReadOnly' })) },
    },
    device: {
      metadata: { name: 'device', namespace: 'default' },
      spec: {
        deviceModelRef: { name: 'temp-model' },
        nodeName: 'edge-1',
        protocol: { protocolName: 'modbus', configData: { ip: '127.0.0.1', port } },
        properties: names.map((name, n) => ({
          name,
          reportToCloud: true,
          // As often as it can be.
          collectCycle: 10,
          visitors: { protocolName: 'modbus', configData: { register: 'HoldingRegister', offset: n * step } },
        })),
      },
    },
  };
}

interface Measured {
  readonly requests: number;
  readonly values: number;
  readonly cpu: number;
  readonly memory: number;
}

async function mapper(box: Box, step: number): Promise<Measured> {
  const cleanups: (() => unknown)[] = [];
  const site = await place({ after: (work: () => unknown) => void cleanups.push(work) } as unknown as TestContext);
  let child: ChildProcess | undefined;
  try {
    const { model, device } = manifests(box.port, step);
    site.models.set('default/temp-model', model);
    site.put(device);
    await site.run(site.server());
    const file = join(site.directory, 'mapper.json');
    const common = { edgecore_sock: join(site.directory, 'dmi.sock'), http_port: '', data_dir: site.directory };
    await writeFile(file, JSON.stringify({ grpc_server: { socket_path: join(site.directory, 'm.sock') }, common }));
    child = spawn(kedgeProgram, ['mapper', 'modbus', '--config-file', file], { stdio: 'ignore' });
    await until('values', () => site.reports.length > 1_000);
    const before = {
      requests: await box.requests(),
      values: site.reports.length,
      cpu: processFigures(child.pid!).cpuSeconds,
    };
    await pause(seconds * 1_000);
    const after = processFigures(child.pid!);
    return {
      requests: ((await box.requests()) - before.requests) / seconds,
      values: (site.reports.length - before.values) / seconds,
      cpu: (after.cpuSeconds - before.cpu) / seconds,
      memory: after.anonMB,
    };
  } finally {
    child?.kill('SIGKILL');
    for (const work of cleanups.toReversed()) await work();
  }
}

export async function benchModbus(): Promise<void> {
  const box = await openBox();
  const rows: (string | number)[][] = [];
  const one = await bare(box, 1);
  const many = await bare(box, properties);
  rows.push(['the library, a register at a time', round(one, 0), round(one, 0), '', '']);
  rows.push([`the library, ${properties} registers at a time`, round(many, 0), round(many * properties, 0), '', '']);
  for (const [what, step] of [
    [`the mapper, ${properties} registers that are far apart`, 20],
    [`the mapper, ${properties} registers side by side, each every 10 ms`, 1],
  ] as const) {
    const { requests, values, cpu, memory } = await mapper(box, step);
    rows.push([what, round(requests, 0), round(values, 0), round(cpu * 100, 0), round(memory, 1)]);
  }
  box.end();
  printTable('Modbus over loopback', ['who reads', 'requests/s', 'values/s', 'processor %', 'own memory MB'], rows);
}
