// Edge -> cloud in the dense form: a message is `[code, ...]`, several acknowledgements are one.
import type { Uid } from '@kedge/model/k8s';
import {
  type DeviceReport,
  maxSamplesPerReport,
  type MessageId,
  messageId,
  type Sample,
  type Upstream,
} from '@kedge/model/messages';
import { readTuple, type ShortIds, type TupleReader, writePatch, writeRef } from './dense-tuple.ts';
import { readConditions, readTwins } from './device-content.ts';
import { decodeEnvelope } from './envelope.ts';
import { hubPeerErrors } from './hub-peer-errors.ts';
import { upstreamFromWire, upstreamToWire } from './upstream.ts';

const code = {
  keepalive: 0,
  acks: 1,
  nack: 2,
  get: 3,
  create: 4,
  update: 5,
  nodeStatus: 6,
  podStatus: 7,
  podDelete: 8,
  token: 9,
  ca: 10,
  event: 11,
  eventPatch: 12,
  envelope: 13,
  twin: 14,
  deviceState: 15,
  samples: 16,
  membership: 17,
  conditions: 18,
} as const;

const nowhere = { source: '', group: '', resource: '' };

/** `ids` names what awaits an answer from the cloud. */
export function writeDenseUpstream(message: Exclude<Upstream, { kind: 'ack' }>, ids: ShortIds): unknown[] {
  const id = (): number => ids.numberOf(message.id);
  switch (message.kind) {
    case 'keepalive':
      return [code.keepalive];
    case 'nack':
      return [code.nack, Number(message.to), message.say];
    case 'object.get':
      return [code.get, id(), writeRef(message.ref)];
    case 'object.create':
      return [code.create, id(), writeRef(message.ref), message.object];
    case 'object.update':
      return [code.update, id(), writeRef(message.ref), message.object];
    case 'node.status':
      return [code.nodeStatus, id(), writeRef(message.ref), writePatch(message.patch)];
    case 'pod.status':
      return [code.podStatus, id(), writeRef(message.ref), writePatch(message.patch)];
    case 'pod.delete':
      return [code.podDelete, id(), writeRef(message.ref), message.uid ?? '', message.gracePeriodSeconds];
    case 'token.request':
      return [code.token, id(), message.namespace, message.serviceAccount, message.request];
    case 'ca.get':
      return [code.ca, id()];
    case 'event.put':
      return [code.event, writeRef(message.ref), message.event, message.change === 'update' ? 1 : 0];
    case 'event.patch':
      return [code.eventPatch, writeRef(message.ref), message.event, writePatch(message.patch)];
    case 'twin.report':
      return [code.twin, id(), ...deviceOf(message), message.event, message.reportedAt, message.twins];
    case 'device.state': {
      const { event, reportedAt, state, lastOnlineTime } = message;
      return [code.deviceState, id(), ...deviceOf(message), event, reportedAt, state, lastOnlineTime];
    }
    case 'device.conditions':
      return [code.conditions, id(), ...deviceOf(message), message.conditions];
    case 'samples.report': {
      const { property, stream, firstSequence, replayed, samples } = message;
      const flat = samples.flatMap(({ at, value }) => [at, value]);
      return [code.samples, id(), ...deviceOf(message), property, stream, firstSequence, replayed ? 1 : 0, flat];
    }
    case 'membership.get':
      return [code.membership, message.event ?? ''];
    case 'legacy.status':
    case 'bus.upload':
    case 'unknown':
      return [code.envelope, upstreamToWire(message)];
  }
}

const deviceOf = ({ device: { namespace, name } }: DeviceReport): string[] => [namespace, name];

export const writeDenseAcks = (ids: readonly MessageId[]): unknown[] => [code.acks, ...ids.map(Number)];

