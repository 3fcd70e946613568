// Cloud -> edge: envelope <-> message.
import { resourceVersion, uid } from '@kedge/model/k8s';
import { type AckRoute, type Downstream, messageId, type RawMessage } from '@kedge/model/messages';
import { busDownFromWire, busDownToWire } from './bus-content.ts';
import { badContent, readObject } from './content.ts';
import { isConfirmed, membershipFromWire, membershipToWire, twinResource } from './device-content.ts';
import { guessQuestion, replyForm, replyFromContent, replyToContent, wantsAck } from './reply-content.ts';
import { caResource, formatResource, parseResource } from './resource.ts';

type Push = Extract<Downstream, { kind: 'object.put' | 'object.delete' }>;
type Reply = Extract<Downstream, { kind: 'reply' }>;

const owners: ReadonlySet<string> = new Set<Push['owner']>([
  'edgecontroller',
  'devicecontroller',
  'dynamiccontroller',
  'policycontroller',
]);

/** What a message means; throws HUB_PEER_BAD_CONTENT when a push carries no object. */
export function downstreamFromWire(raw: RawMessage): Downstream {
  const { header, route } = raw;
  const isAnswer = header.parent_msg_id !== undefined && header.parent_msg_id !== '';
  const message =
    route.group === 'twin'
      ? isAnswer
        ? confirmationFromWire(raw)
        : membershipFromWire(raw)
      : route.group !== 'resource'
        ? busDownFromWire(raw)
        : isAnswer
          ? replyFromWire(raw)
          : pushFromWire(raw);
  return message ?? { id: messageId(header.msg_id), at: header.timestamp, kind: 'unknown', raw };
}

function replyFromWire(raw: RawMessage): Downstream | undefined {
  const { header, route, content } = raw;
  if (route.operation !== 'response' && route.operation !== 'error') return undefined;
  if (route.source !== 'edgecontroller' && route.source !== 'cloudhub') return undefined;
  const resource = route.resource ?? '';
  const ref = parseResource(resource);
  return {
    id: messageId(header.msg_id),
    at: header.timestamp,
    address: resource,
    kind: 'reply',
    to: messageId(header.parent_msg_id ?? ''),
    question: guessQuestion(resource, content),
    ref,
    ...replyFromContent(route.operation, resource, content),
    ...(header.resourceversion ? { version: resourceVersion(header.resourceversion) } : {}),
    wantsAck: wantsAck(ref?.type),
  };
}

/** Of a report about a device; which kind of report it was, `to` tells. */
function confirmationFromWire(raw: RawMessage): Downstream | undefined {
  const { header, route, content } = raw;
  if (route.operation !== 'response' && route.operation !== 'error') return undefined;
  if (route.source !== 'devicecontroller' || route.resource !== twinResource) return undefined;
  return {
    id: messageId(header.msg_id),
    at: header.timestamp,
    address: route.resource,
    kind: 'reply',
    to: messageId(header.parent_msg_id ?? ''),
    question: 'twin.report',
    ref: undefined,
    ...replyFromContent(route.operation, route.resource, content),
    wantsAck: false,
  };
}

function pushFromWire(raw: RawMessage): Downstream | undefined {
  const { header, route } = raw;
  const ref = parseResource(route.resource);
  if (!ref || !owners.has(route.source ?? '')) return undefined;
  const located = { id: messageId(header.msg_id), at: header.timestamp, address: route.resource, ref };
  const owner = route.source as Push['owner'];
  if (route.operation === 'insert' || route.operation === 'update') {
    const object = readObject(raw);
    const version = resourceVersion(header.resourceversion ?? object.metadata.resourceVersion ?? '');
    return { ...located, kind: 'object.put', version, object, owner, change: route.operation };
  }
  if (route.operation === 'delete') {
    const object = readObject(raw);
    if (!object.metadata.uid) throw badContent(raw, 'an object with a uid');
    const version = header.resourceversion ? resourceVersion(header.resourceversion) : undefined;
    return { ...located, kind: 'object.delete', uid: uid(object.metadata.uid), object, version, owner };
  }
  return undefined;
}

export function downstreamToWire(message: Downstream): RawMessage {
  switch (message.kind) {
    case 'unknown':
      return message.raw;
    case 'object.put':
      return pushToWire(message, message.change);
    case 'object.delete':
      return pushToWire(message, 'delete');
    case 'membership.update':
    case 'membership.detail':
      return membershipToWire(message);
    case 'bus.publish':
    case 'bus.subscribe':
    case 'bus.unsubscribe':
      return busDownToWire(message);
    case 'reply':
      return replyToWire(message);
  }
}

const pushToWire = (message: Push, operation: string): RawMessage => ({
  header: {
    msg_id: message.id,
    timestamp: message.at,
    ...(message.version ? { resourceversion: message.version } : {}),
  },
  route: { source: message.owner, group: 'resource', operation, resource: resourceOf(message) },
  content: message.object,
});

function replyToWire(reply: Reply): RawMessage {
  const form = replyForm(reply.question, reply.ref?.type);
  const { operation, content } = replyToContent(form, reply.outcome, reply.remnant);
  return {
    header: {
      msg_id: reply.id,
      parent_msg_id: reply.to,
      timestamp: reply.at,
      ...(reply.version ? { resourceversion: reply.version } : {}),
    },
    route: { ...ackRouteOf(reply), operation },
    content,
  };
}

function resourceOf(message: Push | Reply): string {
  if (message.kind === 'reply') {
    if (message.question === 'ca.get') return caResource;
    if (isConfirmed(message.question)) return twinResource;
    // The old status report is answered under the node itself.
    if (message.question === 'legacy.status') return (message.address ?? '').replace('/nodestatus/', '/node/');
  }
  return message.address ?? (message.ref ? formatResource(message.ref) : '');
}

/** What an acknowledgement of a message repeats: its own source, group and address. */
export function ackRouteOf(message: Push | Reply): AckRoute {
  const resource = resourceOf(message);
  if (message.kind !== 'reply') return { source: message.owner, group: 'resource', resource };
  if (isConfirmed(message.question)) return { source: 'devicecontroller', group: 'twin', resource };
  return { source: resource === caResource ? 'cloudhub' : 'edgecontroller', group: 'resource', resource };
}
