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
  /** Resolves to what it was handed with the answer. */
  register(rpc: RpcTransport, address: string, withData: boolean, mind: Mind): Promise<void>;
  report(rpc: RpcTransport, name: string, property: string, value: string): Promise<unknown>;
}

/** What the mapper has. Refuses like KubeEdge's frameworks do. */
class Mind {
  readonly devices = new Map<string, Had>();
  readonly models = new Map<string, readonly string[]>();
  readonly told: Told[] = [];

  putDevice(call: string, name: string, had: Had, isNew: boolean): void {
    this.told.push({ call, name });
    if (isNew && this.devices.has(name)) throw rpcFailure('UNKNOWN', `add device ${name} failed, has existed`);
    this.devices.set(name, had);
  }
  putModel(call: string, name: string, properties: readonly string[], isNew: boolean): void {
    this.told.push({ call, name });
    if (!isNew && !this.models.has(name)) throw rpcFailure('UNKNOWN', `update deviceModel ${name} failed, not existed`);
    this.models.set(name, properties);
  }
  removeDevice(name: string): void {
    this.told.push({ call: 'removeDevice', name });
    if (!this.devices.delete(name)) throw rpcFailure('UNKNOWN', `device ${name} not found`);
  }
  removeModel(name: string): void {
    this.told.push({ call: 'removeModel', name });
    this.models.delete(name);
  }
}

type Fields<T> = T | undefined;
const textOf = (any: Fields<{ value?: Fields<Uint8Array> }>): string =>
  new TextDecoder().decode(any?.value?.subarray(2));

type NewDevice = Fields<Parameters<Parameters<typeof serveDeviceMapper>[0]['updateDevice']>[0]['device']>;
const readNew = (its: NewDevice): Had => ({
  desired: its!.spec!.properties!.find(({ name }) => name === 'temperature')!.desired!.value!,
  box: textOf(its!.spec!.protocol!.configData!.data!['box']),
  cycleMs: Number(its!.spec!.properties![0]!.collectCycle),
});

type OldDevice = Fields<Parameters<Parameters<typeof serveOldDeviceMapper>[0]['updateDevice']>[0]['device']>;
const readOld = (its: OldDevice): Had => ({
  desired: its!.status!.twins!.find(({ propertyName }) => propertyName === 'temperature')!.desired!.value!,
  box: textOf(its!.spec!.protocol!.customizedProtocol!.configData!.data!['box']),
  cycleMs: Number(its!.spec!.propertyVisitors![0]!.collectCycle) / 1e6,
});

interface Named {
  readonly name?: string | undefined;
  readonly spec?: { readonly properties?: readonly { readonly name?: string | undefined }[] | undefined } | undefined;
}
const propertiesOf = ({ spec }: Named): string[] => (spec?.properties ?? []).map(({ name = '' }) => name);

