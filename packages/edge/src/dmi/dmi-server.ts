// The DMI server: mappers register here and report what their devices say.
import { explain, retryOf } from '@kedge/core/errors';
import type { Log } from '@kedge/core/log';
import type { Scope } from '@kedge/core/flow';
import type { Metrics } from '@kedge/core/metrics';
import type { Module } from '@kedge/core/module';
import type { Database, Random } from '@kedge/core/ports';
import { type Clock, type Duration, seconds } from '@kedge/core/time';
import { deviceId, type DeviceModel } from '@kedge/model/kubeedge';
import type { DeviceName } from '@kedge/model/messages';
import { type DmiTwin, type DmiCondition, serveDeviceManager } from '@kedge/wire/dmi';
import { type OpenRpcChannel, rpcFailure, type RpcServers } from '@kedge/wire/rpc';
import { MapperLink } from './mapper-link.ts';
import { createMapperRegistry, type Mapper, type MapperMemory } from './mapper-registry.ts';
import { type DmiManager, serveOldMappers } from './old-manager.ts';
import { createMemo, protocolOf, streamsOf, type Wanted, wantedBy } from './plan-hand-over.ts';
import type { DmiDevices, DmiTwins, MapperReport } from './ports.ts';

export interface DmiServerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly metrics: Metrics;
  /** Opened with `edgeMigrations`. */
  readonly db: Database;
  readonly servers: RpcServers;
  readonly openChannel: OpenRpcChannel;
  readonly devices: DmiDevices;
  readonly twins: DmiTwins;
}

export interface DmiServerConfig {
  readonly socketPath: string;
  /** Reports that one mapper may make: so many a second, and so many more at once. */
  readonly reportsPerSecond?: number;
  readonly reportBurst?: number;
  /** What one call of a mapper may take; 10 s when absent. */
  readonly callTimeout?: Duration;
  /** A mapper that has said nothing for this long is asked whether it is there; 10 s when absent. */
  readonly aliveEvery?: Duration;
}

/** Mappers that one edge looks after. */
const maxMappers = 64;
const maxTwinsPerReport = 1_000;
const maxMapperless = 10_000;
const tryAgainAfter = seconds(30);

