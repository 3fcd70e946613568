// `metadata.managedFields`: who owns which fields. An owner is a manager together with how it works: applying or updating,
// through which subresource and, for updates, in which version.
import type { KubeObject, ManagedFieldsEntry, ObjectMeta } from '../k8s/index.ts';
import { decodeFieldSet, decodeStored, encodeFieldSet } from './field-set.ts';
import type { FieldSet } from './field-set.ts';

export interface Owner {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string;
}

export interface Owned {
  readonly owner: Owner;
  readonly time: string | undefined;
  readonly fields: FieldSet;
}

/** By identity of the owner. */
export type Ownership = ReadonlyMap<string, Owned>;

/** An applier is the same one in every version. */
export const ownerKey = ({ manager, operation, apiVersion, subresource }: Owner): string =>
  JSON.stringify([operation, manager, subresource, operation === 'Apply' ? '' : apiVersion]);

/** Undefined when any entry is malformed: then nothing in the list can be trusted. */
export const decodeOwnership = (entries: readonly ManagedFieldsEntry[] | undefined): Ownership | undefined =>
  decode(entries, decodeFieldSet);

/** As `decodeOwnership`, of an object that `withOwnership` has made. */
export const storedOwnership = (object: KubeObject | undefined): Ownership =>
  decode(object?.metadata.managedFields, decodeStored) ?? new Map<string, Owned>();

function decode(
  entries: readonly ManagedFieldsEntry[] | undefined,
  decodeFields: (fields: unknown) => FieldSet | undefined,
): Ownership | undefined {
  const result = new Map<string, Owned>();
  for (const entry of entries ?? []) {
    const { manager = '', operation, apiVersion, fieldsType, fieldsV1, time, subresource = '' } = entry;
    const fields = decodeFields(fieldsV1 ?? {});
    if ((operation !== 'Apply' && operation !== 'Update') || !apiVersion || fieldsType !== 'FieldsV1' || !fields) {
      return undefined;
    }
    const owner: Owner = { manager, operation, apiVersion, subresource };
    result.set(ownerKey(owner), { owner, time, fields });
  }
  return result;
}

export const encodeOwnership = (ownership: Ownership): ManagedFieldsEntry[] =>
  [...ownership.values()].toSorted(byAge).map(({ owner, time, fields }) => ({
    apiVersion: owner.apiVersion,
    fieldsType: 'FieldsV1',
    fieldsV1: encodeFieldSet(fields),
    manager: owner.manager,
    operation: owner.operation,
    ...(owner.subresource ? { subresource: owner.subresource } : {}),
    ...(time === undefined ? {} : { time }),
  }));

function byAge(a: Owned, b: Owned): number {
  const keys = ({ owner, time = '' }: Owned) => [
    owner.operation,
    time,
    owner.manager,
    owner.apiVersion,
    owner.subresource,
  ];
  const [x, y] = [keys(a), keys(b)];
  const at = x.findIndex((key, i) => key !== y[i]);
  return at < 0 ? 0 : x[at]! < y[at]! ? -1 : 1;
}

/** The object with these owners in its metadata, and without the field when there are none. */
export function withOwnership(object: KubeObject, ownership: Ownership): KubeObject {
  const metadata: ObjectMeta = { ...object.metadata };
  delete metadata.managedFields;
  if (ownership.size > 0) metadata.managedFields = encodeOwnership(ownership);
  return { ...object, metadata };
}

export const withoutManagedFields = (object: KubeObject): KubeObject => withOwnership(object, new Map());
