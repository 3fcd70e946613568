// What travels about devices, in upstream's words: addresses such as `device/default/thermo-1/twin/edge_updated`, and the
// documents of DeviceTwin. A report that makes no sense is left as an unknown message: one broken device must not cost its
// node the link.
import {
  type DeviceCondition,
  type DeviceName,
  type DeviceReport,
  type Downstream,
  maxConditionsPerDevice,
  maxSamplesPerReport,
  type Member,
  messageId,
  type RawMessage,
  type Sample,
  type Twin,
  type Twins,
  type TwinSide,
} from '@kedge/model/messages';
import { readDocument } from './content.ts';
import { isPlainObject } from './envelope.ts';

type Membership = Extract<Downstream, { kind: 'membership.update' | 'membership.detail' }>;

export const membershipDetailResource = 'membership/detail';
const membershipUpdateResource = 'membership';
/** What a confirmation is addressed to. */
export const twinResource = 'twin';

const maxNameLength = 253;
/** Of a stream, a property or an event: bounds what a stranger makes us remember. */
const maxTextLength = 512;

/** The last segments of a report's address, by its kind. */
const reportPath = {
  'twin.report': 'twin/edge_updated',
  'device.state': 'state/update',
  'device.conditions': 'conditions/update',
  'samples.report': 'samples/update',
} as const satisfies Record<DeviceReport['kind'], string>;

/** Undefined when it is no report, or none that can be understood. */
export function reportFromWire(raw: RawMessage): DeviceReport | undefined {
  const { header, route } = raw;
  if (route.source !== 'twin' || route.operation !== 'update') return undefined;
  const [word, namespace, name, ...path] = (route.resource ?? '').split('/');
  if (word !== 'device' || !isName(namespace) || !isName(name)) return undefined;
  const content = readDocument(raw.content);
  if (!isPlainObject(content)) return undefined;
  const base = { id: messageId(header.msg_id), at: header.timestamp, device: { namespace, name } };
  switch (path.join('/')) {
    case reportPath['twin.report']: {
      const twins = readTwins(content['twin']);
      return twins && { ...base, kind: 'twin.report', ...readEvent(content), twins };
    }
    case reportPath['device.state']: {
      const { state, lastOnlineTime } = isPlainObject(content['device']) ? content['device'] : {};
      if (typeof state !== 'string') return undefined;
      const seen = typeof lastOnlineTime === 'string' ? lastOnlineTime : '';
      return { ...base, kind: 'device.state', ...readEvent(content), state, lastOnlineTime: seen };
    }
    case reportPath['device.conditions']: {
      const conditions = readConditions(content['conditions']);
      return conditions && { ...base, kind: 'device.conditions', conditions };
    }
    case reportPath['samples.report']: {
      const { property, stream, first_sequence: firstSequence, replayed } = content;
      const samples = readSamples(content['samples']);
      if (!isText(property) || !isText(stream) || !isCount(firstSequence) || !samples) return undefined;
      const flag = replayed === true ? ({ replayed: true } as const) : {};
      return { ...base, kind: 'samples.report', property, stream, firstSequence, samples, ...flag };
    }
    default:
      return undefined;
  }
}

export function reportToWire(report: DeviceReport): RawMessage {
  const { namespace, name } = report.device;
  const resource = `device/${namespace}/${name}/${reportPath[report.kind]}`;
  return {
    header: { msg_id: report.id, timestamp: report.at },
    route: { source: 'twin', group: 'resource', operation: 'update', resource },
    content: reportContent(report),
  };
}

function reportContent(report: DeviceReport): unknown {
  switch (report.kind) {
    case 'twin.report':
      return { event_id: report.event, timestamp: report.reportedAt, twin: report.twins };
    case 'device.state': {
      const { state, lastOnlineTime } = report;
      const device = { name: report.device.name, state, ...(lastOnlineTime === '' ? {} : { lastOnlineTime }) };
      // Upstream sends this one as text.
      return JSON.stringify({ event_id: report.event, timestamp: report.reportedAt, device });
    }
    case 'device.conditions':
      return { conditions: report.conditions };
    case 'samples.report':
      return {
        property: report.property,
        stream: report.stream,
        first_sequence: report.firstSequence,
        samples: report.samples,
        ...(report.replayed ? { replayed: true } : {}),
      };
  }
}

const readEvent = (content: Record<string, unknown>): { event: string; reportedAt: number } => {
  const { event_id: event, timestamp } = content;
  return { event: isText(event) ? event : '', reportedAt: Number.isSafeInteger(timestamp) ? (timestamp as number) : 0 };
};

