// What goes wrong with devices, all of it at once on one edge: each fault is a condition on its Device and a line in a log, and
// touches no other device.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { after, before, describe, it } from 'node:test';
import { createMqtt } from '@kedge/platform/mqtt';
import { freePort } from '@kedge/testing/free-port';
import { hasMosquitto, type Mosquitto, startMosquitto } from '@kedge/testing/mosquitto';
import type { ServerTCP as Server } from 'modbus-serial';
import { createMapperProcess, type LineDevice, type MapperProcess, startLineDevice } from './harness/devices.ts';
import { tracesOf } from './harness/host-traces.ts';
import { type MqttApplication, startMqttApplication } from './harness/mqtt-application.ts';
import { createParts, type Parts } from './harness/parts.ts';
import { eventually } from './harness/run.ts';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}
interface Seen {
  readonly status?: {
    readonly state?: string;
    readonly conditions?: readonly Condition[];
    readonly twins?: readonly { readonly propertyName: string; readonly reported?: { readonly value: string } }[];
  };
}

interface Fault {
  readonly what: string;
  readonly device: string;
  /** Type and reason of the condition. */
  readonly condition: readonly [type: string, reason: string];
  readonly message: RegExp;
  readonly loggedBy: 'edgecore' | 'cloudcore';
  /** Another device, behind the same mapper where there is one, that must not notice. */
  readonly beside: string;
}

const faults: readonly Fault[] = [
  {
    what: 'a model that is not there',
    device: 'modelless',
    condition: ['HandedOver', 'ModelNotFound'],
    message: /DeviceModel "nowhere" has not reached this node: create it/,
    loggedBy: 'edgecore',
    beside: 'good',
  },
  {
    what: 'a property that its model has not',
    device: 'extra',
    condition: ['HandedOver', 'BadConfiguration'],
    message: /property "more" is not in DeviceModel "thing"/,
    loggedBy: 'edgecore',
    beside: 'good',
  },
  {
    what: 'a value of a wrong type',
    device: 'warm',
    condition: ['ValuesUsable', 'WrongType'],
    message: /"value": "warm"/,
    loggedBy: 'edgecore',
    beside: 'good',
  },
  {
    what: 'a value out of range',
    device: 'hot',
    condition: ['ValuesUsable', 'OutOfRange'],
    message: /above the maximum of 100/,
    loggedBy: 'edgecore',
    beside: 'good',
  },
  {
    what: 'a property that the device itself does not know',
    device: 'odd',
    condition: ['Communicating', 'DeviceError'],
    message: /error unknown/,
    loggedBy: 'edgecore',
    beside: 'good',
  },
  {
    what: 'a report of a property that is not in the Device',
    device: 'talkative',
    condition: ['ValuesValid', 'UnknownProperty'],
    message: /stranger: is reported, but is no property of the device/,
    loggedBy: 'cloudcore',
    beside: 'good',
  },
  {
    what: 'a configuration that the mapper cannot use',
    device: 'hostless',
    condition: ['Configured', 'BadConfiguration'],
    message: /host/,
    loggedBy: 'edgecore',
    beside: 'good',
  },
  {
    what: 'a device that does not answer in time',
    device: 'silent',
    condition: ['Communicating', 'Timeout'],
    message: /no answer within 10000 ms/,
    loggedBy: 'edgecore',
    beside: 'good',
  },
  {
    what: 'a Modbus exception',
    device: 'illegal',
    condition: ['Communicating', 'ModbusException'],
    message: /exception 2/,
    loggedBy: 'edgecore',
    beside: 'meter',
  },
  {
    what: 'a broker that is gone',
    device: 'sensor',
    condition: ['Communicating', 'Unreachable'],
    message: /cannot connect to the MQTT broker .*nothing listens there/s,
    loggedBy: 'edgecore',
    beside: 'other-sensor',
  },
];

/** The Modbus mapper stands still from then on. */
const hanging: Fault = {
  what: 'a mapper that hangs',
  device: 'meter',
  condition: ['MapperReady', 'MapperHangs'],
  message: /does not answer within 10 s/,
  loggedBy: 'edgecore',
  beside: 'good',
};

interface Settings {
  readonly name: string;
  readonly protocol?: string;
  readonly config?: object;
  readonly model?: string;
  readonly visitors?: Readonly<Record<string, object>>;
}

