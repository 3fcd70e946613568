// The mappers that kedge brings, as they are started - `kedge mapper modbus` from its bundle - between a real server of their
// protocol and edgecore's DMI server: values arrive, desired ones are written, servers go away and come back, mappers are killed.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { seconds } from '@kedge/core/time';
import type { Device, DeviceModel } from '@kedge/model/kubeedge';
import { createMqtt } from '@kedge/platform/mqtt';
import { freePort } from '@kedge/testing/free-port';
import { hasMosquitto, startMosquitto } from '@kedge/testing/mosquitto';
import { startOpcuaServer } from '@kedge/testing/opcua';
import { hasSocat, startSerialLine } from '@kedge/testing/serial';
import type { ServerSerial, ServerTCP } from 'modbus-serial';
import { place, until } from './dmi-rig.ts';

const program = join(import.meta.dirname, '..', '..', 'bin', 'kedge');
const modbus = createRequire(import.meta.url)('modbus-serial') as {
  ServerTCP: typeof ServerTCP;
  ServerSerial: typeof ServerSerial;
};
const patience = seconds(40);

interface Wanted {
  readonly protocol: string;
  readonly configData: Record<string, unknown>;
  readonly properties: Readonly<
    Record<string, { readonly type: 'INT' | 'DOUBLE' | 'STRING'; readonly visitor: Record<string, unknown> }>
  >;
  /** With the names of their properties. */
  readonly methods?: Readonly<Record<string, readonly string[]>>;
  readonly desired?: Readonly<Record<string, string>>;
}

const modelOf = ({ protocol, properties }: Wanted): DeviceModel => ({
  metadata: { name: 'temp-model', namespace: 'default' },
  spec: {
    protocol,
    properties: Object.entries(properties).map(([name, { type }]) => ({
      name,
      type,
      accessMode: 'ReadWrite' as const,
    })),
  },
});

const deviceOf = ({ protocol, configData, properties, desired = {}, methods = {} }: Wanted): Device => ({
  metadata: { name: 'device', namespace: 'default' },
  spec: {
    deviceModelRef: { name: 'temp-model' },
    nodeName: 'edge-1',
    protocol: { protocolName: protocol, configData },
    methods: Object.entries(methods).map(([name, propertyNames]) => ({ name, propertyNames: [...propertyNames] })),
    properties: Object.entries(properties).map(([name, { visitor }]) => ({
      name,
      reportToCloud: true,
      collectCycle: 50,
      ...(desired[name] === undefined ? {} : { desired: { value: desired[name] } }),
      visitors: { protocolName: protocol, configData: visitor },
    })),
  },
});

