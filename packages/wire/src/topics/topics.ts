// Requests come in on topics of a device or of the node; answers and news go out below the same prefix. Before v1.15
// devices had no namespace in their topics; such a short topic means a device in `default`.
import type { DeviceName } from '@kedge/model/messages';

const prefix = '$hw/events';
const defaultNamespace = 'default';

/** What a client may ask, one filter per form. */
export const requestFilters: readonly string[] = [
  `${prefix}/device/+/+/state/update`,
  `${prefix}/device/+/+/twin/+`,
  `${prefix}/device/+/state/update`,
  `${prefix}/device/+/twin/+`,
  `${prefix}/node/+/membership/get`,
  // Ours, and only with a namespace.
  `${prefix}/device/+/+/history/get`,
  `${prefix}/device/+/+/alarm/get`,
];

/** What KubeEdge's edge hands to the rules of the cloud without being told to. */
export const uploadFilters: readonly string[] = [`${prefix}/upload/#`, 'SYS/dis/upload_records', '+/user/#'];

/** Whether messages of this topic are the edge's own business, and never a rule's. */
export const isEdgeTopic = (topic: string): boolean =>
  topic.startsWith(`${prefix}/device/`) || topic.startsWith(`${prefix}/node/`);

export type BusTopic =
  | {
      readonly kind: 'twin.get' | 'twin.update' | 'state.update' | 'history.get' | 'alarm.get';
      readonly device: DeviceName;
      /** Without a namespace. */
      readonly isShort: boolean;
    }
  | { readonly kind: 'membership.get'; readonly node: string };

/** What a device's answers and news are called. */
export type DeviceTopicTail =
  | 'twin/get/result'
  | 'twin/update/result'
  | 'twin/update/document'
  | 'twin/update/delta'
  | 'state/update/result'
  | 'history/get/result'
  | 'alarm/get/result'
  | 'alarm';

const requests = {
  'twin/get': 'twin.get',
  'twin/update': 'twin.update',
  'state/update': 'state.update',
  'history/get': 'history.get',
  'alarm/get': 'alarm.get',
} as const;

/** Undefined: not a request. */
export function parseTopic(topic: string): BusTopic | undefined {
  const [hw, events, scope, ...rest] = topic.split('/');
  if (`${hw}/${events}` !== prefix || rest.includes('')) return undefined;
  if (scope === 'node') {
    const [node, what, verb] = rest;
    return rest.length === 3 && what === 'membership' && verb === 'get'
      ? { kind: 'membership.get', node: node! }
      : undefined;
  }
  if (scope !== 'device' || (rest.length !== 3 && rest.length !== 4)) return undefined;
  const isShort = rest.length === 3;
  const [namespace, name, what, verb] = isShort ? [defaultNamespace, ...rest] : rest;
  const kind = requests[`${what}/${verb}` as keyof typeof requests] as
    | (typeof requests)[keyof typeof requests]
    | undefined;
  if (isShort && (kind === 'history.get' || kind === 'alarm.get')) return undefined;
  return kind && { kind, device: { namespace: namespace!, name: name! }, isShort };
}

export const deviceTopic = ({ namespace, name }: DeviceName, tail: DeviceTopicTail): string =>
  `${prefix}/device/${namespace}/${name}/${tail}`;

/** Undefined for a device that has no short topic. */
export const shortDeviceTopic = ({ namespace, name }: DeviceName, tail: DeviceTopicTail): string | undefined =>
  namespace === defaultNamespace ? `${prefix}/device/${name}/${tail}` : undefined;

/** Where KubeEdge answers what it could not read: the place of the device is empty. */
export const namelessDeviceTopic = (tail: DeviceTopicTail): string => `${prefix}/device//${tail}`;

export const nodeTopic = (node: string, tail: 'membership/get/result' | 'membership/updated'): string =>
  `${prefix}/node/${node}/${tail}`;
