// Server-side apply: a manager states the fields it cares about; they are merged into the object, it becomes their owner,
// what it no longer states and nobody else owns goes away, and fields of other owners are conflicts unless forced.
import { fail, failure, statusError } from '../k8s/index.ts';
import type { KubeObject, StatusCause, StatusError } from '../k8s/index.ts';
import { difference, emptySet, formatPath, intersection, pathsOf, setOfPath, union, without } from './field-set.ts';
import type { FieldSet } from './field-set.ts';
import { jsonEqual } from './json-value.ts';
import { decodeOwnership, ownerKey, withOwnership, withoutManagedFields } from './managed-fields.ts';
import type { Owned, Owner, Ownership } from './managed-fields.ts';
import type { Shape } from './shape.ts';
import { mergeApplied } from './structured-merge.ts';
import { compareValues, fieldsSpecified, removeFields, withParents } from './structured-set.ts';
import { ownerOf, takeChanges, unowned } from './track-update.ts';
import type { Tracking } from './track-update.ts';

export interface Apply extends Tracking {
  readonly force: boolean;
}

const beforeFirstApply = 'before-first-apply';
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * The object after applying `applied` to `live` (undefined: it is created). The caller restores what only the server
 * sets (a manifest may say `creationTimestamp: null`), defaults, validates and stores it.
 * Throws a StatusError: Conflict with one cause per field that someone else owns, BadRequest for a malformed configuration.
 */
export function serverSideApply(live: KubeObject | undefined, applied: KubeObject, how: Apply): KubeObject {
  checkApplied(applied, how);
  const current = withoutManagedFields(live ?? { metadata: {} });
  const known = knownOwnership(live, current, how);
  const owner = ownerOf(how, 'Apply');
  const key = ownerKey(owner);
  const stated = without(fieldsSpecified(applied, how.shape), how.ignored ?? emptySet);
  const owners = new Map(known).set(key, { owner, time: known.get(key)?.time, fields: stated });

  const merged = mergeApplied(current, applied, how.shape) as KubeObject;
  const pruned = prune(merged, owners, known.get(key)?.fields, how.shape);
  const settled = settle(owners, current, pruned, key, how);
  const isSame = live !== undefined && jsonEqual(current, pruned);
  const mine = settled.get(key);
  const fields = difference(mine?.fields ?? emptySet, unowned);
  if (mine && fields.size > 0) settled.set(key, { ...mine, fields, time: (isSame ? mine.time : undefined) ?? how.now });
  else settled.delete(key);
  return withOwnership(keepLastApplied(live, pruned, applied, how), settled);
}

function checkApplied(applied: KubeObject, how: Apply): void {
  if (applied.apiVersion !== how.apiVersion) {
    throw fail(
      'BadRequest',
      `Incorrect version specified in apply patch. Specified patch version: ${applied.apiVersion ?? ''}, expected: ${how.apiVersion}`,
    );
  }
  if (applied.metadata.managedFields) throw fail('BadRequest', 'metadata.managedFields must be nil');
}

/** An object that nobody has tracked so far belongs to a manager of that name. */
function knownOwnership(live: KubeObject | undefined, current: KubeObject, how: Apply): Ownership {
  const known = decodeOwnership(live?.metadata.managedFields) ?? new Map<string, Owned>();
  if (!live || known.size > 0) return known;
  const owner = ownerOf({ ...how, manager: beforeFirstApply, subresource: '' }, 'Update');
  return takeChanges(known, undefined, current, owner, how);
}

/** Removes what this applier stated last time, does not state now, and nobody else owns. */
function prune(
  merged: KubeObject,
  owners: Ownership,
  last: FieldSet | undefined,
  shape: Shape | undefined,
): KubeObject {
  if (!last || last.size === 0) return merged;
  const expand = (set: FieldSet): FieldSet => withParents(set, shape);
  const cut = removeFields(merged, expand(last), shape) ?? {};
  const claimed = [...owners.values()].reduce<FieldSet>((set, { fields }) => union(set, fields), emptySet);
  const everything = expand(fieldsSpecified(merged, shape));
  const left = union(expand(fieldsSpecified(cut, shape)), expand(claimed));
  const gone = intersection(difference(everything, left), expand(last));
  return removeFields(merged, gone, shape) as KubeObject;
}

