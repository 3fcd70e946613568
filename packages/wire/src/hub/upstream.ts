// Edge -> cloud: envelope <-> message. The module and group names that upstream gives its parts are spelled here only.
import type { KubeObject, Uid } from '@kedge/model/k8s';
import { messageId, type ObjectRef, type RawMessage, type Upstream } from '@kedge/model/messages';
import { busUpFromWire, busUpToWire } from './bus-content.ts';
import { badContent, isKubeObject, readDocument, readObject, readPatch } from './content.ts';
import { membershipDetailResource, reportFromWire, reportToWire } from './device-content.ts';
import { isPlainObject } from './envelope.ts';
import { caResource, formatResource, keepaliveResource, parseResource, parseResourceAs } from './resource.ts';

const queried = new Set([
  'pod',
  'configmap',
  'secret',
  'node',
  'lease',
  'persistentvolume',
  'persistentvolumeclaim',
  'volumeattachment',
  'runtimeclass',
  'certificatesigningrequest',
  'servicelist',
]);

/** What a message means; throws HUB_PEER_BAD_CONTENT when it has no business saying so with that content. */
export function upstreamFromWire(raw: RawMessage): Upstream {
  const { header, route } = raw;
  const base = { id: messageId(header.msg_id), at: header.timestamp };
  if (route.operation === 'keepalive') return { ...base, kind: 'keepalive' };
  if (header.parent_msg_id !== undefined && header.parent_msg_id !== '')
    return answerFromWire(raw, header.parent_msg_id);
  if (route.source === 'twin' && route.operation === 'get' && route.resource === membershipDetailResource) {
    return { ...base, kind: 'membership.get', ...(typeof raw.content === 'string' ? { event: raw.content } : {}) };
  }
  if (route.operation === 'query' && route.resource === caResource) return { ...base, kind: 'ca.get' };
  if (route.source === 'twin') return reportFromWire(raw) ?? { ...base, kind: 'unknown', raw };
  if (route.source === 'bus') return busUpFromWire(raw) ?? { ...base, kind: 'unknown', raw };
  if (route.source === 'edged') return fromEdged(raw) ?? { ...base, kind: 'unknown', raw };
  return { ...base, kind: 'unknown', raw };
}

/** Acknowledgements. CSI results have the same operation and parent, but are answers of their own kind. */
function answerFromWire(raw: RawMessage, parent: string): Upstream {
  const { header, route } = raw;
  const base = { id: messageId(header.msg_id), at: header.timestamp };
  const of = { source: route.source ?? '', group: route.group ?? '', resource: route.resource ?? '' };
  const isVolume = parseResource(route.resource)?.type === 'volume';
  if (route.operation === 'response' && !isVolume) return { ...base, kind: 'ack', to: messageId(parent), of };
  if (route.operation === 'error' && !isVolume) {
    const say = typeof raw.content === 'string' ? raw.content.slice(0, 4_096) : 'the edge reported an error';
    return { ...base, kind: 'nack', to: messageId(parent), of, say };
  }
  return { ...base, kind: 'unknown', raw };
}

function fromEdged(raw: RawMessage): Upstream | undefined {
  const { header, route } = raw;
  const ref = parseResource(route.resource);
  const located = { id: messageId(header.msg_id), at: header.timestamp, address: route.resource };
  if (!ref) return route.resource?.endsWith('/podstatus') ? legacyStatus(raw) : undefined;
  switch (ref.type) {
    case 'nodepatch':
      if (route.operation !== 'patch') return undefined;
      return { ...located, kind: 'node.status', ref: as('node', raw), patch: readPatch(raw) };
    case 'podpatch':
      if (route.operation !== 'patch') return undefined;
      return { ...located, kind: 'pod.status', ref: as('pod', raw), patch: readPatch(raw) };
    case 'serviceaccounttoken':
      if (route.operation !== 'query') return undefined;
      return {
        ...located,
        kind: 'token.request',
        namespace: ref.namespace ?? '',
        serviceAccount: ref.name,
        request: readObject(raw),
      };
    case 'event':
      return eventFromWire(raw, ref);
    case 'nodestatus':
    case 'podstatus':
      return legacyStatus(raw);
    default:
      return queried.has(ref.type) ? objectQuestion(raw, ref) : undefined;
  }
}

function objectQuestion(raw: RawMessage, ref: ObjectRef): Upstream | undefined {
  const { header, route } = raw;
  const located = { id: messageId(header.msg_id), at: header.timestamp, address: route.resource };
  switch (route.operation) {
    case 'query':
      return { ...located, kind: 'object.get', ref };
    case 'insert':
      return { ...located, kind: 'object.create', ref, object: readObject(raw) };
    case 'update':
      return { ...located, kind: 'object.update', ref, object: readObject(raw) };
    case 'delete':
      return ref.type === 'pod' ? { ...located, kind: 'pod.delete', ref, ...readDeleteOptions(raw) } : undefined;
    default:
      return undefined;
  }
}

/** Old edges send the uid alone, as text. */
function readDeleteOptions(raw: RawMessage): { uid: Uid | undefined; gracePeriodSeconds: number } {
  const document = readDocument(raw.content);
  if (typeof document === 'string') return { uid: document as Uid, gracePeriodSeconds: 0 };
  if (document === null || document === undefined) return { uid: undefined, gracePeriodSeconds: 0 };
  if (!isPlainObject(document)) throw badContent(raw, 'DeleteOptions');
  const { gracePeriodSeconds = 0, preconditions } = document;
  const uid = isPlainObject(preconditions) ? preconditions['uid'] : undefined;
  if (typeof gracePeriodSeconds !== 'number' || (uid !== undefined && typeof uid !== 'string')) {
    throw badContent(raw, 'DeleteOptions');
  }
  return { uid: uid as Uid | undefined, gracePeriodSeconds };
}

