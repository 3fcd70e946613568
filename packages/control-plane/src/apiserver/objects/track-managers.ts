// Who set which field, for server-side apply and for people who wonder.
import { type Instant, toTime } from '@kedge/core/time';
import type { KubeObject } from '@kedge/model/k8s';
import { type Apply, type FieldSet, serverSideApply, setOfFields, trackUpdate } from '@kedge/model/k8s-patch';
import { shapeOf } from '@kedge/model/k8s-schema';
import type { Kind } from '../kinds/kind.ts';

export interface Manager {
  readonly name: string;
  /** '' for the object itself. */
  readonly subresource: string;
  readonly now: Instant;
}

/** Brings `object.metadata.managedFields` up to date. */
export function trackManager(kind: Kind, object: KubeObject, before: KubeObject | undefined, manager: Manager): void {
  const tracked = trackUpdate(before, object, how(kind, manager, false));
  if (tracked.metadata.managedFields) object.metadata.managedFields = tracked.metadata.managedFields;
  else delete object.metadata.managedFields;
}

/** The object after a server-side apply, owners included. */
export const applyFields = (
  kind: Kind,
  live: KubeObject | undefined,
  applied: KubeObject,
  manager: Manager,
  force: boolean,
): KubeObject => serverSideApply(live, applied, how(kind, manager, force));

const how = (kind: Kind, { name, subresource, now }: Manager, force: boolean): Apply => ({
  manager: name,
  apiVersion: kind.apiVersion,
  subresource,
  now: toTime(now),
  shape: kind.schema && shapeOf(kind.schema),
  force,
  ignored: ignored(kind, subresource),
});

const statusOnly = setOfFields('status');
const allButStatus = setOfFields('spec', 'metadata.labels', 'metadata.ownerReferences');
const nothing = setOfFields();

function ignored(kind: Kind, subresource: string): FieldSet {
  if (subresource === 'status') return allButStatus;
  return subresource === '' && kind.served.subresources['status'] ? statusOnly : nothing;
}