export function createDmiServer(deps: DmiServerDeps, config: DmiServerConfig): Module {
  const { clock, log: parentLog, random, metrics, db, servers, openChannel, devices, twins } = deps;
  const { socketPath, reportsPerSecond = 2_000, reportBurst = 4_000 } = config;
  const { callTimeout = seconds(10), aliveEvery = seconds(10) } = config;
  const log = parentLog.child({ module: 'dmi' });
  const registry = createMapperRegistry(db);
  const reports = metrics.counter('kedge_dmi_reports_total', 'Reports of mappers, by outcome.');
  const links = new Map<string, { link: MapperLink; stop: AbortController; allow: () => boolean }>();

  const memo = createMemo();
  const mapperless = new Set<string>();
  const streamers = new Set<string>();
  /** Worked out once for each model: reports are many. */
  const streamsByModel = new WeakMap<DeviceModel, ReadonlySet<string | undefined>>();

  function adopt(mapper: Mapper, memory: MapperMemory, scope: Scope, isUnsure: boolean): MapperLink {
    links.get(mapper.protocol)?.stop.abort(replaced);
    const linkDeps = {
      clock,
      log,
      random: () => random.next(),
      openChannel,
      registry,
      twins,
      wanted: () => wantedBy(mapper, devices, memo),
      callTimeout,
      aliveEvery,
    };
    const link = new MapperLink(mapper, memory, linkDeps, isUnsure);
    const stop = new AbortController();
    links.set(mapper.protocol, { link, stop, allow: createBucket(clock, reportsPerSecond, reportBurst) });
    scope.spawn(`mapper ${mapper.name}`, (signal) => link.run(AbortSignal.any([signal, stop.signal])));
    return link;
  }

  /** The mapper that a device belongs to; throws what the caller is told. */
  function takeReport(name: DeviceName) {
    const device = devices.get(name);
    if (!device) {
      reports.add(1, { outcome: 'unknown device' });
      throw rpcFailure('NOT_FOUND', `there is no device ${deviceId(name)} on this node`);
    }
    const entry = links.get(protocolOf(device));
    if (entry && !entry.allow()) {
      reports.add(1, { outcome: 'too many' });
      throw rpcFailure('RESOURCE_EXHAUSTED', `fail to report device because of too many request: ${name.name}`);
    }
    return entry;
  }

  /** A device without a mapper says so, once. */
  function sayMapperless(): void {
    for (const device of devices.list()) {
      const { namespace = '', name = '' } = device.metadata;
      const protocol = protocolOf(device);
      const key = `${namespace}/${name}/${protocol}`;
      if (links.has(protocol) || mapperless.has(key)) continue;
      if (mapperless.size >= maxMapperless) mapperless.clear();
      mapperless.add(key);
      const message = `no mapper for protocol "${protocol}" has registered on this node: start one`;
      twins
        .condition(
          { namespace, name },
          { type: 'MapperReady', status: 'False', reason: 'NoMapper', message, since: clock.now() },
        )
        .catch((error: unknown) => log.warn('condition could not be stored', { device: name, err: error }));
    }
  }

  /** A stream has no value: what a mapper says of one is let go, once with a word. */
  function withoutStreams(name: DeviceName, some: readonly MapperReport[]): readonly MapperReport[] {
    const reference = devices.get(name)?.spec?.deviceModelRef?.name ?? '';
    const model = devices.model({ namespace: name.namespace, name: reference });
    if (!model) return some;
    const streams = streamsByModel.get(model) ?? streamsOf(model);
    streamsByModel.set(model, streams);
    if (streams.size === 0) return some;
    const isStream = ({ property }: MapperReport): boolean => streams.has(property);
    const key = deviceId(name);
    if (some.some(isStream) && !streamers.has(key)) {
      if (streamers.size >= maxMapperless) streamers.clear();
      streamers.add(key);
      log.warn('a mapper reports values of a stream, which are left out', {
        device: key,
        name: some.find(isStream)?.property,
      });
    }
    return some.filter((report) => !isStream(report));
  }

  async function setStateAfterSilence(name: DeviceName, entry: ReturnType<typeof takeReport>): Promise<void> {
    if (entry?.link.heard(name)) await twins.state(name, 'online');
  }

  /** What mappers ask for, in either version of DMI. */
  const manager = (scope: Scope): DmiManager => ({
    async register({ name = '', version = '', protocol = '', address: path }, api, withData) {
      const address = new TextDecoder().decode(path ?? new Uint8Array(0));
      if (protocol === '') throw rpcFailure('INVALID_ARGUMENT', `mapper "${name}" names no protocol`);
      if (!address.startsWith('/') || address.length > 107) {
        throw rpcFailure('INVALID_ARGUMENT', `mapper "${name}" has no usable socket: "${address}" is no absolute path`);
      }
      if (!links.has(protocol) && links.size >= maxMappers) {
        throw rpcFailure('RESOURCE_EXHAUSTED', `more than ${maxMappers} mappers`);
      }
      const mapper: Mapper = { name, version, protocol, address, api };
      const offline = links.get(protocol)?.link.memory.offline ?? new Set();
      const link = adopt(mapper, { handed: new Map(), offline }, scope, !withData);
      log.info('mapper registered', { name, version, address, kind: api });
      // Mappers of v1alpha1 that are handed devices with the answer wait for those to end before they open their socket: they
      // are never told of a change, and pass for dead. All of them take devices by calls.
      if (!withData || api === 'v1alpha1') {
        await registry.save(mapper, link.memory);
        return nothing;
      }
      const wanted = wantedBy(mapper, devices, memo);
      await link.handOver(wanted);
      return wanted;
    },
    async report(name, some) {
      if (some.length > maxTwinsPerReport) {
        throw rpcFailure('INVALID_ARGUMENT', `a report has at most ${maxTwinsPerReport} twins`);
      }
      const entry = takeReport(name);
      const values = withoutStreams(name, some);
      if (values.length > 0) await twins.report(name, values).catch(refuseForEver);
      await setStateAfterSilence(name, entry);
      reports.add(1, { outcome: 'stored' });
    },
    async state(name, state) {
      takeReport(name)?.link.heard(name);
      if (state !== '') await twins.state(name, state);
    },
  });

  const handlers = ({ register, report, state: setState }: DmiManager) =>
    serveDeviceManager({
      async mapperRegister({ withData = false, mapper = {} }) {
        const wanted = await register(mapper, 'v1beta1', withData);
        return {
          deviceList: [...wanted.devices.values()].map(({ make }) => make().device),
          modelList: [...wanted.models.values()].map(({ make }) => make()),
        };
      },
      async reportDeviceStatus({ deviceName = '', deviceNamespace = '', reportedDevice }) {
        const reported = reportedDevice?.twins ?? [];
        if (reported.length === 0) {
          throw rpcFailure('UNKNOWN', 'ReportDeviceStatusRequest does not have twin data');
        }
        await report({ namespace: deviceNamespace || 'default', name: deviceName }, reported.flatMap(readTwin));
        return {};
      },
      async reportDeviceStates({ deviceName = '', deviceNamespace = '', state = '', conditions = [] }) {
        if (deviceName === '' || (state === '' && conditions.length === 0)) {
          throw rpcFailure('INVALID_ARGUMENT', 'deviceName and state are needed');
        }
        const name = { namespace: deviceNamespace || 'default', name: deviceName };
        await setState(name, state);
        for (const condition of conditions.slice(0, 16)) await twins.condition(name, readCondition(condition, clock));
        return {};
      },
    });

  /** A mapper of v1alpha1 says names only. */
  function findOld(name: string): DeviceName {
    for (const { link } of links.values()) {
      const namespace = link.mapper.api === 'v1alpha1' ? link.namespaceOf(name) : undefined;
      if (namespace !== undefined) return { namespace, name };
    }
    reports.add(1, { outcome: 'unknown device' });
    throw rpcFailure('NOT_FOUND', `no mapper of DMI v1alpha1 was handed a device "${name}"`);
  }

  async function listen(scope: Scope): Promise<boolean> {
    const own = manager(scope);
    try {
      const listening = await servers.listen({
        socketPath,
        handlers: { ...serveOldMappers(own, findOld), ...handlers(own) },
      });
      scope.defer('DMI socket', () => listening.close());
      log.info('waiting for mappers', { path: socketPath, count: links.size });
      return true;
    } catch (error) {
      log.warn('mappers cannot register; see modules.deviceTwin.dmiSockPath', {
        path: socketPath,
        reason: explain(error),
      });
      return false;
    }
  }

  return {
    name: 'dmi',
    async start(scope) {
      for (const { mapper, memory } of registry.load()) adopt(mapper, memory, scope, true);
      scope.defer(
        'watch of devices',
        devices.listen(() => {
          for (const { link } of links.values()) link.wake();
          sayMapperless();
        }),
      );
      sayMapperless();
      if (await listen(scope)) return;
      // Pods matter more than devices: an edge without a place for the socket runs all the same.
      scope.spawn('DMI socket', async (signal) => {
        do await clock.sleep('DMI socket', tryAgainAfter, signal);
        while (!(await listen(scope)));
      });
    },
  };
}

