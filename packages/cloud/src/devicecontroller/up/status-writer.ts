// Keeps the status of devices in the API as the edges report it. Reports of one device are merged, newest wins, and
// written at a bounded rate, per device and in all. A report is answered when what it said, or something newer, is in
// the API: until then the edge keeps it, so nothing is lost with this process.
import { again, createReconciler, done, type Informer, type Next } from '@kedge/core/control';
import { abortError, createRateLimit, type RateLimit, type Scope } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Metrics } from '@kedge/core/metrics';
import { type Clock, type Duration, milliseconds, seconds, toTime } from '@kedge/core/time';
import type { KubeApi } from '@kedge/engine/kube-client';
import { fail, failure, hasCondition, isStatus, type KubeObject, type NodeName, objectKey } from '@kedge/model/k8s';
import type { Node } from '@kedge/model/k8s-types';
import {
  type Device,
  deviceId,
  type DeviceModel,
  devices as deviceCollection,
  devicesApiVersion,
  type DeviceStatus,
  type DeviceStatusFields,
  deviceStatuses,
  readDevice,
  readDeviceModel,
  type StatusCondition,
} from '@kedge/model/kubeedge';
import type { DeviceName, Outcome } from '@kedge/model/messages';
import { DeviceRecord, type News } from './device-record.ts';
import { type NodeState, planConditions, planStatus, type StatusPart, withoutTimes } from './plan-status.ts';
import { WriteAllowance, type WriteRate } from './write-allowance.ts';

export interface StatusLimits {
  readonly perDevice: WriteRate;
  /** Of all devices. */
  readonly total: RateLimit;
  /** Between two writes that change nothing but times. */
  readonly refresh: Duration;
}

/** Where the API takes a device's status: v1.22 has it on the Device, v1.23 in an object of its own. */
export interface StatusPlace {
  readonly on: 'Device' | 'DeviceStatus';
  /** What the schema there keeps. */
  readonly parts: ReadonlySet<StatusPart>;
}

export interface StatusWriterDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly kube: KubeApi;
  readonly metrics: Metrics;
  readonly devices: Informer<KubeObject>;
  readonly models: Informer<KubeObject>;
  readonly nodes: Informer<Node>;
  /** The devices of a node, by key. */
  readonly devicesOf: (node: string) => Iterable<string>;
  /** Only asked when the status has its place there. */
  readonly statuses: Informer<KubeObject>;
  readonly place: () => StatusPlace;
  readonly limits: StatusLimits;
}

export interface StatusWriter {
  /** `change` says what is news about the device's record; resolves when that is in the API. */
  report(
    node: NodeName,
    device: DeviceName,
    change: (record: DeviceRecord, device: Device) => News,
    signal: AbortSignal,
  ): Promise<Outcome<unknown>>;
  /** A node connected: it may repeat what it said before. */
  connected(node: NodeName): void;
  /** A node may have lost its store: it counts anew. */
  distrusted(node: NodeName): void;
  start(scope: Scope): void;
}

/** What comes back to back becomes one write. */
const gatherFor = milliseconds(10);
/**
 * Of a device that has used up its burst. Its turns are put in step with what it says, this much later: what is in one breath, or
 * a little late, is in one write, and need not wait for the next.
 */
const gatherWhenShort = milliseconds(100);
/** A device that reports as often as it may be written stays below that rate. */
const leeway = milliseconds(2);
const writesAtATime = 32;
const maxRetry = seconds(30);
const behindFor = seconds(1);

const ok: Outcome<unknown> = { ok: true, value: undefined };

interface Waiter {
  readonly revision: number;
  readonly settle: (outcome: Outcome<unknown>) => void;
}

interface Entry {
  readonly record: DeviceRecord;
  waiters: Waiter[];
  isWriting: boolean;
  /** Of the object that holds the status, after our last write. */
  ownVersion: string | undefined;
  readonly allowance: WriteAllowance;
  /** Since when something is to be written; the clock that only goes forward, as below. */
  wantedAt: number | undefined;
  /** When the newest of it was said. */
  saidAt: number;
  refreshAt: number;
}

