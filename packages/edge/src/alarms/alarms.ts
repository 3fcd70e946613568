// Keeps the alarms of the devices here: evaluates each value that is reported, remembers on disk which ones stand, and tells
// of the changes: a Kubernetes Event, a condition of the device, and whoever watches.
import { createBackoff, KeyedMutex, Wakeup } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import type { Database, Random } from '@kedge/core/ports';
import { type Clock, instant, milliseconds, minutes, seconds, toTime } from '@kedge/core/time';
import {
  type Device,
  deviceId,
  type DeviceModel,
  type DeviceRule,
  devicesApiVersion,
  parseDeviceId,
  readDeviceRules,
  type RuleSeverity,
} from '@kedge/model/kubeedge';
import type { KubeObject } from '@kedge/model/k8s';
import type { DeviceName } from '@kedge/model/messages';
import { type AlarmState, clear, dueAt, nextAlarm, sayCleared, sayRaised } from './next-alarm.ts';
import type { Events, WatchedTwins } from './ports.ts';

/** One alarm as clients see it. */
export interface Alarm {
  readonly name: string;
  readonly property: string;
  readonly state: 'raised' | 'cleared';
  readonly severity: RuleSeverity;
  readonly value: string;
  readonly message: string;
  /** Unix milliseconds. */
  readonly since: number;
}

export interface AlarmNews {
  readonly device: DeviceName;
  readonly alarm: Alarm;
}

export interface Alarms extends Module {
  /** Those that stand. */
  active(device: DeviceName): readonly Alarm[];
  watch(watcher: (news: AlarmNews) => void): () => void;
}

export interface AlarmsDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  /** Opened with `edgeMigrations`. */
  readonly db: Database;
  readonly twins: WatchedTwins;
  readonly events: Events;
}

interface Kept {
  readonly rule: DeviceRule;
  state: AlarmState;
}

/** An alarm that came or went, as it is kept and told of. */
interface Change {
  readonly device: DeviceName;
  readonly rule: string;
  readonly kept: Kept;
  readonly event: Parameters<Events['event']>[0] | undefined;
}

/** Events of one device: so many at once, and one more each time; an alarm that flaps must not flood the API. */
const burst = 20;
const oneMoreAfter = 10_000;

