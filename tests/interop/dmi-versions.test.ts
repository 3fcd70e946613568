// What every mapper may count on, whichever version of DMI it speaks: v1beta1, and v1alpha1 of KubeEdge before v1.15. The
// mapper is played: it knows what KubeEdge's frameworks know, refuses what they refuse, and writes down what it is told.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { milliseconds } from '@kedge/core/time';
import type { Device } from '@kedge/model/kubeedge';
import { grpcServers, openGrpcChannel } from '@kedge/platform/grpc';
import { createDeviceManager, serveDeviceMapper } from '@kedge/wire/dmi';
import { createOldDeviceManager, serveOldDeviceMapper } from '@kedge/wire/dmi/v1alpha1';
import { rpcFailure, type RpcHandlers, type RpcTransport } from '@kedge/wire/rpc';
import { device, model, place, until } from './dmi-rig.ts';

/** A device as the mapper has it. */
interface Had {
  /** Of the property `temperature`. */
  readonly desired: string;
  readonly box: string;
  readonly cycleMs: number;
}

interface Told {
  readonly call: string;
  readonly name: string;
}

/** What a mapper of one version says and understands, in words of no version. */
interface Version {
  readonly name: string;
  handlers(mind: Mind): RpcHandlers;
  /** Calls that bring it device `a` and the model of that, after a registration that asks for everything. */
  readonly toldAtFirst: readonly string[];
  /** With what comes with the answer. */
  register(rpc: RpcTransport, address: string, withData: boolean, mind: Mind): Promise<void>;
  report(rpc: RpcTransport, name: string, property: string, value: string): Promise<unknown>;
}

/** What the mapper has. Refuses like KubeEdge's frameworks do. */
class Mind {
  readonly devices = new Map<string, Had>();
  readonly models = new Map<string, readonly string[]>();
  readonly told: Told[] = [];

  putDevice(call: string, name: string, had: Had, isNew: boolean): object {
    this.told.push({ call, name });
    if (isNew && this.devices.has(name)) throw rpcFailure('UNKNOWN', `add device ${name} failed, has existed`);
    this.devices.set(name, had);
    return {};
  }
  putModel(call: string, name: string, properties: readonly string[], isNew: boolean): object {
    this.told.push({ call, name });
    if (!isNew && !this.models.has(name)) throw rpcFailure('UNKNOWN', `update deviceModel ${name} failed, not existed`);
    this.models.set(name, properties);
    return {};
  }
  removeDevice(name: string): object {
    this.told.push({ call: 'removeDevice', name });
    if (!this.devices.delete(name)) throw rpcFailure('UNKNOWN', `device ${name} not found`);
    return {};
  }
  removeModel(name: string): object {
    this.told.push({ call: 'removeModel', name });
    this.models.delete(name);
    return {};
  }
}

type Fields<T> = T | undefined;
const textOf = (any: Fields<{ value?: Fields<Uint8Array> }>): string =>
  new TextDecoder().decode(any?.value?.subarray(2));

type NewDevice = NonNullable<Parameters<Parameters<typeof serveDeviceMapper>[0]['updateDevice']>[0]['device']>;
const readNew = (its: NewDevice): Had => ({
  desired: its.spec!.properties!.find(({ name }) => name === 'temperature')!.desired!.value!,
  box: textOf(its.spec!.protocol!.configData!.data!['box']),
  cycleMs: Number(its.spec!.properties![0]!.collectCycle),
});

type OldDevice = NonNullable<Parameters<Parameters<typeof serveOldDeviceMapper>[0]['updateDevice']>[0]['device']>;
const readOld = (its: OldDevice): Had => ({
  desired: its.status!.twins!.find(({ propertyName }) => propertyName === 'temperature')!.desired!.value!,
  box: textOf(its.spec!.protocol!.customizedProtocol!.configData!.data!['box']),
  cycleMs: Number(its.spec!.propertyVisitors![0]!.collectCycle) / 1e6,
});

interface Named {
  readonly name?: string | undefined;
  readonly spec?: { readonly properties?: readonly { readonly name?: string | undefined }[] | undefined } | undefined;
}
const propertiesOf = ({ spec }: Named): string[] => (spec?.properties ?? []).map(({ name = '' }) => name);

/** Calls and what comes of them are the same in both versions; only messages have other types. */
function played<D extends Pick<Named, 'name'>>(mind: Mind, read: (its: D) => Had) {
  type OfDevice = { readonly device?: Fields<D> };
  type OfModel = { readonly model?: Fields<Named> };
  return {
    registerDevice: async ({ device: its }: OfDevice) => mind.putDevice('registerDevice', its!.name!, read(its!), true),
    updateDevice: async ({ device: its }: OfDevice) => mind.putDevice('updateDevice', its!.name!, read(its!), false),
    removeDevice: async ({ deviceName }: { readonly deviceName?: Fields<string> }) => mind.removeDevice(deviceName!),
    createDeviceModel: async ({ model: its }: OfModel) =>
      mind.putModel('createModel', its!.name!, propertiesOf(its!), true),
    updateDeviceModel: async ({ model: its }: OfModel) =>
      mind.putModel('updateModel', its!.name!, propertiesOf(its!), false),
    removeDeviceModel: async ({ modelName }: { readonly modelName?: Fields<string> }) => mind.removeModel(modelName!),
  };
}