/** Leaves out what is no twin; undefined when there are no twins at all. */
export function readTwins(value: unknown): Twins | undefined {
  if (!isPlainObject(value)) return undefined;
  const twins = Object.entries(value).filter(([property, twin]) => isText(property) && (twin === null || isTwin(twin)));
  return Object.fromEntries(twins) as Twins;
}

const isTwin = (value: unknown): value is Twin =>
  isPlainObject(value) && isSide(value['expected']) && isSide(value['actual']) && isMetadata(value['metadata']);

const isSide = (value: unknown): value is TwinSide | undefined =>
  value === undefined ||
  (isPlainObject(value) &&
    (value['value'] === undefined || typeof value['value'] === 'string') &&
    isMetadata(value['metadata']));

const isMetadata = (value: unknown): boolean =>
  value === undefined ||
  (isPlainObject(value) &&
    (value['timestamp'] === undefined || typeof value['timestamp'] === 'number') &&
    (value['type'] === undefined || typeof value['type'] === 'string'));

/** Undefined when they are none. */
export function readConditions(value: unknown): DeviceCondition[] | undefined {
  if (!Array.isArray(value) || value.length > maxConditionsPerDevice) return undefined;
  return (value as unknown[]).every(isCondition) ? (value as DeviceCondition[]) : undefined;
}

const isCondition = (value: unknown): boolean =>
  isPlainObject(value) &&
  isText(value['type']) &&
  (value['status'] === 'True' || value['status'] === 'False' || value['status'] === 'Unknown') &&
  isText(value['reason']) &&
  typeof value['message'] === 'string' &&
  Number.isSafeInteger(value['since']);

function readSamples(value: unknown): Sample[] | undefined {
  if (!Array.isArray(value) || value.length > maxSamplesPerReport) return undefined;
  return (value as unknown[]).every(isSample) ? (value as Sample[]) : undefined;
}

const isSample = (value: unknown): boolean =>
  isPlainObject(value) && Number.isSafeInteger(value['at']) && typeof value['value'] === 'string';

export function membershipFromWire(raw: RawMessage): Membership | undefined {
  const { header, route, content } = raw;
  if (route.source !== 'devicecontroller' || route.operation !== 'update' || !isPlainObject(content)) return undefined;
  const base = { id: messageId(header.msg_id), at: header.timestamp, event: readEvent(content).event };
  if (route.resource === membershipUpdateResource) {
    const added = readMembers(content['added_devices']);
    const removed = readMembers(content['removed_devices']);
    return added && removed && { ...base, kind: 'membership.update', added, removed };
  }
  if (route.resource !== membershipDetailResource) return undefined;
  const devices = readMembers(content['devices']);
  return devices && { ...base, kind: 'membership.detail', devices };
}

function readMembers(value: unknown): Member[] | undefined {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) return undefined;
  const members = (value as unknown[]).map(readMember);
  return members.every((member) => member !== undefined) ? members : undefined;
}

function readMember(value: unknown): Member | undefined {
  if (!isPlainObject(value) || typeof value['id'] !== 'string') return undefined;
  const [namespace, name, more] = value['id'].split('/');
  if (!isName(namespace) || !isName(name) || more !== undefined) return undefined;
  const { description } = value;
  return { device: { namespace, name }, ...(typeof description === 'string' ? { description } : {}) };
}

export function membershipToWire(message: Membership): RawMessage {
  const isUpdate = message.kind === 'membership.update';
  const event = { event_id: message.event, timestamp: message.at };
  return {
    header: { msg_id: message.id, timestamp: message.at },
    route: {
      source: 'devicecontroller',
      group: 'twin',
      operation: 'update',
      resource: isUpdate ? membershipUpdateResource : membershipDetailResource,
    },
    content: isUpdate
      ? { ...event, added_devices: writeMembers(message.added), removed_devices: writeMembers(message.removed) }
      : { ...event, devices: writeMembers(message.devices) ?? [] },
  };
}

/** A Go program writes an empty list as null. */
const writeMembers = (members: readonly Member[]): unknown =>
  members.length === 0
    ? null
    : members.map(({ device: { namespace, name }, description }) => ({
        id: `${namespace}/${name}`,
        name,
        ...(description === undefined ? {} : { description }),
      }));

/** What is answered in the name of DeviceTwin: reports, and the question for the members, which has to be confirmed too. */
export const isConfirmed = (kind: string | undefined): boolean =>
  kind !== undefined && (kind === 'membership.get' || Object.hasOwn(reportPath, kind));

export const isDeviceName = ({ namespace, name }: DeviceName): boolean => isName(namespace) && isName(name);

const isName = (text: string | undefined): text is string =>
  text !== undefined && text.length > 0 && text.length <= maxNameLength;

const isText = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= maxTextLength;

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 1;