export function createStatusWriter(deps: StatusWriterDeps): StatusWriter {
  const { clock, log, kube, devices, models, nodes, statuses, place, limits } = deps;
  const entries = new Map<string, Entry>();
  const links = new WeakMap<AbortSignal, Set<() => void>>();
  const { interval, burst } = limits.perDevice;
  const rate: WriteRate = { interval: milliseconds(interval === 0 ? 0 : interval + leeway), burst };
  const turn = createRateLimit(clock, 'a turn to write the status of a device', limits.total);
  const reports = deps.metrics.counter(
    'kedge_devicecontroller_reports_total',
    'Reports about devices that edges sent.',
  );
  const stale = deps.metrics.counter('kedge_devicecontroller_stale_reports_total', 'Reports that said nothing new.');
  const writes = deps.metrics.counter('kedge_devicecontroller_status_writes_total', 'Statuses of devices written.');

  const writer = createReconciler({
    name: 'device status',
    clock,
    log,
    reconcile: write,
    parallel: writesAtATime,
    maxRetry,
  });

  /** The record of this incarnation of the device. */
  function entryOf(key: string, object: KubeObject): Entry {
    const uid = object.metadata.uid ?? '';
    const node = readDevice(object).spec?.nodeName ?? '';
    const known = entries.get(key);
    if (known?.record.uid === uid && known.record.node === node) return known;
    if (known) settleAll(known, gone(key));
    const counts = storedCounts(key, object);
    // A node that was given the device since has said nothing about it before.
    const isMoved = counts.by !== undefined && counts.by !== node;
    const record = new DeviceRecord(uid, node, clock.now(), !isMoved && known?.record.uid !== uid);
    const versions = isMoved || known?.record.uid === uid ? {} : counts.versions;
    record.learn(storedStatus(key, object), storedConditions(key, object), versions);
    const entry: Entry = {
      record,
      waiters: [],
      isWriting: false,
      ownVersion: undefined,
      allowance: new WriteAllowance(rate),
      wantedAt: undefined,
      saidAt: 0,
      refreshAt: 0,
    };
    entries.set(key, entry);
    return entry;
  }

  const storedStatus = (key: string, object: KubeObject): DeviceStatusFields =>
    (place().on === 'Device' ? (object as Device) : (statuses.get(key) as DeviceStatus | undefined))?.status ?? {};

  function storedConditions(key: string, object: KubeObject): readonly StatusCondition[] {
    if (place().on === 'Device') return (object as Device).status?.conditions ?? [];
    const { extensions } = (statuses.get(key) as DeviceStatus | undefined)?.status ?? {};
    return (extensions?.['conditions'] as StatusCondition[] | undefined) ?? [];
  }

  function storedCounts(
    key: string,
    object: KubeObject,
  ): { by: string | undefined; versions: Record<string, unknown> } {
    const status =
      place().on === 'Device'
        ? (object as Device).status
        : (statuses.get(key) as DeviceStatus | undefined)?.status?.extensions;
    const { reportedBy, edgeVersions } = (status ?? {}) as Record<string, unknown>;
    const versions = typeof edgeVersions === 'object' && edgeVersions !== null ? edgeVersions : {};
    return {
      by: typeof reportedBy === 'string' ? reportedBy : undefined,
      versions: versions as Record<string, unknown>,
    };
  }

  function modelOf(device: Device): DeviceModel | undefined {
    const name = device.spec?.deviceModelRef?.name;
    const model = name ? models.get(`${device.metadata.namespace ?? ''}/${name}`) : undefined;
    return model && readDeviceModel(model);
  }

  function settleAll(entry: Entry, outcome: Outcome<unknown>): void {
    for (const { settle } of entry.waiters) settle(outcome);
    entry.waiters = [];
  }

  /** A link that is gone waits for nothing; its edge will say it again. */
  function waitUntilWritten(entry: Entry, revision: number, signal: AbortSignal): Promise<Outcome<unknown>> {
    if (signal.aborted) return Promise.reject(abortError(signal));
    const link = onEndOf(signal);
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        entry.waiters = entry.waiters.filter((one) => one !== waiter);
        reject(abortError(signal));
      };
      const settle = (outcome: Outcome<unknown>): void => {
        link.delete(giveUp);
        resolve(outcome);
      };
      const waiter: Waiter = { revision, settle };
      link.add(giveUp);
      entry.waiters.push(waiter);
    });
  }

  /** What to do when a link ends. One listener for all its reports: a signal compares each new one with all it has. */
  function onEndOf(signal: AbortSignal): Set<() => void> {
    const known = links.get(signal);
    if (known) return known;
    const ends = new Set<() => void>();
    links.set(signal, ends);
    signal.addEventListener('abort', () => ends.forEach((giveUp) => giveUp()), { once: true });
    return ends;
  }

  function spendTurn(entry: Entry, due: number, now: number): void {
    const { allowance, wantedAt = now, saidAt } = entry;
    entry.wantedAt = undefined;
    allowance.spend(wantedAt);
    // What came right before this turn will come right before the next one, or right after it.
    if (allowance.nextAt > now) {
      const lacking = saidAt + gatherWhenShort - due;
      allowance.delay(milliseconds(Math.min(Math.max(lacking, 0), gatherWhenShort)));
    }
  }

  /** Something is to be written, when what comes with it is there too. */
  function want(key: string, entry: Entry, news: News): void {
    const now = clock.monotonic();
    const gather = entry.allowance.isShort(now) ? gatherWhenShort : gatherFor;
    if (news === 'value') {
      entry.wantedAt ??= now + gather;
      entry.saidAt = now;
    }
    writer.enqueueAfter(key, gather);
  }

  async function write(key: string, signal: AbortSignal): Promise<Next> {
    const entry = entries.get(key);
    if (!entry) return done;
    const object = devices.get(key);
    const { record } = entry;
    if (!object || object.metadata.uid !== record.uid) return forget(key, entry);
    const device = readDevice(object);
    const isNews = record.written < record.revision || !sameConditions(device, record);
    if (!isNews && !record.isDirty) return done;
    const { nextAt } = entry.allowance;
    const due = isNews ? nextAt : Math.max(nextAt, entry.refreshAt);
    const early = due - clock.monotonic();
    if (early > 0) return again(milliseconds(early), 'written a moment ago');
    await turn(signal);
    // While waiting, more may have come.
    const revision = record.revision;
    const conditions = conditionsOf(device, record);
    const before = record.conditions;
    record.isDirty = false;
    record.conditions = conditions;
    entry.isWriting = true;
    const began = clock.monotonic();
    spendTurn(entry, due, began);
    entry.refreshAt = began + limits.refresh;
    try {
      entry.ownVersion = await writeStatus(device, planStatus(device, record, conditions), signal);
    } catch (error) {
      record.isDirty = true;
      // Gone, or made anew under its name: the copy will say so.
      if (isStatus(error, 'NotFound') || isStatus(error, 'Conflict')) return lookAgain(key, entry);
      throw error;
    } finally {
      entry.isWriting = false;
    }
    writes.add();
    logChanges(key, before, conditions);
    record.written = revision;
    const settled = entry.waiters.filter((waiter) => waiter.revision <= revision);
    entry.waiters = entry.waiters.filter((waiter) => waiter.revision > revision);
    for (const { settle } of settled) settle(ok);
    const isMore = record.revision > revision || record.isDirty;
    return isMore ? again(gatherFor, 'more was reported meanwhile') : done;
  }

  /** Once per change; what exactly is wrong stands in the condition. */
  function logChanges(device: string, before: readonly StatusCondition[], now: readonly StatusCondition[]): void {
    for (const { type, status, reason } of now) {
      const was = before.find((one) => one.type === type);
      if (status === 'False' && (was?.status !== 'False' || was.reason !== reason)) {
        log.warn('something is wrong with a device', { device, kind: type, reason });
      } else if (status === 'True' && was?.status === 'False') {
        log.info('a device is right again', { device, kind: type });
      }
    }
  }

  async function lookAgain(key: string, entry: Entry): Promise<Next> {
    const object = devices.get(key);
    if (!object || object.metadata.uid !== entry.record.uid) return forget(key, entry);
    return again(behindFor, 'the copy of the API is behind');
  }

  function forget(key: string, entry: Entry): Next {
    settleAll(entry, gone(key));
    if (entries.get(key) === entry) entries.delete(key);
    return done;
  }

  const parts = <T extends object>(fields: T): Partial<T> =>
    Object.fromEntries(Object.entries(fields).filter(([part]) => place().parts.has(part as StatusPart))) as Partial<T>;

  /** Resolves with the version that came of it. */
  async function writeStatus(
    device: Device,
    status: ReturnType<typeof planStatus>,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { name = '', namespace, uid } = device.metadata;
    const target = { namespace, name };
    if (place().on === 'Device') {
      const document = JSON.stringify({ metadata: { uid }, status: parts(status) });
      const patched = await kube.patch(deviceCollection, target, 'merge', document, { signal });
      return patched.metadata.resourceVersion;
    }
    const { twins, state, lastOnlineTime, ...extensions } = parts(status);
    const fields = { status: { twins, state, lastOnlineTime, extensions } };
    try {
      const patched = await kube.patch(deviceStatuses, target, 'merge', JSON.stringify(fields), { signal });
      return patched.metadata.resourceVersion;
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error;
      const created = await kube.create(deviceStatuses, namespace, statusObject(device, fields.status), { signal });
      return created.metadata.resourceVersion;
    }
  }

  function stateOf({ spec }: Device): NodeState {
    if (!spec?.nodeName) return 'none';
    const node = nodes.get(spec.nodeName);
    return node ? readinessOf(node) : 'missing';
  }

  const conditionsOf = (device: Device, record: DeviceRecord): StatusCondition[] =>
    planConditions(device, modelOf(device), stateOf(device), record, record.conditions, toTime(clock.now()));

  /** Against what was written last: an API with upstream's schema does not keep them. */
  const sameConditions = (device: Device, record: DeviceRecord): boolean =>
    !place().parts.has('conditions') || withoutTimes(record.conditions) === withoutTimes(conditionsOf(device, record));

  /** The device, its status or its model changed. */
  function reconsider(key: string): void {
    const object = devices.get(key);
    if (!object) return;
    const device = readDevice(object);
    const entry = entryOf(key, object);
    const { record } = entry;
    const names = new Set((device.spec?.properties ?? []).map(({ name }) => name));
    const stored = storedStatus(key, object);
    const version = (place().on === 'Device' ? object : statuses.get(key))?.metadata.resourceVersion;
    const isIdle = !entry.isWriting && !record.isDirty && record.written === record.revision;
    // Another cloudcore serves the node, or somebody wrote by hand.
    if (isIdle && version !== entry.ownVersion) {
      record.learn(stored, storedConditions(key, object), storedCounts(key, object).versions);
    }
    const hasLeftOvers = (stored.twins ?? []).some(({ propertyName }) => !names.has(propertyName));
    if (hasLeftOvers) record.isDirty = true;
    if (hasLeftOvers || !sameConditions(device, record)) writer.enqueueAfter(key, gatherFor);
  }

  return {
    async report(node, name, change, signal) {
      reports.add();
      const key = deviceId(name);
      const object = devices.get(key);
      if (!object) return gone(key);
      const device = readDevice(object);
      if (device.spec?.nodeName !== node) {
        throw fail('Forbidden', `device "${key}" belongs to another node than "${node}"`);
      }
      const entry = entryOf(key, object);
      const { record } = entry;
      const news = change(record, device);
      record.heardAt = clock.now();
      if (news === 'nothing') stale.add();
      else want(key, entry, news);
      // The value is there already, be it from this report or a newer one.
      if (record.written >= record.revision) return ok;
      return waitUntilWritten(entry, record.revision, signal);
    },
    connected: (node) => eachRecord(node, (record) => record.connected(clock.now())),
    distrusted: (node) => eachRecord(node, (record) => record.distrusted(clock.now())),
    start(scope) {
      writer.start(scope);
      const stops = [
        devices.listen({
          onPut: (object) => reconsider(objectKey(object)),
          onDelete: (last) => writer.enqueue(objectKey(last)),
        }),
        statuses.listen({ onPut: (object) => place().on === 'DeviceStatus' && reconsider(objectKey(object)) }),
        nodes.listen({
          onPut(node, before) {
            if (before === undefined || readinessOf(node) !== readinessOf(before)) lookAtDevicesOf(node);
          },
          onDelete: lookAtDevicesOf,
        }),
        models.listen({
          onPut: (model) => usersOf(model).forEach(reconsider),
          onDelete: (model) => usersOf(model).forEach(reconsider),
        }),
      ];
      scope.defer('listening to devices', () => stops.forEach((stop) => stop()));
    },
  };

  function eachRecord(node: NodeName, act: (record: DeviceRecord) => void): void {
    for (const key of deps.devicesOf(node)) {
      const record = entries.get(key)?.record;
      if (record?.node === node) act(record);
    }
  }

  function lookAtDevicesOf({ metadata: { name = '' } }: Node): void {
    for (const key of deps.devicesOf(name)) reconsider(key);
  }

  function usersOf({ metadata: { namespace, name } }: KubeObject): string[] {
    return [...devices.list()]
      .filter((object) => object.metadata.namespace === namespace && referredBy(object) === name)
      .map(objectKey);
  }
}

const readinessOf = ({ status }: Node): 'ready' | 'away' =>
  hasCondition(status?.conditions, 'Ready') ? 'ready' : 'away';

const referredBy = (object: KubeObject): string | undefined =>
  ((object['spec'] ?? {}) as Device['spec'])?.deviceModelRef?.name;

/** It goes with its device. */
function statusObject({ metadata }: Device, status: object): KubeObject {
  const { name = '', namespace, uid = '' } = metadata;
  return {
    apiVersion: devicesApiVersion,
    kind: 'DeviceStatus',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ownerReferences: [{ apiVersion: devicesApiVersion, kind: 'Device', name, uid, controller: true }],
    },
    status: withoutNulls(status),
  };
}

/** A merge patch takes away with null; there is nothing to take away from a new object. */
const withoutNulls = (status: object): object =>
  JSON.parse(JSON.stringify(status, (_, value: unknown) => value ?? undefined)) as object;

const gone = (key: string): Outcome<unknown> => ({
  ok: false,
  status: failure('NotFound', `device "${key}" is not there, or was made anew`),
});