describe('faults of devices', { skip: !hasMosquitto && 'mosquitto is not installed' }, () => {
  const ends: (() => unknown)[] = [];
  const mappers = new Map<string, MapperProcess>();
  let parts: Parts;
  let box: LineDevice;
  let brokers: Record<'edge' | 'sensor', Mosquitto>;
  let application: MqttApplication;
  let count = 0;

  const deviceOf = (name: string): Promise<Seen> => parts.kubectl.json<Seen>('get', 'device', name);
  const conditionOf = async (name: string, type: string): Promise<Condition | undefined> =>
    (await deviceOf(name)).status?.conditions?.find((one) => one.type === type);
  const waitFor = (what: string, look: () => Promise<boolean>, limitMs = 30_000): Promise<unknown> =>
    eventually(what, look, limitMs).catch(async (error: unknown) => {
      const { stdout } = await parts.kubectl.try('get', 'devices', '-o', 'yaml');
      const logs = [...mappers].map(([name, mapper]) => `--- ${name}\n${mapper.log()}`);
      throw new Error(`${String(error)}\n${stdout}\n${parts.logs()}\n${logs.join('\n')}`, { cause: error });
    });

  function manifest(port: number, modbusPort: number): string {
    const line = (host: object = { host: '127.0.0.1' }) => ({ ...host, port });
    const modbus = { communicateMode: 'TCP', ip: '127.0.0.1', port: String(modbusPort), slaveID: 1, timeout: 1 };
    const register = (offset: number) => ({ register: 'HoldingRegister', offset, limit: 1, dataType: 'int' });
    const broker = (its: Mosquitto) => ({ brokerURL: `tcp://127.0.0.1:${its.port}` });
    const settings: Settings[] = [
      { name: 'good', visitors: { value: { name: 'fine' }, tick: { name: 'tick' } } },
      { name: 'modelless', model: 'nowhere', visitors: { value: { name: 'fine' } } },
      { name: 'extra', visitors: { value: { name: 'fine' }, more: { name: 'fine' } } },
      ...['warm', 'hot', 'odd', 'silent'].map((name) => ({ name, visitors: { value: { name } } })),
      { name: 'talkative', visitors: { value: { name: 'fine' } } },
      { name: 'hostless', config: { port }, visitors: { value: { name: 'fine' } } },
      { name: 'meter', protocol: 'modbus', config: modbus, visitors: { tick: register(1) } },
      { name: 'illegal', protocol: 'modbus', config: modbus, visitors: { value: register(999) } },
      { name: 'sensor', protocol: 'mqtt', config: broker(brokers.sensor), visitors: { value: { topic: 'a/value' } } },
      { name: 'other-sensor', protocol: 'mqtt', config: broker(brokers.edge), visitors: { tick: { topic: 'a/tick' } } },
    ];
    const model = {
      apiVersion: 'devices.kubeedge.io/v1beta1',
      kind: 'DeviceModel',
      metadata: { name: 'thing', namespace: 'default' },
      spec: {
        properties: [
          { name: 'value', type: 'INT', accessMode: 'ReadWrite', minimum: '0', maximum: '100' },
          { name: 'tick', type: 'INT', accessMode: 'ReadOnly' },
        ],
      },
    };
    const devices = settings.map(
      ({ name, protocol = 'line', config = line(), model: its = 'thing', visitors = {} }) => ({
        apiVersion: 'devices.kubeedge.io/v1beta1',
        kind: 'Device',
        metadata: { name, namespace: 'default' },
        spec: {
          deviceModelRef: { name: its },
          nodeName: parts.node,
          protocol: { protocolName: protocol, configData: config },
          properties: Object.entries(visitors).map(([property, configData]) => ({
            name: property,
            collectCycle: 200,
            reportToCloud: true,
            visitors: { protocolName: protocol, configData },
          })),
        },
      }),
    );
    return JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [model, ...devices] });
  }

  async function startModbusServer(): Promise<number> {
    // The library takes 0 for 502.
    const port = await freePort();
    const { ServerTCP } = createRequire(import.meta.url)('modbus-serial') as { ServerTCP: typeof Server };
    const read = (address: number): number => {
      if (address > 100) throw Object.assign(new Error('no such address'), { modbusErrorCode: 2 });
      return (count += 1) % 60_000;
    };
    const server = new ServerTCP(
      { getHoldingRegister: async (address: number) => read(address) },
      { host: '127.0.0.1', port },
    );
    await once(server, 'initialized');
    ends.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
    return port;
  }

  before(async () => {
    const end = { after: (one: unknown) => void ends.push(one as () => unknown) };
    brokers = { edge: await startMosquitto(end), sensor: await startMosquitto(end) };
    const url = `tcp://127.0.0.1:${brokers.edge.port}`;
    parts = await createParts('faulty', {
      edgeModules: { eventBus: { enable: true, mqttMode: 2, mqttServerExternal: url } },
    });
    const answers: Record<string, () => string | undefined> = {
      fine: () => '21',
      tick: () => String((count += 1)),
      warm: () => 'warm',
      hot: () => '500',
      silent: () => undefined,
    };
    box = await startLineDevice({ get: (name) => (answers[name] ?? (() => 'error unknown'))(), set: () => undefined });
    const modbusPort = await startModbusServer();
    await parts.startAll();
    mappers.set('line', await createMapperProcess(parts, 'line'));
    for (const name of ['modbus', 'mqtt'])
      mappers.set(name, await createMapperProcess(parts, name, { isBuiltIn: true }));
    for (const mapper of mappers.values()) mapper.start();
    await parts.kubectl.apply(manifest(box.port, modbusPort));
    application = startMqttApplication(url, 'default/talkative', ['stranger']);
    const mqtt = await createMqtt().connect({
      url,
      clientId: 'ticker',
      timeoutMs: 5_000,
      onMessage: async () => undefined,
    });
    const timer = setInterval(() => {
      const payload = String((count += 1));
      mqtt.publish({ topic: 'a/tick', payload, qos: 0 }).catch(() => undefined);
    }, 200);
    ends.push(
      () => mqtt.close(),
      () => clearInterval(timer),
    );
  });

  after(async () => {
    await application?.stop();
    for (const mapper of mappers.values()) await mapper.end('SIGKILL');
    await box?.close();
    await parts?.remove();
    for (const end of ends.reverse()) await end();
    assert.deepEqual(await tracesOf(...(parts?.marks ?? [])), []);
  });

  async function seen(
    { what, device, condition: [type, reason], message, loggedBy }: Fault,
    hangs = false,
  ): Promise<void> {
    await waitFor(
      `${what} to be said of ${device}`,
      async () => {
        const found = await conditionOf(device, type);
        return found?.status === 'False' && found.reason === reason && message.test(found.message);
      },
      hangs ? 75_000 : 30_000,
    );
    const line = parts
      .logOf(loggedBy)
      .split('\n')
      .find(
        (one) =>
          one.includes('something is wrong with a device') && one.includes(`default/${device}`) && one.includes(reason),
      );
    assert.ok(line, `${what}: ${loggedBy} has no line of it`);
  }

  /** Its newest value in the API goes on growing, and nothing is said against it. */
  async function untouched(device: string): Promise<void> {
    const tick = async (): Promise<number> => {
      const twins = (await deviceOf(device)).status?.twins;
      return Number(twins?.find(({ propertyName }) => propertyName === 'tick')?.reported?.value ?? 0);
    };
    const now = await tick();
    await waitFor(`a newer value of ${device}`, async () => (await tick()) > now);
    const { status } = await deviceOf(device);
    const against = status?.conditions?.filter(({ status: of }) => of === 'False');
    assert.deepEqual([status?.state, against], ['online', []], device);
  }

  it('are said, each on its device and in a log, and no other device notices', { timeout: 180_000 }, async () => {
    for (const device of ['good', 'meter', 'other-sensor']) {
      await waitFor(`${device} to be online`, async () => (await deviceOf(device)).status?.state === 'online');
    }
    await waitFor('the sensor to be online', async () => (await deviceOf('sensor')).status?.state === 'online');
    const edgecore = parts.pid('edgecore');
    await brokers.sensor.stop();
    for (const fault of faults) {
      await seen(fault);
      await untouched(fault.beside);
    }
    mappers.get('modbus')!.signal('SIGSTOP');
    await seen(hanging, true);
    assert.equal((await deviceOf('meter')).status?.state, 'offline');
    await untouched('good');
    await untouched('other-sensor');
    // No mapper of them all has taken edgecore down.
    assert.equal(parts.pid('edgecore'), edgecore);
    mappers.get('modbus')!.signal('SIGCONT');
    await waitFor('the mapper to be back', async () => (await conditionOf('meter', 'MapperReady'))?.status === 'True');
    await untouched('meter');
  });
});
