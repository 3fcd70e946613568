// A mapper, whole: registers with edgecore, takes devices from it, runs each, and sends what they say.
import { createBackoff, type Scope, Wakeup } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Metrics } from '@kedge/core/metrics';
import type { Module } from '@kedge/core/module';
import type { HttpServers, Random } from '@kedge/core/ports';
import { type Clock, seconds } from '@kedge/core/time';
import {
  createDeviceManager,
  type DeviceMapperService,
  type DmiDevice,
  type DmiModel,
  serveDeviceMapper,
} from '@kedge/wire/dmi';
import { type OpenRpcChannel, rpcFailure, type RpcServers } from '@kedge/wire/rpc';
import { deviceKey, readDevice } from './device-settings.ts';
import { type DeviceState, DeviceRunner, type StateCondition } from './device-runner.ts';
import type { MapperDriver } from './driver.ts';
import { createPushers, type PushDeps } from './push/index.ts';
import { type KeepSamples, ReportQueue } from './report-queue.ts';
import { createRestApi } from './rest-api.ts';
import { type RestServerConfig, startRestServer } from './rest-server.ts';

export interface MapperDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly servers: RpcServers;
  readonly openChannel: OpenRpcChannel;
  readonly httpServers: HttpServers;
  readonly push: PushDeps;
  /** Absent: what edgecore has not taken is lost when the mapper ends. */
  readonly keepSamples?: KeepSamples | undefined;
}

export interface MapperConfig {
  /** Where edgecore calls this mapper. */
  readonly socketPath: string;
  readonly edgecoreSocket: string;
  /** Of the REST API; absent: none. */
  readonly http?: RestServerConfig;
}

export interface Mapper extends Module {
  /** Of the REST API, once it listens. */
  readonly port: number | undefined;
}

/** Devices of one mapper. */
const maxDevices = 10_000;
const registerTimeout = seconds(10);

