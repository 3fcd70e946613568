// DeviceTwin: takes what devices report, keeps the newest of each property on disk, and has it reach the cloud. Which
// devices there are it knows from the objects that the cloud has sent, whichever part of the cloud sent them.
import type { Log } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import type { Database, Random } from '@kedge/core/ports';
import { type Clock, instant, toTime } from '@kedge/core/time';
import type { KubeObject } from '@kedge/model/k8s';
import {
  deliversSamples,
  type Device,
  deviceId,
  type DeviceModel,
  readDevice,
  readDeviceModel,
} from '@kedge/model/kubeedge';
import type { DeviceCondition, DeviceName, Twin, Twins } from '@kedge/model/messages';
import { createDeviceOutbox, type DeviceOutbox, type StateBody, type TwinsBody } from './device-outbox.ts';
import { deviceTwinErrors } from './errors.ts';
import { createHistory, type HistoryLimits, type HistoryQuery, type HistorySample } from './history.ts';
import { mergeTwin } from './merge-twin.ts';
import { canBeSet, desiredOf, overlayDesired, overruled, type Wish } from './overlay-desired.ts';
import type { DeviceListener, DeviceObjects, PropertyReport, TwinChanges } from './ports.ts';
import { createTwinStore } from './twin-store.ts';

export interface DeviceTwinDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  /** Opened with `edgeMigrations`. */
  readonly db: Database;
  readonly objects: DeviceObjects;
  /** Samples that wait for the cloud at most; the oldest go first. */
  readonly maxSamples?: number;
  /** Absent: no history is kept. */
  readonly history?: HistoryLimits | undefined;
}

export interface DeviceTwin extends Module {
  readonly devices: {
    /** With the desired values that were set here. */
    list(): Device[];
    has(name: DeviceName): boolean;
    get(name: DeviceName): Device | undefined;
    model(name: DeviceName): DeviceModel | undefined;
    listen(onChange: () => void): () => void;
  };
  /** Resolves once it is on disk; `event` is handed on to whoever watches. */
  report(device: DeviceName, reports: readonly PropertyReport[], event?: string): Promise<void>;
  state(device: DeviceName, state: string, event?: string): Promise<void>;
  condition(device: DeviceName, condition: DeviceCondition): Promise<void>;
  /** The newest twin of a property. */
  twin(device: DeviceName, property: string): Twin | undefined;
  twins(device: DeviceName): Readonly<Record<string, Twin>>;
  stateOf(device: DeviceName): { readonly state: string; readonly lastOnline: string } | undefined;
  /** Undefined: none is kept. */
  history(device: DeviceName, query: HistoryQuery): Readonly<Record<string, readonly HistorySample[]>> | undefined;
  watch(listener: DeviceListener): () => void;
  readonly outbox: DeviceOutbox;
}

const longestValue = 4_096;
const manySamples = 200_000;

