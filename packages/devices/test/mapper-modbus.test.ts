// The Modbus mapper against modbus-serial's server on loopback: what every mapper must do, and what only Modbus has.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { silentLog } from '@kedge/core/log';
import type { PropertyType } from '@kedge/model/kubeedge';
import { createRandom, systemClock } from '@kedge/platform/node';
import { describeMapper } from '@kedge/testing/contracts';
import { freePort } from '@kedge/testing/free-port';
import type { ServerTCP as Server } from 'modbus-serial';
import { createModbusMapper } from '../src/mapper-modbus/index.ts';
import { type FoundDevice, mapperErrors, type RawValue, readConfig } from '../src/mapper-sdk/index.ts';

const load = createRequire(import.meta.url);
const { ServerTCP } = load('modbus-serial') as { ServerTCP: typeof Server };
const driver = createModbusMapper({ load: async (name) => load(name) as unknown });
const deps = { clock: systemClock, random: createRandom() };

/** A device with `size` addresses of each kind; whatever is behind them is an illegal address. */
async function modbusServer(t: TestContext, { port, size = 100 }: { port?: number; size?: number } = {}) {
  const coils = new Map<number, boolean>();
  const holding = new Uint16Array(size);
  const input = new Uint16Array(size);
  const requests: string[] = [];
  const silent = new Set<number>();
  const hole = new Set<number>();
  const at = (address: number): number => {
    if (address >= size || hole.has(address)) throw Object.assign(new Error('no such address'), { modbusErrorCode: 2 });
    return address;
  };
  const one = async (words: Uint16Array, address: number, unit: number): Promise<number> =>
    silent.has(unit) ? new Promise(() => undefined) : words[at(address)]!;
  // The library asks for one register by itself, and for more of them in one go.
  const single = (name: string, words: Uint16Array) => (address: number, unit: number) => {
    requests.push(`${name} ${address}+1`);
    return one(words, address, unit);
  };
  const block = (name: string, words: Uint16Array) => (address: number, length: number, unit: number) => {
    requests.push(`${name} ${address}+${length}`);
    return Array.from({ length }, (_, n) => one(words, address + n, unit)) as unknown as number[];
  };
  const server = new ServerTCP(
    {
      getCoil: async (address: number) => coils.get(at(address)) ?? false,
      getDiscreteInput: async (address: number) => at(address) % 2 === 1,
      getHoldingRegister: single('holding', holding),
      getInputRegister: single('input', input),
      getMultipleHoldingRegisters: block('holding', holding),
      getMultipleInputRegisters: block('input', input),
      setCoil: async (address: number, value: boolean) => void coils.set(at(address), value),
      setRegister: async (address: number, value: number) => void (holding[at(address)] = value),
    },
    // The library takes port 0 for 502.
    { host: '127.0.0.1', port: port ?? (await freePort()) },
  );
  await once(server, 'initialized');
  const net = (server as unknown as { _server: { address(): AddressInfo } })._server;
  let stopped = false;
  const stop = async (): Promise<void> => {
    if (stopped) return;
    stopped = true;
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  t.after(stop);
  return { port: net.address().port, coils, holding, input, requests, silent, hole, sockets: server.socks, stop };
}

const holding = (offset: number, more: Record<string, unknown> = {}) => ({
  register: 'HoldingRegister',
  offset,
  ...more,
});

describeMapper('Modbus over TCP', driver, deps, async (t) => {
  const server = await modbusServer(t);
  server.holding.set([215, 0xffff, 0xfffe, 0x0000, 0x41ac]);
  server.input.set([0x6b65, 0x6467, 0x6500], 10);
  server.coils.set(3, true);
  return {
    protocolConfig: { communicateMode: 'TCP', ip: '127.0.0.1', port: String(server.port), slaveID: 1, timeout: 1 },
    properties: {
      plain: { type: 'INT', visitor: holding(0, { dataType: 'int', limit: 1 }), value: 215 },
      signed: { type: 'INT', visitor: holding(1, { dataType: 'int32' }), value: -2 },
      float: { type: 'FLOAT', visitor: holding(3, { dataType: 'float', isRegisterSwap: true }), value: 21.5 },
      name: { type: 'STRING', visitor: { register: 'InputRegister', offset: 10, limit: 3 }, value: 'kedge' },
      coil: { type: 'BOOLEAN', visitor: { register: 'CoilRegister', offset: 3 }, value: true },
      input: { type: 'BOOLEAN', visitor: { register: 'DiscreteInputRegister', offset: 4 }, value: false },
    },
    writable: 'plain',
    written: 300,
    missing: holding(500),
    unusable: { register: 'SomeRegister', offset: 0 },
    set: async (_, value) => void (server.holding[0] = Number(value)),
    stop: server.stop,
  };
});

describe('Modbus over TCP', () => {
  async function open(t: TestContext, port: number, more: Record<string, unknown> = {}) {
    const stop = new AbortController();
    const config = readConfig(driver.protocolConfig, { ip: '127.0.0.1', port, timeout: 1, ...more }, 'protocol');
    const connection = await driver.open(config, { ...deps, log: silentLog, signal: stop.signal });
    t.after(() => connection.close());
    const point = (property: string, visitor: Record<string, unknown>, type: PropertyType = 'INT') => ({
      property,
      type,
      access: 'ReadWrite' as const,
      visitor: readConfig(driver.visitorConfig, visitor, property),
    });
    const read = async (...points: ReturnType<typeof point>[]) =>
      new Map(
        (await connection.read(points, stop.signal)).map((one) => [
          one.property,
          'error' in one ? one.error : one.value,
        ]),
      );
    const write = (visitor: Record<string, unknown>, value: RawValue) =>
      connection.write!(point('written', visitor), value, stop.signal);
    return { connection, point, read, write };
  }

  test('every type in every order, written and read back', async (t) => {
    const { port } = await modbusServer(t);
    const { point, read, write } = await open(t, port);
    const values: [dataType: string, value: RawValue][] = [
      ['int16', -2],
      ['uint16', 65_534],
      ['int32', -70_000],
      ['uint32', 4_000_000_000],
      ['int64', -(2n ** 62n)],
      ['uint64', 2n ** 63n + 1n],
      ['float', 21.5],
      ['double', 0.1],
      ['boolean', true],
    ];
    for (const byteOrder of ['ABCD', 'DCBA', 'BADC', 'CDAB']) {
      for (const [dataType, value] of values) {
        const visitor = holding(20, { dataType, byteOrder });
        await write(visitor, value);
        assert.deepEqual((await read(point('p', visitor))).get('p'), value, `${dataType} ${byteOrder}`);
      }
    }
    const coils = { register: 'CoilRegister', offset: 7, limit: 10 };
    await write(coils, 517);
    assert.equal((await read(point('coils', coils))).get('coils'), 517);
  });

  test('a bit is written and the other bits stay', async (t) => {
    const server = await modbusServer(t);
    server.holding[5] = 0b1001;
    const { write } = await open(t, server.port);
    await write(holding(5, { dataType: 'bit', bit: 1 }), true);
    await write(holding(5, { dataType: 'bit', bit: 3 }), false);
    assert.equal(server.holding[5], 0b0011);
  });

  test('neighbours share a request; a hole between them is found once', async (t) => {
    const server = await modbusServer(t);
    const { point, read } = await open(t, server.port);
    const points = [point('a', holding(0)), point('b', holding(4))];
    await read(...points);
    assert.deepEqual(server.requests.splice(0), ['holding 0+5']);
    server.hole.add(2);
    server.holding.set([1, 0, 0, 0, 2]);
    assert.deepEqual(
      [...(await read(...points))],
      [
        ['a', 1],
        ['b', 2],
      ],
    );
    assert.deepEqual(server.requests.splice(0), ['holding 0+5', 'holding 0+1', 'holding 4+1']);
    await read(...points);
    assert.deepEqual(server.requests, ['holding 0+1', 'holding 4+1']);
  });

  test('what cannot be written is refused, and nothing is sent', async (t) => {
    const { port } = await modbusServer(t);
    const { connection, write, read, point } = await open(t, port);
    const input = { register: 'InputRegister', offset: 0 };
    await assert.rejects(write(input, 1), (error) => mapperErrors.REFUSED.is(error) && /read-only/.test(error.message));
    await assert.rejects(write(holding(0), 65_536), mapperErrors.REFUSED.is);
    await assert.rejects(
      write(holding(500), 1),
      (error) => mapperErrors.REFUSED.is(error) && /illegal data address/.test(error.message),
    );
    assert.equal((await read(point('p', holding(0)))).get('p'), 0);
    await connection.close();
  });

  test('devices behind one address share a connection; a silent one fails alone', async (t) => {
    const server = await modbusServer(t);
    server.silent.add(2);
    server.holding[0] = 7;
    const first = await open(t, server.port, { slaveID: 1 });
    const second = await open(t, server.port, { slaveID: 2, timeout: 0.05 });
    assert.equal(server.sockets.size, 1);
    const [good, bad] = await Promise.all([
      first.read(first.point('p', holding(0))),
      second.read(second.point('p', holding(0))),
    ]);
    assert.equal(good.get('p'), 7);
    const error = bad.get('p');
    assert.ok(mapperErrors.FAULT.is(error) && error.details.reason === 'Timeout');
    await second.connection.close();
    assert.equal((await first.read(first.point('p', holding(0)))).get('p'), 7);
  });

  test('a connection without a single answer is given up', async (t) => {
    const server = await modbusServer(t);
    server.silent.add(1);
    const { connection, point, read } = await open(t, server.port, { timeout: 0.05 });
    await assert.rejects(async () => {
      for (let n = 0; n < 4; n++) await read(point('p', holding(0)));
    }, /3 requests in a row/);
    assert.ok(mapperErrors.FAULT.is(await connection.lost));
  });

  test('a server that is back is reached again', async (t) => {
    const server = await modbusServer(t);
    const before = await open(t, server.port);
    await server.stop();
    assert.match((await before.connection.lost!).message, /hung up/);
    await assert.rejects(open(t, server.port));
    const again = await modbusServer(t, { port: server.port });
    again.holding[0] = 9;
    const after = await open(t, server.port);
    assert.equal((await after.read(after.point('p', holding(0)))).get('p'), 9);
  });

  /** A device that answers single frames, as `answer` has it: function and data to function and data. */
  async function frames(t: TestContext, answer: (request: Buffer) => readonly number[]) {
    const asked: number[][] = [];
    const server = createServer((socket) => {
      socket
        .on('error', () => undefined)
        .on('data', (request) => {
          asked.push([...request.subarray(7)]);
          const data = answer(request.subarray(7));
          socket.write(Buffer.concat([request.subarray(0, 4), Buffer.from([0, data.length + 1, 1, ...data])]));
        });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => void server.close());
    return { port: (server.address() as AddressInfo).port, asked };
  }

  test('a bit is written by function 22, in one go, where the device has it', async (t) => {
    const { port, asked } = await frames(t, (request) => [...request]);
    const { write, connection } = await open(t, port);
    await write(holding(5, { dataType: 'bit', bit: 1 }), true);
    await write(holding(5, { dataType: 'bit', bit: 15 }), false);
    // Function, address, what stays, what is set.
    assert.deepEqual(asked, [
      [22, 0, 5, 0xff, 0xfd, 0, 2],
      [22, 0, 5, 0x7f, 0xff, 0, 0],
    ]);
    await connection.close();
  });

  test('garbage costs the request, not the mapper', async (t) => {
    const server = createServer((socket) => {
      socket
        .on('error', () => undefined)
        .on('data', (request) => {
          // The right transaction, and the answer to another function.
          socket.write(Buffer.concat([request.subarray(0, 4), Buffer.from([0, 5, 1, 4, 2, 0, 7])]));
        });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => void server.close());
    const { connection, point, read } = await open(t, (server.address() as AddressInfo).port);
    const error = (await read(point('p', holding(0)))).get('p');
    assert.ok(mapperErrors.FAULT.is(error) && error.details.reason === 'BadAnswer');
    await connection.close();
  });
});

describe('a search for Modbus devices', () => {
  const found = async (options: Record<string, string>): Promise<FoundDevice[]> => {
    const { signal } = new AbortController();
    const devices: FoundDevice[] = [];
    for await (const device of driver.discover!(options, { ...deps, log: silentLog, signal })) devices.push(device);
    return devices;
  };

  test('finds what answers, with what can be read of it, and only reads', async (t) => {
    const server = await modbusServer(t, { size: 6 });
    server.holding.set([215, 0xffff]);
    server.hole.add(3);
    const [device, ...more] = await found({
      ports: String(server.port),
      units: '1',
      registers: '0-9',
      rate: '1000',
      timeout: '2000',
    });
    assert.deepEqual(more, []);
    assert.match(device!.name, new RegExp(`-127-0-0-1-${server.port}$`));
    assert.deepEqual(device!.protocolConfig, {
      communicateMode: 'TCP',
      ip: '127.0.0.1',
      port: server.port,
      slaveID: 1,
    });
    const of = (table: string) =>
      device!.properties.filter(({ name }) => name.startsWith(table)).map(({ name }) => Number(name.split('-')[1]));
    assert.deepEqual(
      [of('holding'), of('input')],
      [
        [0, 1, 2, 4, 5],
        [0, 1, 2, 4, 5],
      ],
    );
    const [first, second] = device!.properties.filter(({ name }) => name.startsWith('holding'));
    assert.deepEqual(first, {
      name: 'holding-0',
      type: 'INT',
      access: 'ReadWrite',
      description: 'was 215 when it was found',
      visitorConfig: { register: 'HoldingRegister', offset: 0, limit: 1, dataType: 'int16' },
    });
    assert.equal(second!.description, 'was -1 when it was found');
    assert.ok(server.requests.length > 0 && server.requests.every((request) => /^(holding|input) /.test(request)));
  });

  test('goes over silent units and ports where nobody is', async (t) => {
    const server = await modbusServer(t, { size: 1 });
    server.silent.add(1);
    const gone = await modbusServer(t);
    await gone.stop();
    const options = {
      ports: `${gone.port},${server.port}`,
      units: '1-2',
      registers: '0',
      rate: '1000',
      timeout: '1000',
    };
    const devices = await found(options);
    assert.deepEqual(
      devices.map(({ protocolConfig }) => protocolConfig['slaveID']),
      [2],
    );
  });

  test('says what is wrong with its options', async () => {
    await assert.rejects(found({ host: '10.0.0.1' }), /host is unknown; known: hosts/);
    await assert.rejects(found({ ports: '0' }), mapperErrors.BAD_CONFIG.is);
    await assert.rejects(found({ hosts: '10.0.0.0/24', ports: '1-100' }), mapperErrors.BAD_CONFIG.is);
    await assert.rejects(found({ hosts: '10.0.0.0/8' }), mapperErrors.BAD_CONFIG.is);
    await assert.rejects(found({ serial: '/dev/none', baudRate: 'fast' }), mapperErrors.BAD_CONFIG.is);
  });
});