/** An edgecore's DMI server and the mapper of one protocol. */
async function site(t: TestContext, which: string, wanted: Wanted, more: Record<string, unknown> = {}) {
  const edge = await place(t);
  edge.models.set('default/temp-model', modelOf(wanted));
  edge.put(deviceOf(wanted));
  const file = join(edge.directory, 'mapper.json');
  const log = join(edge.directory, 'mapper.log');
  const common = {
    edgecore_sock: join(edge.directory, 'dmi.sock'),
    http_port: '',
    data_dir: join(edge.directory, 'data'),
  };
  const config = { grpc_server: { socket_path: join(edge.directory, 'mapper.sock') }, common: { ...common, ...more } };
  await writeFile(file, JSON.stringify(config));
  let child: ChildProcess | undefined;
  const start = (): void => {
    const out = openSync(log, 'a');
    child = spawn(program, ['mapper', which, '--config-file', file], { stdio: ['ignore', out, out] });
    closeSync(out);
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = child;
    child = undefined;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
    const ended = once(ending, 'exit');
    ending.kill(signal);
    await ended;
  };
  t.after(() => end('SIGKILL'));
  const has = (property: string, value: string): boolean =>
    edge.reports.some((one) => one.property === property && one.reported === value);
  /** With the mapper's log when it never happens. */
  const waitFor = (what: string, isSo: () => boolean): Promise<void> =>
    until(what, isSo, patience).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${readFileSync(log, 'utf8').slice(-3_000)}`, { cause: error });
    });
  const isObserved = (property: string, value: string): boolean =>
    edge.reports.some((one) => one.property === property && one.reported === value && one.observedDesired === value);
  const is = (state: string) => (): boolean => edge.states.get('device') === state;
  const desire = (values: Readonly<Record<string, string>>): void => edge.put(deviceOf({ ...wanted, desired: values }));
  return { ...edge, start, end, has, waitFor, isObserved, is, desire, log: () => readFileSync(log, 'utf8') };
}

const registers = {
  level: { type: 'INT', visitor: { register: 'HoldingRegister', offset: 3 } },
  target: { type: 'INT', visitor: { register: 'HoldingRegister', offset: 7 } },
} as const;

/** Registers for the library's servers; reading one that is not there is an exception. */
function vector(holding: Uint16Array, onRead: (address: number) => void = () => undefined) {
  return {
    getHoldingRegister: async (address: number) => {
      onRead(address);
      return holding[address]!;
    },
    setRegister: async (address: number, value: number) => void (holding[address] = value),
  };
}

async function modbusOverTcp(port: number, holding: Uint16Array, onRead?: (address: number) => void) {
  const server = new modbus.ServerTCP(vector(holding, onRead), { host: '127.0.0.1', port });
  await once(server, 'initialized');
  return { stop: () => new Promise<void>((resolve) => server.close(() => resolve())) };
}

describe('mappers as processes, beside edgecore', { timeout: 300_000 }, () => {
  test('modbus over TCP: there and back, and when the server is gone and comes back', async (t) => {
    const port = await freePort();
    const holding = new Uint16Array(10);
    holding[3] = 21;
    let server = await modbusOverTcp(port, holding);
    t.after(() => server.stop());
    const configData = { communicateMode: 'TCP', ip: '127.0.0.1', port, slaveID: 1, timeout: 1 };
    const wanted: Wanted = { protocol: 'modbus', configData, properties: registers, desired: { target: '42' } };
    const mapper = await site(t, 'modbus', wanted);
    await mapper.run(mapper.server());
    mapper.start();
    await mapper.waitFor('a value', () => mapper.has('level', '21'));
    await mapper.waitFor('the desired value to be written and seen', () => mapper.isObserved('target', '42'));
    assert.equal(holding[7], 42);
    await mapper.waitFor('online', mapper.is('online'));
    await server.stop();
    await mapper.waitFor('offline', mapper.is('offline'));
    holding[3] = 22;
    server = await modbusOverTcp(port, holding);
    await mapper.waitFor('online again', () => mapper.is('online')() && mapper.has('level', '22'));
    mapper.desire({ target: '43' });
    await mapper.waitFor('the next desired value', () => holding[7] === 43);
    await mapper.end('SIGTERM');
  });

  test('modbus over a serial line', { skip: !hasSocat && 'socat is not installed' }, async (t) => {
    const line = await startSerialLine(t);
    const holding = new Uint16Array(10);
    holding[3] = 21;
    const options = { path: line.device, baudRate: 9_600, unitID: 7 } as ConstructorParameters<typeof ServerSerial>[1];
    const server = new modbus.ServerSerial(vector(holding), options);
    server.on('error', () => undefined).on('socketError', () => undefined);
    await once(server, 'initialized');
    t.after(() => new Promise<void>((resolve) => server.close(() => resolve())));
    const configData = { serialPort: line.host, baudRate: 9_600, slaveID: 7, timeout: 1 };
    const wanted: Wanted = { protocol: 'modbus', configData, properties: registers, desired: { target: '42' } };
    const mapper = await site(t, 'modbus', wanted);
    await mapper.run(mapper.server());
    mapper.start();
    await mapper.waitFor('a value', () => mapper.has('level', '21'));
    await mapper.waitFor('the desired value to be written and seen', () => mapper.isObserved('target', '42'));
    await line.unplug();
    await mapper.waitFor('offline', mapper.is('offline'));
    assert.match(mapper.conditions.get('device/Communicating')!.message, /is gone|was closed|failed/);
  });

  test('opcua, encrypted, with a user: there and back, and when the server is gone and comes back', async (t) => {
    const user = { name: 'operator', password: 'right' };
    const first = await startOpcuaServer(t, { user });
    const configData = {
      url: first.url,
      securityPolicy: 'Basic256Sha256',
      securityMode: 'SignAndEncrypt',
      userName: 'operator',
    };
    const properties = {
      temperature: { type: 'DOUBLE', visitor: { nodeID: 'ns=1;s=Temperature' } },
      level: { type: 'INT', visitor: { nodeID: 'ns=1;s=Level' } },
    } as const;
    const wanted: Wanted = { protocol: 'opcua', configData, properties };
    const mapper = await site(t, 'opcua', wanted);
    const password = join(mapper.directory, 'password');
    await writeFile(password, 'right\n');
    await mapper.run(mapper.server());
    mapper.start();
    // Nobody has said yet that this server is to be trusted, nor where the password is.
    await mapper.waitFor(
      'a refusal',
      () => mapper.conditions.get('device/Communicating')?.reason === 'UntrustedServer',
    );
    const trusted: Wanted = { ...wanted, configData: { ...configData, password, trustOnFirstUse: true } };
    mapper.put(deviceOf(trusted));
    await mapper.waitFor('a value', () => mapper.has('temperature', '21.5'));
    assert.equal(first.subscriptions, 1);
    first.set('Temperature', 22.5);
    await mapper.waitFor('a change', () => mapper.has('temperature', '22.5'));
    mapper.put(deviceOf({ ...trusted, desired: { level: '42' } }));
    await mapper.waitFor('the desired value to be written and seen', () => mapper.isObserved('level', '42'));
    assert.equal(first.get('Level'), 42);
    await first.stop();
    await mapper.waitFor('offline', mapper.is('offline'));
    const second = await startOpcuaServer(t, { user, port: first.port, identity: first.identity });
    await mapper.waitFor('online again', mapper.is('online'));
    await mapper.waitFor('the desired value to be written again', () => second.get('Level') === 42);
    await mapper.end('SIGTERM');
  });

  test('opcua: events are samples, and methods of the server are called over the REST API', async (t) => {
    const server = await startOpcuaServer(t);
    const boiler = { nodeID: 'ns=1;s=Boiler' };
    const wanted: Wanted = {
      protocol: 'opcua',
      configData: { url: server.url },
      properties: {
        alarm: { type: 'STRING', visitor: { ...boiler, event: 'message', minimumSeverity: 500 } },
        degrees: { type: 'INT', visitor: { ...boiler, methodID: '1:Heat' } },
      },
      methods: { heat: ['degrees'] },
    };
    const port = await freePort();
    const mapper = await site(t, 'opcua', wanted, { http_port: String(port) });
    await mapper.run(mapper.server());
    mapper.start();
    await mapper.waitFor('online', mapper.is('online'));
    // A method is no value that would be missed.
    assert.equal(mapper.conditions.get('device/Communicating')?.status, 'True');
    const isHeard = (): boolean => {
      // Again and again: before the mapper listens, nobody does.
      server.raise('all is well', 10);
      server.raise('too hot', 800);
      return mapper.has('alarm', 'too hot');
    };
    await mapper.waitFor('the event', isHeard);
    assert.equal(mapper.has('alarm', 'all is well'), false);
    const call = async (value: string) => {
      const response = await fetch(`http://127.0.0.1:${port}/api/v1/devicemethod/default/device/heat/degrees/${value}`);
      return { status: response.status, text: await response.text() };
    };
    const { status, text } = await call('95');
    assert.deepEqual([status, JSON.parse(text).Data, server.called], [200, '20', [['Heat', 95]]]);
    const refusal = await call('70000');
    assert.equal(refusal.status, 500);
    assert.match(refusal.text, /70000 for a node of type Int16: it does not fit/);
    await mapper.end('SIGTERM');
  });

  test(
    'mqtt: there and back, a device that says it is away, a broker that is gone',
    { skip: !hasMosquitto && 'mosquitto is not installed' },
    async (t) => {
      const broker = await startMosquitto(t);
      const url = `tcp://127.0.0.1:${broker.port}`;
      const connect = () =>
        createMqtt().connect({ url, clientId: 'lamp', timeoutMs: 5_000, onMessage: async () => undefined });
      let lamp = await connect();
      t.after(() => lamp.close());
      const say = (topic: string, payload: string) => lamp.publish({ topic, payload, qos: 1, retain: true });
      await say('lamp/status', 'online');
      await say('lamp/state', '{"brightness":21}');
      const properties = {
        brightness: { type: 'INT', visitor: { topic: 'lamp/state', jsonPath: '$.brightness' } },
        target: { type: 'INT', visitor: { topic: 'lamp/target', writeTopic: 'lamp/target', retain: true } },
      } as const;
      const configData = { brokerURL: url, availabilityTopic: 'lamp/status', timeout: 2 };
      const mapper = await site(t, 'mqtt', { protocol: 'mqtt', configData, properties, desired: { target: '42' } });
      await mapper.run(mapper.server());
      mapper.start();
      await mapper.waitFor('a value', () => mapper.has('brightness', '21'));
      await mapper.waitFor('the desired value to be written and seen', () => mapper.isObserved('target', '42'));
      await say('lamp/status', 'offline');
      await mapper.waitFor('offline', mapper.is('offline'));
      await say('lamp/status', 'online');
      await mapper.waitFor('online', mapper.is('online'));
      await broker.stop();
      await mapper.waitFor('offline, without a broker', mapper.is('offline'));
      await broker.start();
      lamp = await connect();
      await say('lamp/status', 'online');
      await say('lamp/state', '{"brightness":22}');
      await mapper.waitFor('the next value', () => mapper.is('online')() && mapper.has('brightness', '22'));
    },
  );

  test('virtual: devices of KubeEdge that name its virtual mapper’s protocol', async (t) => {
    const properties = {
      count: { type: 'INT', visitor: { generator: 'counter', start: 7 } },
      random: { type: 'INT', visitor: { dataType: 'int' } },
    } as const;
    const wanted: Wanted = {
      protocol: 'virtualProtocol',
      configData: { deviceID: '1' },
      properties,
      desired: { random: '1' },
    };
    const mapper = await site(t, 'virtual', wanted);
    await mapper.run(mapper.server());
    mapper.start();
    await mapper.waitFor('a value', () => mapper.has('count', '8'));
    // Below what is desired, there is 0 only.
    await mapper.waitFor('a random one', () => mapper.has('random', '0'));
    await mapper.end('SIGTERM');
  });

  for (const keep_samples of ['always', 'exact']) {
    test(`${keep_samples}: a mapper that is killed while edgecore is away loses nothing, and repeats nothing without saying so`, async (t) => {
      const port = await freePort();
      const holding = new Uint16Array(10);
      let isCounting = true;
      let count = 0;
      const server = await modbusOverTcp(port, holding, () => {
        if (isCounting) holding[3] = count += 1;
        else throw Object.assign(new Error('it rests'), { modbusErrorCode: 4 });
      });
      t.after(() => server.stop());
      const configData = { ip: '127.0.0.1', port, timeout: 1 };
      const { level } = registers;
      const wanted: Wanted = { protocol: 'modbus', configData, properties: { level } };
      const mapper = await site(t, 'modbus', wanted, { keep_samples });
      const stop = await mapper.run(mapper.server());
      mapper.start();
      await mapper.waitFor('some values', () => count > 5 && mapper.reports.length > 5);
      await stop();
      const before = count;
      await mapper.waitFor('values that wait', () => count > before + 40);
      isCounting = false;
      const rested = (): boolean => /exception 4/.test(mapper.log());
      await mapper.waitFor('the counter to rest', rested);
      await mapper.end('SIGKILL');
      await mapper.run(mapper.server());
      mapper.start();
      await mapper.waitFor('the last value', () => mapper.has('level', String(count)));
      const seen = new Set<number>();
      const firsts: number[] = [];
      for (const { reported, duplicate } of mapper.reports) {
        const value = Number(reported);
        if (seen.has(value)) assert.ok(duplicate, `${value} came twice and does not say so`);
        else firsts.push(value);
        seen.add(value);
      }
      assert.deepEqual(
        firsts,
        Array.from({ length: count }, (_, n) => n + 1),
      );
    });
  }
});