export function createAlarms(deps: AlarmsDeps, { node }: { readonly node: string }): Alarms {
  const { clock, random, db, twins, events } = deps;
  const log = deps.log.child({ module: 'alarms' });
  const selectAll = db.statement<{ device: string; rule: string; body: string }>(
    'SELECT device, rule, body FROM alarm',
  );
  const put = db.statement('INSERT OR REPLACE INTO alarm VALUES (?, ?, ?)');
  const remove = db.statement('DELETE FROM alarm WHERE device = ? AND rule = ?');
  /** By device and rule. */
  const kept = new Map<string, Map<string, Kept>>();
  const watchers = new Set<(news: AlarmNews) => void>();
  const rulesOf = new WeakMap<DeviceModel, readonly DeviceRule[]>();
  const budgets = new Map<string, { left: number; at: number }>();
  const inOrder = new KeyedMutex();
  const pending = new Wakeup();
  /** The newest change of each alarm that the disk has not taken, by device and rule. */
  const unwritten = new Map<string, Change>();
  const failed = new Wakeup();

  const moment = () => ({ now: clock.now(), monotonic: clock.monotonic() });
  const nameOf = ({ metadata }: Device): DeviceName => ({
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
  });

  function rulesFor(device: Device): readonly DeviceRule[] {
    const model = twins.devices.model({
      namespace: device.metadata.namespace ?? '',
      name: device.spec?.deviceModelRef?.name ?? '',
    });
    if (!model) return [];
    const known = rulesOf.get(model);
    if (known) return known;
    const { rules, problems } = readDeviceRules(model);
    for (const { path, say } of problems) {
      log.warn('a rule that cannot be read is left out', { name: model.metadata.name ?? '', path, reason: say });
    }
    rulesOf.set(model, rules);
    return rules;
  }

  const documentOf = ({ rule, state }: Kept, at: 'raised' | 'cleared', value?: string): Alarm => ({
    name: rule.name,
    property: rule.property,
    state: at,
    severity: rule.severity,
    value: value ?? (state.at === 'raised' ? state.value : ''),
    message: state.at === 'raised' ? sayRaised(rule, state.value) : sayCleared(rule, value),
    since: state.at === 'raised' ? state.since : clock.now(),
  });

  function enter(device: Device, one: Kept, state: AlarmState, value: string | undefined): void {
    const before = one.state;
    one.state = state;
    if (state.at === 'pending') pending.wake();
    const isNews = (before.at === 'raised') !== (state.at === 'raised');
    if (isNews) tell(device, documentOf(one, state.at === 'raised' ? 'raised' : 'cleared', value), one);
  }

  function tell(device: Device, alarm: Alarm, { rule, state }: Kept): void {
    const name = nameOf(device);
    const id = deviceId(name);
    const change: Change = { device: name, rule: rule.name, kept: { rule, state }, event: eventOf(device, alarm) };
    void inOrder.run(id, async () => {
      const isKept = await keep(change);
      // Whoever listens here needs no disk.
      for (const watcher of watchers) watcher({ device: name, alarm });
      if (isKept) await sayConditionOf(change);
    });
    const fields = { device: id, name: alarm.name, value: alarm.value, severity: alarm.severity };
    log[alarm.state === 'raised' && rule.severity !== 'info' ? 'warn' : 'info'](`alarm ${alarm.state}`, fields);
  }

  /** False: the disk does not take it; it is tried again, unless something newer comes. */
  async function keep(change: Change): Promise<boolean> {
    const { device, rule, kept: now, event } = change;
    const id = deviceId(device);
    const key = `${id} ${rule}`;
    try {
      const written = db.write(() =>
        now.state.at === 'raised' ? put.run(id, rule, JSON.stringify(now)) : remove.run(id, rule),
      );
      // In the same commit: what is told once is told for good.
      if (event) events.event(event);
      await written;
      unwritten.delete(key);
      return true;
    } catch (error) {
      if (unwritten.size === 0)
        log.error('alarms are not on disk; it is tried again', { device: id, name: rule, err: error });
      unwritten.set(key, change);
      failed.wake();
      return false;
    }
  }

  async function sayConditionOf(change: Change): Promise<void> {
    try {
      await sayCondition(change.device);
    } catch (error) {
      const id = deviceId(change.device);
      log.warn('an alarm is not a condition of its device yet', { device: id, name: change.rule, err: error });
      // Its Event is out.
      unwritten.set(`${id} ${change.rule}`, { ...change, event: undefined });
      failed.wake();
    }
  }

  async function tryAgain(signal: AbortSignal): Promise<void> {
    const wait = createBackoff({ first: seconds(5), max: minutes(5) });
    while (!signal.aborted) {
      if (unwritten.size === 0) {
        wait.reset();
        await failed.wait(signal).catch(() => undefined);
      }
      await clock.sleep('the disk takes alarms again', wait.next(), signal).catch(() => undefined);
      if (signal.aborted) return;
      for (const [key, change] of [...unwritten]) {
        const id = deviceId(change.device);
        await inOrder.run(id, async () => {
          // Something newer, or the device has gone.
          if (unwritten.get(key) !== change) return;
          unwritten.delete(key);
          if (!kept.has(id)) return;
          if (await keep(change)) await sayConditionOf(change);
        });
      }
    }
  }

  async function sayCondition(device: DeviceName): Promise<void> {
    const standing = active(device);
    const since = clock.now();
    await twins.condition(
      device,
      standing.length === 0
        ? { type: 'Alarm', status: 'False', reason: 'NoAlarm', message: 'no rule of the model raises an alarm', since }
        : {
            type: 'Alarm',
            status: 'True',
            reason: 'ThresholdCrossed',
            message: standing
              .map(({ name, message }) => `${name}: ${message}`)
              .join('; ')
              .slice(0, 1_024),
            since,
          },
    );
  }

  function mayTell(id: string): boolean {
    const now = clock.monotonic();
    const budget = budgets.get(id) ?? { left: burst, at: now };
    budgets.set(id, budget);
    budget.left = Math.min(burst, budget.left + (now - budget.at) / oneMoreAfter);
    budget.at = now;
    if (budget.left < 1) return false;
    budget.left -= 1;
    return true;
  }

  /** Undefined: there have been too many. */
  function eventOf(
    device: Device,
    { name: rule, state, severity, message }: Alarm,
  ): Parameters<Events['event']>[0] | undefined {
    const { namespace = 'default', name = '', uid } = device.metadata;
    if (!mayTell(`${namespace}/${name}`)) {
      log.warn('an alarm flaps: no Event this time; give its rule a hysteresis or a time', { name: rule });
      return undefined;
    }
    const eventName = `${name}.${random.uuid().replaceAll('-', '').slice(0, 16)}`;
    const now = toTime(instant(clock.now()));
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: eventName, namespace },
      involvedObject: {
        kind: 'Device',
        apiVersion: devicesApiVersion,
        namespace,
        name,
        ...(uid === undefined ? {} : { uid }),
      },
      type: state === 'raised' && severity !== 'info' ? 'Warning' : 'Normal',
      reason: state === 'raised' ? 'AlarmRaised' : 'AlarmCleared',
      message: state === 'raised' ? `${severity}: ${message}` : message,
      count: 1,
      firstTimestamp: now,
      lastTimestamp: now,
      source: { component: 'kedge-alarms', host: node },
      reportingComponent: 'kedge-alarms',
      reportingInstance: node,
    } as unknown as KubeObject;
    return { ref: { type: 'event', namespace, name: eventName }, event, change: 'insert' };
  }

  function ofDevice(id: string): Map<string, Kept> {
    const known = kept.get(id);
    if (known) return known;
    const fresh = new Map<string, Kept>();
    kept.set(id, fresh);
    return fresh;
  }

  function evaluate(device: Device, rule: DeviceRule, value: string): void {
    const of = ofDevice(deviceId(nameOf(device)));
    const one = of.get(rule.name) ?? { rule, state: clear };
    of.set(rule.name, one);
    enter(device, one, nextAlarm(one.state, rule, value, moment()), value);
  }

  /** Devices, models or rules are others than they were. */
  function compare(): void {
    const devices = new Map(twins.devices.list().map((device) => [deviceId(nameOf(device)), device]));
    for (const [id, of] of kept) {
      if (devices.has(id)) continue;
      kept.delete(id);
      budgets.delete(id);
      for (const key of unwritten.keys()) if (key.startsWith(`${id} `)) unwritten.delete(key);
      const gone = [...of.keys()];
      db.write(() => gone.forEach((rule) => remove.run(id, rule))).catch((error: unknown) =>
        log.warn('the alarms of a device that is gone are still on disk', { device: id, err: error }),
      );
    }
    for (const [id, device] of devices) {
      const rules = new Map(rulesFor(device).map((rule) => [rule.name, rule]));
      const of = kept.get(id);
      if (!of && rules.size === 0) continue;
      for (const [name, one] of of ?? []) {
        if (rules.has(name)) continue;
        of!.delete(name);
        enter(device, one, clear, undefined);
      }
      const values = rules.size === 0 ? {} : twins.twins(nameOf(device));
      for (const rule of rules.values()) {
        const known = ofDevice(id).get(rule.name);
        if (known && JSON.stringify(known.rule) === JSON.stringify(rule)) continue;
        // What is pending begins anew under a new rule; what stands goes on if it still would.
        ofDevice(id).set(rule.name, { rule, state: known?.state.at === 'raised' ? known.state : clear });
        const value = Object.hasOwn(values, rule.property) ? values[rule.property]?.actual?.value : undefined;
        if (value !== undefined) evaluate(device, rule, value);
      }
    }
  }

  const active = (device: DeviceName): Alarm[] =>
    [...(kept.get(deviceId(device))?.values() ?? [])]
      .filter(({ state }) => state.at === 'raised')
      .map((one) => documentOf(one, 'raised'));

  /** Raises what has been so for long enough, though no new value came. */
  async function waitForPending(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const devices = new Map(twins.devices.list().map((device) => [deviceId(nameOf(device)), device]));
      let next = Infinity;
      for (const [id, of] of kept) {
        const device = devices.get(id);
        for (const one of of.values()) {
          const due = dueAt(one.state, one.rule);
          if (due === undefined || one.state.at !== 'pending' || !device) continue;
          if (due > clock.monotonic()) next = Math.min(next, due);
          else evaluate(device, one.rule, one.state.value);
        }
      }
      if (next === Infinity) await pending.wait(signal).catch(() => undefined);
      else {
        const stop = new AbortController();
        const either = AbortSignal.any([signal, stop.signal]);
        const wait = milliseconds(Math.max(1, next - clock.monotonic()));
        await Promise.race([pending.wait(either), clock.sleep('an alarm is due', wait, either)]).catch(() => undefined);
        stop.abort(new Error('looking again'));
      }
    }
  }

  return {
    name: 'alarms',
    active,
    watch(watcher) {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    async start(scope) {
      for (const { device, rule, body } of selectAll.all()) {
        if (parseDeviceId(device)) ofDevice(device).set(rule, JSON.parse(body) as Kept);
      }
      compare();
      scope.defer('devices', twins.devices.listen(compare));
      scope.defer(
        'values',
        twins.watch({
          onTwins({ device, changes }) {
            const found = twins.devices.get(device);
            if (!found) return;
            for (const rule of rulesFor(found)) {
              const value = Object.hasOwn(changes, rule.property)
                ? changes[rule.property]?.current?.actual?.value
                : undefined;
              if (value !== undefined) evaluate(found, rule, value);
            }
          },
          onState: () => undefined,
        }),
      );
      scope.spawn('alarms that wait', waitForPending);
      scope.spawn('alarms that are not on disk', tryAgain);
    },
  };
}