const describeMapper = (address: string) => ({
  name: 'toy',
  protocol: 'toy',
  address: new TextEncoder().encode(address),
  state: 'OK',
});

const current: Version = {
  name: 'v1beta1',
  handlers: (mind) =>
    serveDeviceMapper({ ...played(mind, readNew), getDevice: () => assert.fail('KubeEdge crashes on it') }),
  toldAtFirst: [],
  async register(rpc, address, withData, mind) {
    const mapper = describeMapper(address);
    const { deviceList = [], modelList = [] } = await createDeviceManager(rpc).mapperRegister({ withData, mapper });
    for (const its of deviceList) mind.devices.set(its.name!, readNew(its));
    for (const its of modelList) mind.models.set(its.name!, propertiesOf(its));
  },
  report: (rpc, deviceName, propertyName, value) =>
    createDeviceManager(rpc).reportDeviceStatus({
      deviceName,
      deviceNamespace: 'default',
      reportedDevice: { twins: [{ propertyName, observedDesired: { value: '' }, reported: { value } }] },
    }),
};

const old: Version = {
  name: 'v1alpha1',
  handlers: (mind) => serveOldDeviceMapper(played(mind, readOld)),
  toldAtFirst: ['createModel temp-model', 'registerDevice a'],
  async register(rpc, address, withData) {
    const mapper = describeMapper(address);
    const { deviceList = [], modelList = [] } = await createOldDeviceManager(rpc).mapperRegister({ withData, mapper });
    // With devices in hand, it would wait for them to end and never open its socket.
    assert.deepEqual([deviceList, modelList], [[], []]);
  },
  report: (rpc, deviceName, propertyName, value) => {
    const metadata = { type: 'float', timestamp: '1' };
    const twins = [{ propertyName, desired: { value: '' }, reported: { value, metadata } }];
    return createOldDeviceManager(rpc).reportDeviceStatus({ deviceName, reportedDevice: { twins, state: 'OK' } });
  },
};

/** An edge with played devices, and a mapper of this version that can be started and stopped. */
async function stage(t: TestContext, version: Version) {
  const site = await place(t);
  const socket = join(site.directory, 'played.sock');
  const rpc = openGrpcChannel({ socketPath: join(site.directory, 'dmi.sock') });
  t.after(() => rpc.close());
  const mind = new Mind();
  const serve = async () => {
    const listening = await grpcServers.listen({ socketPath: socket, handlers: version.handlers(mind) });
    t.after(() => listening.close());
    return listening;
  };
  const calls = () => mind.told.map(({ call, name }) => `${call} ${name}`);
  const register = (withData = true) => version.register(rpc, socket, withData, mind);
  return {
    ...site,
    mind,
    serve,
    register,
    /** Registers, opens its socket, and has these devices; `calls` are those after that. */
    async meet(...names: readonly string[]) {
      await register();
      const listening = await serve();
      await until('its devices', () => names.every((name) => mind.devices.has(name)));
      assert.deepEqual(calls().sort(), names.length > 0 ? version.toldAtFirst : []);
      mind.told.length = 0;
      return listening;
    },
    report: (name: string, value: string) => version.report(rpc, name, 'temperature', value),
    calls,
  };
}

const inNamespace = (namespace: string, its: Device): Device => ({ ...its, metadata: { ...its.metadata, namespace } });
const fast = { aliveEvery: milliseconds(50), callTimeout: milliseconds(300) };