function eventFromWire(raw: RawMessage, ref: ObjectRef): Upstream | undefined {
  const { header, route } = raw;
  const located = { id: messageId(header.msg_id), at: header.timestamp, address: route.resource };
  if (route.operation === 'insert' || route.operation === 'update') {
    return { ...located, kind: 'event.put', ref, event: readObject(raw), change: route.operation };
  }
  if (route.operation !== 'patch') return undefined;
  const document = readDocument(raw.content);
  if (!isPlainObject(document) || !isKubeObject(document['event']) || typeof document['patchData'] !== 'string') {
    throw badContent(raw, 'an event with its patch');
  }
  return { ...located, kind: 'event.patch', ref, event: document['event'], patch: document['patchData'] };
}

function legacyStatus(raw: RawMessage): Upstream | undefined {
  const { header, route } = raw;
  const [namespace = '', segment, name = ''] = (route.resource ?? '').split('/');
  const of = segment === 'nodestatus' ? 'node' : 'pod';
  const document = readDocument(raw.content);
  const entries = Array.isArray(document) ? document : [document];
  const reports = entries.map((entry: unknown) => {
    if (!isPlainObject(entry)) throw badContent(raw, 'a status report');
    const { UID: uid, Name: entryName, Status: status } = entry;
    // A node that registers itself this way sends the Node, everybody else a report.
    const said = isKubeObject(entry) ? entry['status'] : status;
    return {
      uid: typeof uid === 'string' ? uid : '',
      // A node is who its address says it is, whatever name stands in the report.
      name: of === 'pod' && typeof entryName === 'string' ? entryName : name,
      status: said,
    };
  });
  const ref = { type: of, namespace: of === 'node' ? undefined : namespace, name };
  return {
    id: messageId(header.msg_id),
    at: header.timestamp,
    address: route.resource,
    kind: 'legacy.status',
    of,
    ref,
    reports,
  };
}

export function upstreamToWire(message: Upstream): RawMessage {
  switch (message.kind) {
    case 'unknown':
      return message.raw;
    case 'keepalive':
      return envelope(message, ['websocket', 'resource', 'keepalive', keepaliveResource], 'ping');
    case 'ack':
      return answer(message, message.of.source, 'response', 'OK');
    case 'nack':
      return answer(message, 'metamanager', 'error', message.say);
    case 'ca.get':
      return envelope(message, ['metamanager', 'meta', 'query', caResource], null);
    case 'membership.get':
      return envelope(message, ['twin', 'resource', 'get', membershipDetailResource], message.event ?? '');
    case 'object.get':
      return fromEdge(message, 'query', message.ref.type, null);
    case 'object.create':
      return fromEdge(message, 'insert', message.ref.type, message.object);
    case 'object.update':
      return fromEdge(message, 'update', message.ref.type, message.object);
    case 'node.status':
      return fromEdge(message, 'patch', 'nodepatch', message.patch);
    case 'pod.status':
      return fromEdge(message, 'patch', 'podpatch', message.patch);
    case 'pod.delete':
      return fromEdge(message, 'delete', 'pod', {
        gracePeriodSeconds: message.gracePeriodSeconds,
        ...(message.uid === undefined ? {} : { preconditions: { uid: message.uid } }),
      });
    case 'token.request': {
      const ref = { type: 'serviceaccounttoken', namespace: message.namespace, name: message.serviceAccount };
      return fromEdge({ ...message, ref }, 'query', ref.type, message.request);
    }
    case 'event.put':
      return fromEdge(message, message.change, 'event', message.event);
    case 'event.patch':
      return fromEdge(message, 'patch', 'event', { event: message.event, patchData: message.patch });
    case 'twin.report':
    case 'device.state':
    case 'device.conditions':
    case 'samples.report':
      return reportToWire(message);
    case 'bus.upload':
      return busUpToWire(message);
    case 'legacy.status':
      return fromEdge(message, 'update', `${message.of}status`, legacyReports(message));
  }
}

function legacyReports({ of, reports }: Extract<Upstream, { kind: 'legacy.status' }>): unknown {
  const entries = reports.map(({ uid, name, status }) =>
    of === 'node' ? { UID: uid, Status: status } : { UID: uid, Name: name, Status: status },
  );
  return entries.length === 1 ? entries[0] : entries;
}

interface Sent {
  readonly id: string;
  readonly at: number;
}

type Route = readonly [source: string, group: string, operation: string, resource: string];

const envelope = (message: Sent, [source, group, operation, resource]: Route, content: unknown): RawMessage => ({
  header: { msg_id: message.id, timestamp: message.at },
  route: { source, group, operation, resource },
  content,
});

const fromEdge = (
  message: Sent & { readonly address?: string | undefined; readonly ref: ObjectRef },
  operation: string,
  type: string,
  content: KubeObject | string | null | unknown,
): RawMessage =>
  envelope(message, ['edged', 'meta', operation, message.address ?? formatResource(message.ref, type)], content);

const answer = (
  { id, at, to, of }: Extract<Upstream, { kind: 'ack' | 'nack' }>,
  source: string,
  operation: string,
  content: string,
): RawMessage => ({
  header: { msg_id: id, parent_msg_id: to, timestamp: at },
  route: { source, group: of.group, operation, resource: of.resource },
  content,
});

const as = (type: string, raw: RawMessage): ObjectRef => parseResourceAs(raw.route.resource, type)!;