/** A mapper keeps a sample until it is taken, so it has to know when that will never be. */
function refuseForEver(error: unknown): never {
  throw retryOf(error) === 'never' ? rpcFailure('INVALID_ARGUMENT', explain(error)) : error;
}

const nothing: Wanted = { devices: new Map(), models: new Map(), faults: [] };
const replaced = new Error('another mapper of this protocol has registered');

function readTwin({ propertyName = '', reported, observedDesired }: DmiTwin): MapperReport[] {
  if (propertyName === '') return [];
  const at = Number(reported?.metadata?.['timestamp']);
  return [
    {
      property: propertyName,
      ...(reported?.value === undefined ? {} : { reported: reported.value }),
      // An empty one is how Go says that there is none.
      ...(observedDesired?.value ? { observedDesired: observedDesired.value } : {}),
      ...(Number.isSafeInteger(at) && at > 0 ? { at } : {}),
      duplicate: reported?.metadata?.['duplicate'] === 'true',
    },
  ];
}

const statuses = ['True', 'False', 'Unknown'] as const;

function readCondition({ type = '', status = '', reason = '', message = '', since = 0n }: DmiCondition, clock: Clock) {
  return {
    type: type.slice(0, 64),
    status: statuses.find((known) => known === status) ?? 'Unknown',
    reason: reason.slice(0, 64),
    message: message.slice(0, 1_024),
    since: since > 0n ? Number(since) : clock.now(),
  };
}

/** True while there is room: so many a second, `burst` saved up at most. */
function createBucket(clock: Clock, perSecond: number, burst: number): () => boolean {
  let tokens = burst;
  let at = clock.monotonic();
  return () => {
    const now = clock.monotonic();
    tokens = Math.min(burst, tokens + ((now - at) / 1_000) * perSecond);
    at = now;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
}