for (const version of [current, old]) {
  describe(`a mapper that speaks DMI ${version.name}`, () => {
    test('has its devices once it is registered, and what it reports is stored', async (t) => {
      const { put, run, server, meet, report, mind, reports, calls, conditions, states } = await stage(t, version);
      put(device('a', '23.5'));
      await run(server(fast));
      await meet('a');
      assert.deepEqual(Object.fromEntries(mind.devices), { a: { desired: '23.5', box: 'a', cycleMs: 20 } });
      assert.deepEqual(Object.fromEntries(mind.models), { 'temp-model': ['temperature', 'count'] });
      await report('a', '21.5');
      const [said] = reports;
      assert.deepEqual([said?.device, said?.property, said?.reported], ['a', 'temperature', '21.5']);
      assert.equal(said?.observedDesired, undefined);
      await until('the mapper is known to answer', () => conditions.get('a/MapperReady')?.status === 'True');
      if (version === old) assert.equal(states.get('a'), 'online');
      await assert.rejects(report('stranger', '1'), /NOT_FOUND/);
      assert.deepEqual(calls(), []);
    });

    test('is told what changes: values, devices, models', async (t) => {
      const { put, remove, models, run, server, meet, mind, calls } = await stage(t, version);
      put(device('a', '1'));
      await run(server(fast));
      await meet('a');
      put(device('a', '2'));
      await until('the value', () => mind.devices.get('a')?.desired === '2');
      put(device('b', '3'));
      await until('the device', () => mind.devices.get('b')?.desired === '3');
      models.set('default/temp-model', {
        ...model,
        spec: { ...model.spec, properties: [...model.spec!.properties!, { name: 'more', type: 'INT' }] },
      });
      put(device('b', '3'));
      await until('the model', () => mind.models.get('temp-model')?.includes('more') === true);
      remove('b');
      await until('the device to go', () => !mind.devices.has('b'));
      const first = calls().filter((call, n, all) => all.indexOf(call) === n);
      assert.deepEqual(
        first.filter((call) => call !== 'updateDevice b'),
        ['updateDevice a', 'registerDevice b', 'updateModel temp-model', 'removeDevice b'],
      );
    });

    test('that asks for nothing with its registration is told everything by calls', async (t) => {
      const { put, run, server, serve, register, mind } = await stage(t, version);
      put(device('a', '1'));
      await run(server(fast));
      await register(false);
      // Mappers open their socket after they have registered.
      await serve();
      await until('the device', () => mind.devices.get('a')?.desired === '1' && mind.models.size === 1);
    });

    test('has what a lost call has brought it, and is told what is newer', async (t) => {
      const { put, run, server, meet, mind, calls, conditions } = await stage(t, version);
      await run(server(fast));
      await meet();
      // As if a call of before had been taken, and its answer lost.
      mind.devices.set('a', { desired: 'old', box: 'a', cycleMs: 20 });
      put(device('a', '5'));
      await until('the new value', () => mind.devices.get('a')?.desired === '5');
      assert.deepEqual(calls().slice(-2), ['registerDevice a', 'updateDevice a']);
      // As if it had forgotten a model.
      mind.models.clear();
      put(device('b', '6'));
      await until('b', () => mind.devices.has('b'));
      assert.equal(conditions.get('b/Accepted'), undefined);
    });

    test('is known to an edgecore that was restarted, which says only what is new', async (t) => {
      const { put, run, server, meet, report, mind, reports, calls, db } = await stage(t, version);
      put(device('a', '1'));
      const stop = await run(server(fast));
      await meet('a');
      // Until it is, a restarted edgecore says it again, to be sure.
      const facts = db.statement<{ value: string }>('SELECT value FROM fact');
      await until('what it was handed is on disk', () =>
        facts.all().some(({ value }) => value.includes('"device/default/a"')),
      );
      await stop();
      await run(server(fast));
      put(device('a', '2'));
      await until('the new value', () => mind.devices.get('a')?.desired === '2');
      assert.deepEqual(calls(), ['updateDevice a']);
      await report('a', '9');
      assert.equal(reports.at(-1)?.reported, '9');
    });

    test('that dies is missed, and its devices are back with its first report', async (t) => {
      const { put, run, server, serve, register, meet, report, states, conditions } = await stage(t, version);
      put(device('a', '1'));
      await run(server(fast));
      const listening = await meet('a');
      await until('it is there', () => conditions.get('a/MapperReady')?.status === 'True');
      await listening.close();
      await until('its devices are offline', () => states.get('a') === 'offline');
      assert.equal(conditions.get('a/MapperReady')?.reason, 'MapperGone');
      await serve();
      await register();
      await report('a', '4');
      await until('online', () => states.get('a') === 'online');
      await until('it is there again', () => conditions.get('a/MapperReady')?.status === 'True');
    });
  });
}

test('v1alpha1 has no namespaces: of two devices with one name the first has it, and the other is told', async (t) => {
  const { put, models, run, server, serve, register, report, mind, conditions, reports } = await stage(t, old);
  for (const namespace of ['alpha', 'beta']) {
    models.set(`${namespace}/temp-model`, { ...model, metadata: { ...model.metadata, namespace } });
  }
  const streaming = { ...model.spec!.properties![1]!, type: 'STREAM' as const };
  models.set('alpha/films', {
    metadata: { name: 'films', namespace: 'alpha' },
    spec: { protocol: 'toy', properties: [model.spec!.properties![0]!, streaming] },
  });
  const films = inNamespace('alpha', device('c', '3'));
  put(inNamespace('beta', device('x', '2')), inNamespace('alpha', device('a', '1')), {
    ...films,
    spec: { ...films.spec, deviceModelRef: { name: 'films' } },
  });
  await run(server(fast));
  await serve();
  await register();
  await until('its devices', () => mind.devices.size === 2);
  // The model of beta's device has the name of alpha's.
  assert.deepEqual([...mind.devices.keys()].sort(), ['a', 'c']);
  assert.deepEqual(mind.models.get('films'), ['temperature']);
  await until('the other one is told', () => conditions.get('x/HandedOver')?.reason === 'NameTaken');
  assert.match(conditions.get('x/HandedOver')!.message, /has "alpha\/temp-model": give one of them another name/);
  assert.match(conditions.get('c/HandedOver')!.message, /property "count" is a stream, which its mapper/);
  await report('a', '8');
  assert.equal(reports.at(-1)?.device, 'a');
  await assert.rejects(report('x', '8'), /NOT_FOUND/);
});