/** `ids` names what the cloud awaits an answer for. */
export function readDenseUpstream(tuple: unknown, at: number, ids: ShortIds): Upstream[] {
  const read = readTuple(tuple);
  if (read.code === code.keepalive) return [{ kind: 'keepalive', id: messageId(''), at }];
  if (read.code === code.acks) {
    return Array.from({ length: read.length - 1 }, (_, i) => {
      const to = ids.idOf(read.number(i + 1));
      return { kind: 'ack', id: messageId(''), at, to, of: nowhere };
    });
  }
  if (read.code === code.nack) {
    const to = ids.idOf(read.number(1));
    return [{ kind: 'nack', id: messageId(''), at, to, of: nowhere, say: read.text(2).slice(0, 4_096) }];
  }
  if (read.code === code.envelope) return [upstreamFromWire(decodeEnvelope(JSON.stringify(read.document(1))))];
  if (read.code === code.membership) return [{ kind: 'membership.get', id: messageId(''), at, event: read.text(1) }];
  return [readEvent(read, at) ?? readReport(read, at) ?? readQuestion(read, at)].filter(
    (message) => message !== undefined,
  );
}

function readEvent(read: TupleReader, at: number): Upstream | undefined {
  const base = { id: messageId(''), at };
  if (read.code === code.event) {
    const change = read.flag(3) ? 'update' : 'insert';
    return { ...base, kind: 'event.put', ref: read.ref(1), event: read.object(2), change };
  }
  if (read.code !== code.eventPatch) return undefined;
  return { ...base, kind: 'event.patch', ref: read.ref(1), event: read.object(2), patch: read.patch(3) };
}

const reportCodes: ReadonlySet<number> = new Set([code.twin, code.deviceState, code.conditions, code.samples]);

function readReport(read: TupleReader, at: number): DeviceReport | undefined {
  if (!reportCodes.has(read.code)) return undefined;
  const base = { id: read.id(1), at, device: read.device(2) };
  if (read.code === code.samples) {
    const flag = read.flag(7) ? ({ replayed: true } as const) : {};
    const [property, stream, firstSequence] = [read.text(4), read.text(5), read.number(6)];
    return { ...base, kind: 'samples.report', property, stream, firstSequence, samples: readSamples(read), ...flag };
  }
  if (read.code === code.conditions) {
    const conditions = readConditions(read.list(4));
    if (!conditions) throw hubPeerErrors.BAD_ENVELOPE({ field: 'dense conditions', expected: 'a list of conditions' });
    return { ...base, kind: 'device.conditions', conditions };
  }
  const event = { event: read.text(4), reportedAt: read.number(5) };
  if (read.code === code.deviceState) {
    return { ...base, kind: 'device.state', ...event, state: read.text(6), lastOnlineTime: read.text(7) };
  }
  return { ...base, kind: 'twin.report', ...event, twins: readTwins(read.document(6)) ?? {} };
}

/** Time and value in turn. */
function readSamples(read: TupleReader): Sample[] {
  const flat = read.list(8);
  if (flat.length > 2 * maxSamplesPerReport || flat.length % 2 !== 0) throw badSamples();
  return Array.from({ length: flat.length / 2 }, (_, i) => {
    const [at, value] = [flat[2 * i], flat[2 * i + 1]];
    if (!Number.isSafeInteger(at) || typeof value !== 'string') throw badSamples();
    return { at: at as number, value };
  });
}

const badSamples = () =>
  hubPeerErrors.BAD_ENVELOPE({ field: 'dense samples', expected: `at most ${maxSamplesPerReport} times and values` });

/** A code that we do not know is of a newer edge: passed over. */
function readQuestion(read: TupleReader, at: number): Upstream | undefined {
  const base = { id: read.id(1), at };
  switch (read.code) {
    case code.get:
      return { ...base, kind: 'object.get', ref: read.ref(2) };
    case code.create:
      return { ...base, kind: 'object.create', ref: read.ref(2), object: read.object(3) };
    case code.update:
      return { ...base, kind: 'object.update', ref: read.ref(2), object: read.object(3) };
    case code.nodeStatus:
      return { ...base, kind: 'node.status', ref: read.ref(2), patch: read.patch(3) };
    case code.podStatus:
      return { ...base, kind: 'pod.status', ref: read.ref(2), patch: read.patch(3) };
    case code.podDelete: {
      const uid = read.text(3);
      const gracePeriodSeconds = read.number(4);
      return { ...base, kind: 'pod.delete', ref: read.ref(2), uid: uid ? (uid as Uid) : undefined, gracePeriodSeconds };
    }
    case code.token:
      return {
        ...base,
        kind: 'token.request',
        namespace: read.text(2),
        serviceAccount: read.text(3),
        request: read.object(4),
      };
    case code.ca:
      return { ...base, kind: 'ca.get' };
    default:
      return undefined;
  }
}
