// Keeps `metadata.managedFields` right through creates, updates and patches: who changes a field owns it from then on.
import type { KubeObject, ManagedFieldsEntry } from '../k8s/index.ts';
import { difference, emptySet, setOfFields, union, without } from './field-set.ts';
import type { FieldSet } from './field-set.ts';
import { decodeOwnership, ownerKey, storedOwnership, withOwnership, withoutManagedFields } from './managed-fields.ts';
import type { Owned, Owner, Ownership } from './managed-fields.ts';
import { jsonEqual } from './json-value.ts';
import type { Shape } from './shape.ts';
import { compareValues } from './structured-set.ts';

export interface Tracking {
  /** The field manager of the request; empty becomes `unknown`. */
  readonly manager: string;
  readonly apiVersion: string;
  /** Empty for the object itself. */
  readonly subresource: string;
  /** RFC 3339. */
  readonly now: string;
  readonly shape: Shape | undefined;
  /** Fields that this endpoint does not write: `status` for an object that has a status subresource. */
  readonly ignored?: FieldSet;
}

/** Beyond this, the oldest updaters are joined into one. */
const maxUpdaters = 10;
const ancient = 'ancient-changes';

/** Fields that nobody owns, because the server sets them or because they are the object's identity. */
export const unowned: FieldSet = setOfFields(
  'apiVersion',
  'kind',
  'metadata',
  'metadata.name',
  'metadata.namespace',
  'metadata.creationTimestamp',
  'metadata.selfLink',
  'metadata.uid',
  'metadata.generation',
  'metadata.managedFields',
  'metadata.resourceVersion',
);

/**
 * The updated object with its owners brought up to date; `live` is what it replaces, undefined on create.
 * An object without owners stays so on update: nobody applies it.
 */
export function trackUpdate(live: KubeObject | undefined, updated: KubeObject, how: Tracking): KubeObject {
  const known = startingOwnership(live, updated, how);
  if (live && known.size === 0) return withoutManagedFields(updated);
  const owner = ownerOf(how, 'Update');
  const ownership = takeChanges(known, live, updated, owner, how);
  return withOwnership(updated, joinOldest(ownership));
}

/** The entries a client may have edited itself, else those of the live object. `[{}]` resets them. */
function startingOwnership(live: KubeObject | undefined, updated: KubeObject, { subresource }: Tracking): Ownership {
  const sent = updated.metadata.managedFields;
  if (subresource !== '' || jsonEqual(sent, live?.metadata.managedFields)) return storedOwnership(live);
  if (isReset(sent)) return new Map();
  const decoded = decodeOwnership(sent);
  return decoded && decoded.size > 0 ? decoded : storedOwnership(live);
}

const isReset = (entries: readonly ManagedFieldsEntry[] | undefined): boolean =>
  entries?.length === 1 && Object.keys(entries[0]!).length === 0;

export const ownerOf = (how: Tracking, operation: Owner['operation']): Owner => ({
  manager: how.manager || 'unknown',
  operation,
  apiVersion: how.apiVersion,
  subresource: how.subresource,
});

/** Hands what differs between `live` and `updated` to `owner`, and takes it from everyone else. */
export function takeChanges(
  known: Ownership,
  live: KubeObject | undefined,
  updated: KubeObject,
  owner: Owner,
  how: Tracking,
): Ownership {
  const { added, modified, removed } = compareValues(live ?? {}, updated, how.shape);
  const ignored = how.ignored ?? emptySet;
  const changed = without(union(added, modified), ignored);
  const lost = union(changed, without(removed, ignored));
  const taken = difference(changed, unowned);
  const takes = taken.size > 0 ? ownerKey(owner) : undefined;
  const result = new Map<string, Owned>();
  for (const [key, owned] of known) {
    if (key === takes) continue;
    const fields = difference(owned.fields, lost);
    if (fields.size > 0) result.set(key, fields === owned.fields ? owned : { ...owned, fields });
  }
  if (takes !== undefined) {
    // What it loses and takes back stays: an owner that says the same fields again has the set it had.
    const kept = difference(known.get(takes)?.fields ?? emptySet, difference(lost, taken));
    result.set(takes, { owner, time: how.now, fields: union(kept, taken) });
  }
  return result;
}

function joinOldest(ownership: Ownership): Ownership {
  const updaters = [...ownership].filter(([, { owner }]) => owner.operation === 'Update');
  if (updaters.length <= maxUpdaters) return ownership;
  const byTime = updaters.toSorted(([, a], [, b]) => ((a.time ?? '') < (b.time ?? '') ? -1 : 1));
  const result = new Map(ownership);
  for (const [key, { owner, time, fields }] of byTime.slice(0, updaters.length - maxUpdaters + 1)) {
    result.delete(key);
    const joined: Owner = { manager: ancient, operation: 'Update', apiVersion: owner.apiVersion, subresource: '' };
    const before = result.get(ownerKey(joined))?.fields ?? emptySet;
    result.set(ownerKey(joined), { owner: joined, time, fields: union(before, fields) });
  }
  return result;
}