export function createMapper<C, V>(driver: MapperDriver<C, V>, deps: MapperDeps, config: MapperConfig): Mapper {
  const { clock, random, metrics, openChannel } = deps;
  const log = deps.log.child({ module: driver.name });
  const models = new Map<string, DmiModel>();
  const devices = new Map<string, DmiDevice>();
  const runners = new Map<string, DeviceRunner<C, V>>();
  const own = driver.visitorConfig.properties ?? {};
  const channel = openChannel({ socketPath: config.edgecoreSocket });
  const manager = createDeviceManager(channel);
  const registerAgain = new Wakeup();
  const pushers = createPushers(deps.push, { clock, log, metrics, random });
  const queue = new ReportQueue({
    clock,
    log,
    metrics,
    random: () => random.next(),
    manager,
    keep: deps.keepSamples,
    // An edgecore that was away may have forgotten its mappers.
    onBack: () => registerAgain.wake(),
  });
  const states = createStateReports();
  metrics.gauge('kedge_mapper_info', 'Which mapper this is.').set(1, { name: driver.name, version: driver.version });
  const online = metrics.gauge('kedge_mapper_devices', 'Devices, by state.');
  let port: number | undefined;
  let registered = false;

  /** Newest state of each device; sent until edgecore has it. */
  function createStateReports() {
    const waiting = new Map<string, { state: DeviceState; conditions: readonly StateCondition[]; since: number }>();
    const wake = new Wakeup();
    return {
      put(key: string, state: DeviceState, conditions: readonly StateCondition[]) {
        waiting.set(key, { state, conditions, since: clock.now() });
        wake.wake();
      },
      forget: (key: string) => void waiting.delete(key),
      async run(signal: AbortSignal) {
        const backoff = createBackoff({
          first: seconds(0.5),
          max: seconds(15),
          jitter: 0.3,
          random: () => random.next(),
        });
        while (!signal.aborted) {
          const [next] = waiting;
          if (!next) {
            await wake.wait(signal).catch(() => undefined);
            continue;
          }
          const [key, report] = next;
          const [deviceNamespace = '', deviceName = ''] = key.split('/');
          const conditions = report.conditions.map((one) => ({ ...one, since: BigInt(report.since) }));
          try {
            await manager.reportDeviceStates(
              { deviceName, deviceNamespace, state: report.state, conditions },
              { signal, timeout: seconds(10) },
            );
            if (waiting.get(key) === report) waiting.delete(key);
            backoff.reset();
          } catch (error) {
            if (signal.aborted) return;
            // Behind the others: one device that is refused must not keep them waiting.
            if (waiting.get(key) === report) waiting.delete(key);
            if (devices.has(key) && !waiting.has(key)) waiting.set(key, report);
            log.debug('state was not taken', { device: key, err: error });
            await clock.sleep('edgecore to take states', backoff.next(), signal).catch(() => undefined);
          }
        }
      },
    };
  }

  function countStates(): void {
    const counts: Record<DeviceState, number> = { online: 0, offline: 0, unhealthy: 0 };
    for (const { state } of runners.values()) counts[state] += 1;
    for (const [state, count] of Object.entries(counts)) online.set(count, { state });
  }

  function put(device: DmiDevice, scope: Scope): void {
    const key = deviceKey(device);
    if (!devices.has(key) && devices.size >= maxDevices) {
      throw rpcFailure('RESOURCE_EXHAUSTED', `more than ${maxDevices} devices`);
    }
    devices.set(key, device);
    apply(key, scope);
  }

  /** Starts the device, or lets it have its new settings; waits for the model when that is not here yet. */
  function apply(key: string, scope: Scope): void {
    const device = devices.get(key);
    const model = device && models.get(deviceKey({ ...device, name: device.spec?.deviceModelReference ?? '' }));
    if (!device || !model) return;
    const settings = readDevice(device, model, own);
    const running = runners.get(key);
    if (running) return running.update(settings);
    const name = { namespace: settings.namespace, name: settings.name };
    const runner = new DeviceRunner(driver, settings, {
      clock,
      log,
      random,
      metrics,
      sink: {
        report: (samples) => queue.add(name, samples),
        push: (property, sample) => pushers.push(name, property, sample),
        state: (state, conditions) => {
          states.put(key, state, conditions);
          countStates();
        },
      },
    });
    runners.set(key, runner);
    scope.spawn(`device ${key}`, async (signal) => {
      await Promise.all([runner.run(signal), repeatState(runner, signal)]);
    });
  }

  async function repeatState(runner: DeviceRunner<C, V>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && [...runners.values()].includes(runner)) {
      await clock.sleep('state of the device', runner.settings.stateCycle, signal).catch(() => undefined);
      if (runner.settings.reportState && !signal.aborted) runner.repeatState();
    }
  }

  function remove(key: string): void {
    runners.get(key)?.stop();
    runners.delete(key);
    devices.delete(key);
    states.forget(key);
    const [namespace = '', name = ''] = key.split('/');
    queue.forget({ namespace, name });
    countStates();
  }

  function putModel(model: DmiModel, scope: Scope): void {
    models.set(deviceKey(model), model);
    for (const [key, device] of devices) {
      if (deviceKey({ ...device, name: device.spec?.deviceModelReference ?? '' }) === deviceKey(model))
        apply(key, scope);
    }
  }

  const service = (scope: Scope): DeviceMapperService => ({
    async registerDevice({ device }) {
      if (!device?.name) throw rpcFailure('INVALID_ARGUMENT', 'a device needs a name');
      put(device, scope);
      return { deviceName: device.name, deviceNamespace: device.namespace ?? '' };
    },
    async updateDevice({ device }) {
      if (!device?.name) throw rpcFailure('INVALID_ARGUMENT', 'a device needs a name');
      put(device, scope);
      return {};
    },
    async removeDevice({ deviceName = '', deviceNamespace = '' }) {
      remove(deviceKey({ name: deviceName, namespace: deviceNamespace }));
      return {};
    },
    async createDeviceModel({ model }) {
      if (!model?.name) throw rpcFailure('INVALID_ARGUMENT', 'a model needs a name');
      putModel(model, scope);
      return { deviceModelName: model.name, deviceModelNamespace: model.namespace ?? '' };
    },
    async updateDeviceModel({ model }) {
      if (!model?.name) throw rpcFailure('INVALID_ARGUMENT', 'a model needs a name');
      putModel(model, scope);
      return {};
    },
    async removeDeviceModel({ modelName = '', modelNamespace = '' }) {
      models.delete(deviceKey({ name: modelName, namespace: modelNamespace }));
      return {};
    },
    async getDevice({ deviceName = '', deviceNamespace = '' }) {
      const device = devices.get(deviceKey({ name: deviceName, namespace: deviceNamespace }));
      if (!device) throw rpcFailure('NOT_FOUND', `there is no device ${deviceNamespace}/${deviceName}`);
      return { device };
    },
  });

  async function register(scope: Scope, signal: AbortSignal): Promise<void> {
    const { modelList = [], deviceList = [] } = await manager.mapperRegister(
      {
        withData: true,
        mapper: {
          name: driver.name,
          version: driver.version,
          apiVersion: 'v1.0.0',
          protocol: driver.protocol,
          address: new TextEncoder().encode(config.socketPath),
          state: 'ok',
        },
      },
      { signal, timeout: registerTimeout },
    );
    const listed = new Set(deviceList.map(deviceKey));
    for (const key of devices.keys()) if (!listed.has(key)) remove(key);
    for (const model of modelList) putModel(model, scope);
    for (const device of deviceList) put(device, scope);
    registered = true;
    log.info('registered with edgecore', { count: deviceList.length });
    for (const runner of runners.values()) runner.repeatState();
  }

  /** At the start, and again whenever edgecore has been away. */
  async function keepRegistered(scope: Scope, signal: AbortSignal): Promise<void> {
    const backoff = createBackoff({ first: seconds(0.5), max: seconds(15), jitter: 0.3, random: () => random.next() });
    while (!signal.aborted) {
      try {
        await register(scope, signal);
        backoff.reset();
        await registerAgain.wait(signal);
      } catch (error) {
        if (signal.aborted) return;
        const wait = backoff.next();
        if (backoff.attempt === 1) log.warn('edgecore cannot be reached', { err: error, retryInMs: wait });
        await clock.sleep('edgecore to answer', wait, signal).catch(() => undefined);
      }
    }
  }

  return {
    name: driver.name,
    get port() {
      return port;
    },
    async start(scope) {
      scope.defer('channel to edgecore', () => channel.close());
      scope.defer('push targets', () => pushers.close());
      const health = { '/grpc.health.v1.Health/Check': async () => Uint8Array.of(0x08, 1) };
      const handlers = { ...serveDeviceMapper(service(scope)), ...health };
      const listening = await deps.servers.listen({ socketPath: config.socketPath, handlers });
      scope.defer('socket of the mapper', () => listening.close());
      if (config.http) {
        const handler = createRestApi({
          clock,
          metrics,
          runners,
          models,
          isHealthy: () => registered,
        });
        port = await startRestServer({ clock, log, servers: deps.httpServers }, config.http, handler, scope);
      }
      scope.spawn('reports', (signal) => queue.run(signal));
      scope.spawn('states', (signal) => states.run(signal));
      scope.spawn('push targets', (signal) => pushers.run(signal));
      scope.spawn('registration', (signal) => keepRegistered(scope, signal));
    },
  };
}
