// The driver that `kedge mapper new` writes keeps the contract of mappers.
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import type { MapperDriver } from '@kedge/devices/mapper-sdk';
import { createRandom, systemClock } from '@kedge/platform/node';
import { describeMapper } from '@kedge/testing/contracts';
import { driver } from '../src/commands/mapper-new.ts';

// In the repository, where the SDK is found as in a project.
const build = join(import.meta.dirname, '..', 'build');
mkdirSync(build, { recursive: true });
const folder = mkdtempSync(join(build, 'template-'));
after(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, 'mapper.ts'), driver('lines'));
const template = (await import(join(folder, 'mapper.ts'))) as { readonly default: MapperDriver<unknown, unknown> };

describeMapper('the template', template.default, { clock: systemClock, random: createRandom() }, async (t) => {
  const values = new Map([
    ['temp', '21.5'],
    ['count', '7'],
  ]);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    createInterface({ input: socket }).on('line', (line) => {
      const [verb, name = '', value = ''] = line.split(' ');
      if (verb === 'SET' && values.has(name)) values.set(name, value);
      socket.write(`${values.get(name) ?? 'error unknown'}\n`);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  t.after(stop);
  return {
    protocolConfig: { host: '127.0.0.1', port: String(port) },
    properties: {
      temperature: { type: 'FLOAT', visitor: { name: 'temp' }, value: '21.5' },
      count: { type: 'INT', visitor: { name: 'count' }, value: '7' },
    },
    writable: 'temperature',
    written: '30',
    missing: { name: 'nothing' },
    unusable: {},
    set: async (_, value) => void values.set('temp', String(value)),
    stop,
  };
});