/** Takes changed fields from their other owners, or refuses when that is not forced. */
function settle(
  owners: Ownership,
  live: KubeObject,
  result: KubeObject,
  applier: string,
  how: Apply,
): Map<string, Owned> {
  const { added, modified, removed } = compareValues(live, result, how.shape);
  const changed = without(union(added, modified), how.ignored ?? emptySet);
  const others = [...owners].filter(([key]) => key !== applier);
  const conflicts = others
    .map(([, owned]) => ({ owner: owned.owner, fields: intersection(owned.fields, changed) }))
    .filter(({ fields }) => fields.size > 0);
  if (!how.force) refuseConflicts(conflicts, live, how);
  const settled = new Map<string, Owned>();
  for (const [key, owned] of owners) {
    const fields = key === applier ? owned.fields : difference(owned.fields, union(changed, removed));
    if (fields.size > 0) settled.set(key, { ...owned, fields });
  }
  return settled;
}

interface ConflictsOf {
  readonly owner: Owner;
  readonly fields: FieldSet;
}

function refuseConflicts(found: readonly ConflictsOf[], live: KubeObject, how: Apply): void {
  const allowed = ownedByClientSideApply(live, how);
  const conflicts = found
    .map(({ owner, fields }) => ({ owner, paths: pathsOf(difference(fields, allowed)).map(formatPath) }))
    .filter(({ paths }) => paths.length > 0)
    .toSorted((a, b) => (sayOwner(a.owner) < sayOwner(b.owner) ? -1 : 1));
  if (conflicts.length > 0) throw conflictError(conflicts);
}

function conflictError(conflicts: readonly { owner: Owner; paths: readonly string[] }[]): StatusError {
  const causes = conflicts.flatMap(({ owner, paths }) =>
    paths.map((field): StatusCause => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${sayOwner(owner)}`,
      field,
    })),
  );
  const message =
    causes.length === 1
      ? `Apply failed with 1 conflict: ${causes[0]!.message}: ${causes[0]!.field}`
      : `Apply failed with ${causes.length} conflicts: ${conflicts
          .map(({ owner, paths }) =>
            [`conflicts with ${sayOwner(owner)}:`, ...paths.map((path) => `- ${path}`)].join('\n'),
          )
          .join('\n')}`;
  return statusError(failure('Conflict', message, { causes }));
}

function sayOwner({ manager, subresource, operation, apiVersion }: Owner): string {
  const name = JSON.stringify(manager) + (subresource ? ` with subresource ${JSON.stringify(subresource)}` : '');
  return operation === 'Update' ? `${name} using ${apiVersion}` : name;
}

/** Fields that kubectl applied from the client before and that are still as it left them are no conflict for kubectl. */
function ownedByClientSideApply(live: KubeObject, { manager, apiVersion, shape }: Apply): FieldSet {
  const configuration = manager === 'kubectl' ? readLastApplied(live) : undefined;
  if (configuration?.apiVersion !== apiVersion) return emptySet;
  const { added, modified, removed } = compareValues(configuration, live, shape);
  return difference(fieldsSpecified(configuration, shape), union(union(added, modified), removed));
}

function readLastApplied(live: KubeObject): KubeObject | undefined {
  try {
    return JSON.parse(live.metadata.annotations?.[lastApplied] ?? '') as KubeObject;
  } catch {
    return undefined;
  }
}

/** kubectl keeps its client-side annotation in step, so that going back to client-side apply stays possible. */
function keepLastApplied(
  live: KubeObject | undefined,
  result: KubeObject,
  applied: KubeObject,
  { manager }: Apply,
): KubeObject {
  if (manager !== 'kubectl' || !live?.metadata.annotations?.[lastApplied]) return result;
  const configuration = removeFields(
    applied,
    setOfPath(['f:metadata', 'f:annotations', `f:${lastApplied}`]),
    undefined,
  );
  const annotations = { ...result.metadata.annotations, [lastApplied]: `${JSON.stringify(configuration)}\n` };
  return { ...result, metadata: { ...result.metadata, annotations } };
}