const current: Version = {
  name: 'v1beta1',
  handlers: (mind) =>
    serveDeviceMapper({
      registerDevice: async ({ device: its }) => (mind.putDevice('registerDevice', its!.name!, readNew(its), true), {}),
      updateDevice: async ({ device: its }) => (mind.putDevice('updateDevice', its!.name!, readNew(its), false), {}),
      removeDevice: async ({ deviceName }) => (mind.removeDevice(deviceName!), {}),
      createDeviceModel: async ({ model: its }) => (
        mind.putModel('createModel', its!.name!, propertiesOf(its!), true),
        {}
      ),
      updateDeviceModel: async ({ model: its }) => (
        mind.putModel('updateModel', its!.name!, propertiesOf(its!), false),
        {}
      ),
      removeDeviceModel: async ({ modelName }) => (mind.removeModel(modelName!), {}),
      getDevice: () => assert.fail('KubeEdge crashes on it'),
    }),
  async register(rpc, address, withData, mind) {
    const mapper = { name: 'toy', protocol: 'toy', address: new TextEncoder().encode(address) };
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
  handlers: (mind) =>
    serveOldDeviceMapper({
      registerDevice: async ({ device: its }) => (mind.putDevice('registerDevice', its!.name!, readOld(its), true), {}),
      updateDevice: async ({ device: its }) => (mind.putDevice('updateDevice', its!.name!, readOld(its), false), {}),
      removeDevice: async ({ deviceName }) => (mind.removeDevice(deviceName!), {}),
      createDeviceModel: async ({ model: its }) => (
        mind.putModel('createModel', its!.name!, propertiesOf(its!), true),
        {}
      ),
      updateDeviceModel: async ({ model: its }) => (
        mind.putModel('updateModel', its!.name!, propertiesOf(its!), false),
        {}
      ),
      removeDeviceModel: async ({ modelName }) => (mind.removeModel(modelName!), {}),
    }),
  async register(rpc, address, withData, mind) {
    const mapper = { name: 'toy', protocol: 'toy', address: new TextEncoder().encode(address), state: 'OK' };
    const { deviceList = [], modelList = [] } = await createOldDeviceManager(rpc).mapperRegister({ withData, mapper });
    for (const its of deviceList) mind.devices.set(its.name!, readOld(its));
    for (const its of modelList) mind.models.set(its.name!, propertiesOf(its));
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
  return {
    ...site,
    mind,
    serve,
    register: (withData = true) => version.register(rpc, socket, withData, mind),
    report: (name: string, value: string) => version.report(rpc, name, 'temperature', value),
    calls: () => mind.told.map(({ call, name }) => `${call} ${name}`),
  };
}

const inNamespace = (namespace: string, its: Device): Device => ({ ...its, metadata: { ...its.metadata, namespace } });
const fast = { aliveEvery: milliseconds(50), callTimeout: milliseconds(300) };

for (const version of [current, old]) {
  describe(`a mapper that speaks DMI ${version.name}`, () => {
    test('has its devices with the answer to its registration, and what it reports is stored', async (t) => {
      const { put, run, server, serve, register, report, mind, reports, calls, conditions, states } = await stage(
        t,
        version,
      );
      put(device('a', '23.5'));
      await run(server(fast));
      await serve();
      await register();
      assert.deepEqual(Object.fromEntries(mind.devices), { a: { desired: '23.5', box: 'a', cycleMs: 20 } });
      assert.deepEqual(Object.fromEntries(mind.models), { 'temp-model': ['temperature', 'count'] });
      await report('a', '21.5');
      const [said] = reports;
      assert.deepEqual([said?.device, said?.property, said?.reported], ['a', 'temperature', '21.5']);
      assert.equal(said?.observedDesired, undefined);
      await until('the mapper is known to answer', () => conditions.get('a/MapperReady')?.status === 'True');
      if (version === old) assert.equal(states.get('a'), 'ok');
      await assert.rejects(report('stranger', '1'), /NOT_FOUND/);
      assert.deepEqual(calls(), []);
    });

    test('is told what changes: values, devices, models', async (t) => {
      const { put, remove, models, run, server, serve, register, mind, calls } = await stage(t, version);
      put(device('a', '1'));
      await run(server(fast));
      await serve();
      await register();
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
      const { put, run, server, serve, register, mind, calls, conditions } = await stage(t, version);
      await run(server(fast));
      await serve();
      await register();
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
      const { put, run, server, serve, register, report, mind, reports, calls } = await stage(t, version);
      put(device('a', '1'));
      const stop = await run(server(fast));
      await serve();
      await register();
      await stop();
      await run(server(fast));
      put(device('a', '2'));
      await until('the new value', () => mind.devices.get('a')?.desired === '2');
      assert.deepEqual(calls(), ['updateDevice a']);
      await report('a', '9');
      assert.equal(reports.at(-1)?.reported, '9');
    });

    test('that dies is missed, and its devices are back with its first report', async (t) => {
      const { put, run, server, serve, register, report, states, conditions } = await stage(t, version);
      put(device('a', '1'));
      await run(server(fast));
      const listening = await serve();
      await register();
      await until('it is there', () => conditions.get('a/MapperReady')?.status === 'True');
      await listening.close();
      await until('its devices are offline', () => states.get('a') === 'offline');
      assert.equal(conditions.get('a/MapperReady')?.reason, 'MapperGone');
      await serve();
      await register();
      await report('a', '4');
      await until('online', () => ['online', 'ok'].includes(states.get('a')!));
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
