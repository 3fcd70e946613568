// What travels for the rules of the router: a message of an MQTT client up, one for MQTT clients down, and topics that the
// edge is to listen to. Upstream has no confirmation for any of them.
import { type Downstream, messageId, type RawMessage, type Upstream } from '@kedge/model/messages';

type Down = Extract<Downstream, { kind: 'bus.publish' | 'bus.subscribe' | 'bus.unsubscribe' }>;
type Up = Extract<Upstream, { kind: 'bus.upload' }>;

const router = 'router_eventbus';
const longestTopic = 1_024;

const isTopic = (text: string | undefined): text is string =>
  text !== undefined && text !== '' && text.length <= longestTopic && !text.includes('\0');

export function busDownFromWire({ header, route, content }: RawMessage): Down | undefined {
  if (route.source !== router || !isTopic(route.resource)) return undefined;
  const base = { id: messageId(header.msg_id), at: header.timestamp, topic: route.resource };
  switch (route.operation) {
    case 'publish': {
      // A topic with wildcards is a filter, and a broker hangs up on whoever publishes there.
      if (/[+#]/.test(route.resource)) return undefined;
      const payload = typeof content === 'string' ? content : JSON.stringify(content ?? null);
      return { ...base, kind: 'bus.publish', payload };
    }
    case 'subscribe':
      return { ...base, kind: 'bus.subscribe' };
    case 'unsubscribe':
      return { ...base, kind: 'bus.unsubscribe' };
    default:
      return undefined;
  }
}

const operations = {
  'bus.publish': 'publish',
  'bus.subscribe': 'subscribe',
  'bus.unsubscribe': 'unsubscribe',
} as const;

export const busDownToWire = (message: Down): RawMessage => ({
  header: { msg_id: message.id, timestamp: message.at },
  route: { source: router, group: 'user', operation: operations[message.kind], resource: message.topic },
  content: message.kind === 'bus.publish' ? message.payload : null,
});

export function busUpFromWire({ header, route, content }: RawMessage): Up | undefined {
  if (route.source !== 'bus' || route.operation !== 'upload' || !isTopic(route.resource)) return undefined;
  if (typeof content !== 'string') return undefined;
  const base = { id: messageId(header.msg_id), at: header.timestamp };
  return { ...base, kind: 'bus.upload', topic: route.resource, payload: content };
}

export const busUpToWire = (message: Up): RawMessage => ({
  header: { msg_id: message.id, timestamp: message.at },
  route: { source: 'bus', group: 'user', operation: 'upload', resource: message.topic },
  content: message.payload,
});