export function createDeviceTwin(deps: DeviceTwinDeps): DeviceTwin {
  const { clock, random, db, objects, maxSamples = manySamples } = deps;
  const log = deps.log.child({ module: 'devicetwin' });
  const store = createTwinStore(db);
  const outbox = createDeviceOutbox({ db, log, store });
  const listeners = new Set<() => void>();
  const watchers = new Set<DeviceListener>();
  const devices = new Map<string, Device>();
  const models = new Map<string, DeviceModel>();
  const wishes = new Map<string, Map<string, Wish>>();
  const history = deps.history && createHistory({ db, clock, log }, deps.history);

  const idOf = ({ metadata }: KubeObject): string =>
    deviceId({ namespace: metadata.namespace ?? '', name: metadata.name ?? '' });
  const changed = (): void => listeners.forEach((listener) => listener());
  function putDevice(object: KubeObject): void {
    const device = readDevice(object);
    if (device) {
      devices.set(idOf(object), device);
      obeyCloud(device);
    } else log.warn('a device that cannot be read is left out', { device: idOf(object) });
    changed();
  }
  function putModel(object: KubeObject): void {
    const model = readDeviceModel(object);
    if (model) models.set(idOf(object), model);
    changed();
  }
  /** The cloud has asked for something else since. */
  function obeyCloud(device: Device): void {
    const id = idOf(device as KubeObject);
    const of = wishes.get(id);
    const gone = of ? overruled(device, of) : [];
    if (!of || gone.length === 0) return;
    for (const property of gone) of.delete(property);
    db.write(() => gone.forEach((property) => store.removeWish(id, property))).catch((error: unknown) =>
      log.warn('a desired value that was set here is not forgotten yet', { device: id, err: error }),
    );
  }
  /** Runs inside a transaction. True: the mapper is to be told. */
  function keepWish(
    device: Device,
    id: string,
    { property, isWish, removed, observedDesired }: PropertyReport,
  ): boolean {
    const before = wishes.get(id)?.get(property);
    const value = isWish ? observedDesired : removed ? '' : undefined;
    if (value === undefined) return false;
    const model = models.get(
      deviceId({ namespace: device.metadata.namespace ?? '', name: device.spec?.deviceModelRef?.name ?? '' }),
    );
    const over = desiredOf(device, property);
    if (value === '' || over === undefined || value === over || !canBeSet(device, model, property)) {
      if (!before) return false;
      wishes.get(id)?.delete(property);
      store.removeWish(id, property);
      return true;
    }
    if (before?.value === value) return false;
    const of = wishes.get(id) ?? new Map<string, Wish>();
    wishes.set(id, of.set(property, { value, over }));
    store.putWish(id, property, { value, over });
    return true;
  }
  async function removeDevice(object: KubeObject): Promise<void> {
    const id = idOf(object);
    if (devices.get(id)?.metadata.uid !== object.metadata.uid) return;
    devices.delete(id);
    wishes.delete(id);
    await db.write(() => {
      store.forget(id);
      history?.forget(id);
    });
    changed();
  }

  const demand = (name: DeviceName): Device => {
    const device = devices.get(deviceId(name));
    if (!device) throw deviceTwinErrors.UNKNOWN_DEVICE({ device: deviceId(name) });
    return device;
  };

  function checkValues(id: string, reports: readonly PropertyReport[]): void {
    for (const { property, reported = '', observedDesired = '' } of reports) {
      const bytes = Math.max(...[reported, observedDesired].map((text) => new TextEncoder().encode(text).length));
      if (bytes > longestValue) {
        throw deviceTwinErrors.VALUE_TOO_LONG({ device: id, property, bytes, limit: longestValue });
      }
    }
  }

  /** Runs inside a transaction. */
  function keep(device: Device, id: string, reports: readonly PropertyReport[]): TwinChanges['changes'] {
    // Clients may call a property "constructor".
    const changes = new Map<string, { last: Twin | null; current: Twin | null }>();
    for (const { property, at = clock.now(), duplicate, removed, isWish: _, ...said } of reports) {
      const { reported } = said;
      const known = changes.get(property);
      const before = known ? (known.current ?? undefined) : store.twin(id, property);
      const last = known ? known.last : (before ?? null);
      if (removed) {
        if (!before || before.optional === false) continue;
        store.removeTwin(id, property);
        changes.set(property, { last, current: null });
        continue;
      }
      // Said again by a mapper that could not tell whether it was heard.
      if (duplicate && isKnown(before, { ...said, at })) continue;
      const current = mergeTwin(before, { ...said, at });
      changes.set(property, { last, current });
      store.putTwin(id, property, current);
      if (reported !== undefined) history?.add(id, property, { at, value: reported });
      if (reported === undefined || !deliversSamples(device, property)) continue;
      const newest = store.newestSample(id, property);
      if (duplicate && newest?.at === at && newest.value === reported) continue;
      store.addSample(id, property, { at, value: reported }, () => random.uuid());
    }
    return Object.fromEntries(changes);
  }

  function tellTwins(id: string, twins: Twins): void {
    if (Object.keys(twins).length === 0) return;
    const waiting = store.pendingOf(id, 'twins');
    const before = waiting === undefined ? {} : (JSON.parse(waiting) as TwinsBody).twins;
    const body: TwinsBody = { event: random.uuid(), reportedAt: clock.now(), twins: { ...before, ...twins } };
    store.putPending(id, 'twins', JSON.stringify(body));
  }

  function putCondition(id: string, condition: DeviceCondition): 'worse' | 'better' | 'as before' {
    const before = store.conditions(id).find(({ type }) => type === condition.type);
    const { since: _, ...said } = condition;
    if (before && JSON.stringify({ ...before, since: 0 }) === JSON.stringify({ ...said, since: 0 })) return 'as before';
    store.putCondition(id, before?.status === condition.status ? { ...condition, since: before.since } : condition);
    store.putPending(id, 'conditions', JSON.stringify(store.conditions(id)));
    if (condition.status === 'False') return 'worse';
    return before?.status === 'False' ? 'better' : 'as before';
  }

  return {
    name: 'devicetwin',
    outbox,
    devices: {
      list: () => [...devices].map(([id, device]) => overlayDesired(device, wishes.get(id))),
      has: (name) => devices.has(deviceId(name)),
      get(name) {
        const device = devices.get(deviceId(name));
        return device && overlayDesired(device, wishes.get(deviceId(name)));
      },
      model: (name) => models.get(deviceId(name)),
      listen(onChange) {
        listeners.add(onChange);
        return () => listeners.delete(onChange);
      },
    },
    twin: (name, property) => store.twin(deviceId(name), property),
    twins: (name) => store.twins(deviceId(name)),
    stateOf: (name) => store.state(deviceId(name)),
    history: (name, query) => history?.query(deviceId(name), query),
    watch(listener) {
      watchers.add(listener);
      return () => watchers.delete(listener);
    },
    async report(name, reports, event = '') {
      const device = demand(name);
      const id = deviceId(name);
      checkValues(id, reports);
      const { dropped, changes, isWished } = await db.write(() => {
        const kept = keep(device, id, reports);
        const wished = reports.map((report) => keepWish(device, id, report)).includes(true);
        tellTwins(id, Object.fromEntries(Object.entries(kept).map(([property, { current }]) => [property, current])));
        const gone = store.boundSamples(maxSamples);
        for (const { device: of, property, dropped: count } of gone) {
          const message = `${count} samples of ${property} were dropped: more than ${maxSamples} wait for the cloud`;
          const type = 'SamplesComplete';
          putCondition(of, { type, status: 'False', reason: 'TooManyWaiting', message, since: clock.now() });
        }
        return { dropped: gone, changes: kept, isWished: wished };
      });
      for (const { device: of, property, dropped: count } of dropped) {
        log.warn('samples dropped: too many wait for the cloud', { device: of, name: property, count });
      }
      outbox.announce();
      if (isWished) changed();
      for (const watcher of watchers) watcher.onTwins({ device: name, event, changes });
    },
    async state(name, state, event = '') {
      demand(name);
      const id = deviceId(name);
      const isOnline = state === 'online' || state === 'ok';
      const lastOnline = await db.write(() => {
        const before = store.state(id);
        const lastOnlineTime = isOnline ? toTime(instant(clock.now())) : (before?.lastOnline ?? '');
        store.putState(id, state, lastOnlineTime);
        const body: StateBody = { event: random.uuid(), reportedAt: clock.now(), state, lastOnlineTime };
        store.putPending(id, 'state', JSON.stringify(body));
        return lastOnlineTime;
      });
      outbox.announce();
      for (const watcher of watchers) watcher.onState({ device: name, event, state, lastOnline });
    },
    async condition(name, condition) {
      demand(name);
      const id = deviceId(name);
      const { type, reason, message } = condition;
      const news = await db.write(() => putCondition(id, condition));
      if (news === 'worse') {
        log.warn('something is wrong with a device', { device: id, kind: type, reason: `${reason}: ${message}` });
      } else if (news === 'better') log.info('a device is right again', { device: id, kind: type });
      outbox.announce();
    },
    async start(scope) {
      for (const { device, property, ...wish } of store.wishes()) {
        const of = wishes.get(device) ?? new Map<string, Wish>();
        wishes.set(device, of.set(property, wish));
      }
      for (const object of objects.list('devicemodel')) putModel(object);
      for (const object of objects.list('device')) putDevice(object);
      // Devices that went while nobody looked.
      const gone = store.devices().filter((id) => !devices.has(id));
      if (gone.length > 0) {
        await db.write(() =>
          gone.forEach((id) => {
            store.forget(id);
            history?.forget(id);
          }),
        );
      }
      if (history) scope.spawn('history', (signal) => history.run(signal));
      scope.defer(
        'devices',
        objects.listen('device', {
          onPut: putDevice,
          onDelete: (last) =>
            void removeDevice(last).catch((error: unknown) =>
              log.warn('a device is not forgotten yet', { err: error }),
            ),
        }),
      );
      scope.defer(
        'device models',
        objects.listen('devicemodel', {
          onPut: putModel,
          onDelete(last) {
            models.delete(idOf(last));
            changed();
          },
        }),
      );
    },
  };
}

const isKnown = (
  twin: Twin | undefined,
  { reported, observedDesired, at }: { reported?: string; observedDesired?: string; at: number },
): boolean =>
  (reported === undefined || (twin?.actual?.value === reported && twin.actual.metadata?.timestamp === at)) &&
  (observedDesired === undefined || twin?.expected?.value === observedDesired);
