// What a device's status is to say: its twins, its state, what is wrong with it, and a line for `kubectl get`. Pure.
import { type Instant, toTime } from '@kedge/core/time';
import {
  checkDevice,
  checkDeviceModel,
  checkValue,
  type Device,
  type DeviceModel,
  type DeviceProblem,
  type StatusCondition,
} from '@kedge/model/kubeedge';
import { type DeviceRecord, ownConditions } from './device-record.ts';

/** Sentences per condition; what is more is counted. */
const maxSaid = 3;
/** Columns for values in `kubectl get devices`. */
const summaryLength = 60;
const maxMessage = 1_024;

/** What is known of the node that a device names. */
export type NodeState = 'none' | 'missing' | 'away' | 'ready';

/** Conditions as they are now, with the times of `before` where nothing changed. */
export function planConditions(
  device: Device,
  model: DeviceModel | undefined,
  node: NodeState,
  record: DeviceRecord,
  before: readonly StatusCondition[],
  now: string,
): StatusCondition[] {
  const ours = [
    validCondition(device, model),
    placedCondition(device, node),
    ...valueConditions(device, model, record),
    ...reachable(record),
  ];
  const edges = record.edgeConditions
    .filter(({ type }) => !ownConditions.has(type))
    .map(({ type, status, reason, message, since }): StatusCondition => ({
      type,
      status,
      reason,
      message: message.slice(0, maxMessage),
      lastTransitionTime: isTime(since) ? toTime(since as Instant) : now,
    }));
  return [...ours, ...edges].map((next) => {
    const old = before.find(({ type }) => type === next.type);
    const since = old?.status === next.status ? old.lastTransitionTime : (next.lastTransitionTime ?? now);
    return { ...next, lastTransitionTime: since ?? now };
  });
}

const isTime = (at: number): boolean => at > 0 && at < 8.64e15;

/** Without the times, which say nothing new. */
export const withoutTimes = (conditions: readonly StatusCondition[]): string =>
  JSON.stringify(conditions.map(({ type, status, reason, message }) => [type, status, reason, message]));

function validCondition(device: Device, model: DeviceModel | undefined): StatusCondition {
  const problems = [...checkDevice(device, model), ...(model ? checkDeviceModel(model) : [])];
  if (problems.length === 0) {
    return { type: 'Valid', status: 'True', reason: 'AsModelled', message: 'the device agrees with its model' };
  }
  return { type: 'Valid', status: 'False', reason: problems[0]!.fault, message: sayAll(problems) };
}

function placedCondition({ spec }: Device, node: NodeState): StatusCondition {
  const name = spec?.nodeName ?? '';
  const type = 'Placed';
  switch (node) {
    case 'none': {
      const message = 'spec.nodeName: is not set; name the node that the device is connected to';
      return { type, status: 'False', reason: 'NoNode', message };
    }
    case 'missing': {
      const message = `spec.nodeName: node "${name}" is not there; let it join, or name another`;
      return { type, status: 'False', reason: 'NodeNotFound', message };
    }
    case 'away': {
      const message = `node "${name}" is not ready: what is shown may be out of date`;
      return { type, status: 'Unknown', reason: 'NodeNotReady', message };
    }
    case 'ready':
      return { type, status: 'True', reason: 'NodeReady', message: `node "${name}" is ready` };
  }
}

function valueConditions(device: Device, model: DeviceModel | undefined, record: DeviceRecord): StatusCondition[] {
  const properties = device.spec?.properties ?? [];
  const described = new Map((model?.spec?.properties ?? []).map((property) => [property.name, property]));
  const problems: DeviceProblem[] = record
    .unknownProperties(new Set(properties.map(({ name = '' }) => name)))
    .map((name) => ({
      fault: 'UnknownProperty',
      path: name,
      say: 'is reported, but is no property of the device: add it to spec.properties',
    }));
  let hasValues = problems.length > 0;
  for (const { name = '' } of properties) {
    const value = record.reportedValue(name);
    if (value === undefined) continue;
    hasValues = true;
    const known = described.get(name);
    const problem = known && checkValue(value, known);
    if (problem) problems.push({ ...problem, path: name });
  }
  if (!hasValues) return [];
  if (problems.length === 0) {
    return [
      { type: 'ValuesValid', status: 'True', reason: 'AsModelled', message: 'reported values agree with the model' },
    ];
  }
  return [{ type: 'ValuesValid', status: 'False', reason: problems[0]!.fault, message: sayAll(problems) }];
}

const reachableStates: Readonly<Record<string, StatusCondition['status']>> = {
  online: 'True',
  ok: 'True',
  offline: 'False',
  unhealthy: 'False',
  disconnected: 'False',
};

function reachable(record: DeviceRecord): StatusCondition[] {
  const { state } = record;
  if (!state) return [];
  const status = reachableStates[state.toLowerCase()] ?? 'Unknown';
  const word = /^[A-Za-z][A-Za-z0-9]{0,60}$/.test(state) ? `${state[0]!.toUpperCase()}${state.slice(1)}` : 'Reported';
  return [{ type: 'Reachable', status, reason: word, message: `its mapper reports the state "${state.slice(0, 60)}"` }];
}

function sayAll(problems: readonly DeviceProblem[]): string {
  const said = problems.slice(0, maxSaid).map(({ path, say }) => `${path}: ${say}`);
  const more = problems.length - said.length;
  return `${said.join('; ')}${more > 0 ? `; and ${more} more` : ''}`.slice(0, maxMessage);
}

/** The first values, in the order of the spec, as far as there is room. */
export function summaryOf(device: Device, record: DeviceRecord): string {
  let line = '';
  for (const { name = '' } of device.spec?.properties ?? []) {
    const value = record.reportedValue(name);
    if (value === undefined) continue;
    const next = `${line === '' ? '' : `${line} `}${name}=${value.replaceAll(/\s+/g, ' ')}`;
    if (next.length > summaryLength) return line === '' ? `${next.slice(0, summaryLength - 3)}...` : `${line} ...`;
    line = next;
  }
  return line;
}

export type StatusPart =
  | 'twins'
  | 'state'
  | 'lastOnlineTime'
  | 'conditions'
  | 'summary'
  | 'lastReportTime'
  | 'edgeVersions'
  | 'reportedBy';

/** The status of a device, in v1.22's place for it or v1.23's. */
export function planStatus(
  device: Device,
  record: DeviceRecord,
  conditions: readonly StatusCondition[],
): { readonly [K in StatusPart]?: unknown } {
  const summary = summaryOf(device, record);
  const properties = device.spec?.properties ?? [];
  return {
    ...(record.hasTwins ? { twins: record.twins(properties), edgeVersions: record.edgeVersions(properties) } : {}),
    ...(record.state === undefined ? {} : { state: record.state }),
    ...(record.lastOnlineTime === undefined ? {} : { lastOnlineTime: record.lastOnlineTime }),
    conditions,
    ...(summary === '' ? {} : { summary }),
    ...(record.heardAt === undefined ? {} : { reportedBy: record.node }),
    ...(record.heardAt === undefined ? {} : { lastReportTime: toTime(record.heardAt as Instant) }),
  };
}
