// Whether a change of an object matters to the node that has it. The node itself makes most changes of status, and the
// API server stamps versions and managers on everything: neither is worth a message.
import type { KubeObject } from '@kedge/model/k8s';
import { jsonEqual } from '@kedge/model/k8s-patch';

export type Significance =
  /** Metadata or spec: the node has to know. */
  | 'desired'
  /** Only the status: the node has to know unless it is its own doing. */
  | 'status'
  | 'nothing';

const stamps = new Set(['resourceVersion', 'generation', 'managedFields']);

export function significance(before: KubeObject, after: KubeObject): Significance {
  const { metadata: oldMeta, status: oldStatus, apiVersion: _a, kind: _k, ...oldRest } = before;
  const { metadata: newMeta, status: newStatus, apiVersion: _b, kind: _l, ...newRest } = after;
  if (!jsonEqual(withoutStamps(oldMeta), withoutStamps(newMeta)) || !jsonEqual(oldRest, newRest)) return 'desired';
  return jsonEqual(oldStatus, newStatus) ? 'nothing' : 'status';
}

const withoutStamps = (metadata: object): object =>
  Object.fromEntries(Object.entries(metadata).filter(([field]) => !stamps.has(field)));
