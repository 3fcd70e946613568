// Metadata that the server owns: identity, times, versions and generations, on creation and on every change.
import { type Instant, toTime } from '@kedge/core/time';
import type { Random } from '@kedge/core/ports';
import { fail, type KubeObject, type ObjectMeta } from '@kedge/model/k8s';
import { isObject, jsonEqual } from '@kedge/model/k8s-patch';
import type { Kind } from '../kinds/kind.ts';

const suffixLetters = 'bcdfghjklmnpqrstvwxz2456789';
const longestGenerated = 63;

export function generatedName(base: string, random: Random): string {
  let suffix = '';
  for (let i = 0; i < 5; i++) suffix += suffixLetters[Math.floor(random.next() * suffixLetters.length)];
  return base.slice(0, longestGenerated - suffix.length) + suffix;
}

/** Checks what the client gave and sets the rest; `object.metadata` is replaced. */
export function startMetadata(
  kind: Kind,
  object: KubeObject,
  namespace: string | undefined,
  { now, random }: { now: Instant; random: Random },
): void {
  const given = object.metadata;
  if (given.resourceVersion) throw fail('BadRequest', 'resourceVersion should not be set on objects to be created');
  if (given.namespace && given.namespace !== namespace) throw namespaceMismatch(given.namespace, namespace);
  const name = given.name || (given.generateName ? generatedName(given.generateName, random) : '');
  const {
    deletionTimestamp: _,
    deletionGracePeriodSeconds: __,
    generation: ___,
    resourceVersion: ____,
    ...rest
  } = given;
  object.metadata = {
    ...withoutEmptyParts(rest),
    name,
    ...(namespace === undefined ? {} : { namespace }),
    uid: random.uuid(),
    creationTimestamp: toTime(now),
    ...(kind.strategy.countsGenerations ? { generation: 1 } : {}),
  };
  if (namespace === undefined) delete object.metadata.namespace;
}

/** Keeps what a client may not change. Throws Conflict when the client meant another incarnation or version. */
export function keepMetadata(kind: Kind, next: KubeObject, before: KubeObject): void {
  const given = next.metadata;
  const had = before.metadata;
  const { resource, group } = kind.served;
  const what = `${group ? `${resource}.${group}` : resource} "${had.name}"`;
  if (given.name && given.name !== had.name) {
    throw fail('BadRequest', `the name of the object (${given.name}) does not match the name on the URL (${had.name})`);
  }
  if (given.namespace && given.namespace !== had.namespace) throw namespaceMismatch(given.namespace, had.namespace);
  if (given.uid && given.uid !== had.uid) {
    throw conflict(
      kind,
      had,
      `Operation cannot be fulfilled on ${what}: Precondition failed: UID in precondition: ${given.uid}, UID in object meta: ${had.uid}`,
    );
  }
  if (given.resourceVersion && given.resourceVersion !== had.resourceVersion) throw outdated(kind, had);
  next.metadata = { ...withoutEmptyParts(given), ...kept(had) };
  for (const field of serverFields) if (had[field] === undefined) delete next.metadata[field];
}

/** Empty maps and lists are not kept: nobody is told apart by them. */
function withoutEmptyParts(metadata: ObjectMeta): ObjectMeta {
  const isEmpty = (part: unknown): boolean =>
    Array.isArray(part) ? part.length === 0 : isObject(part) && Object.keys(part).length === 0;
  return Object.fromEntries(Object.entries(metadata).filter(([, part]) => !isEmpty(part))) as ObjectMeta;
}

const serverFields = [
  'name',
  'namespace',
  'generateName',
  'uid',
  'resourceVersion',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'generation',
] as const;

const kept = (had: ObjectMeta): Partial<ObjectMeta> =>
  Object.fromEntries(serverFields.filter((field) => had[field] !== undefined).map((field) => [field, had[field]]));

/** A new generation when anything that is desired has changed. */
export function countGeneration(kind: Kind, next: KubeObject, before: KubeObject): void {
  if (!kind.strategy.countsGenerations || isSameWish(desired(kind, next), desired(kind, before))) return;
  next.metadata.generation = (before.metadata.generation ?? 0) + 1;
}

/** Empty texts and lists say the same as nothing. */
function isSameWish(next: unknown, before: unknown): boolean {
  if (next === before) return true;
  if (Array.isArray(next)) {
    return (
      Array.isArray(before) && next.length === before.length && next.every((one, at) => isSameWish(one, before[at]))
    );
  }
  if (!isObject(next) || !isObject(before)) return false;
  for (const name of Object.keys(next)) {
    if (isBlank(next[name])) continue;
    if (!Object.hasOwn(before, name) || isBlank(before[name]) || !isSameWish(next[name], before[name])) return false;
  }
  return Object.keys(before).every(
    (name) => isBlank(before[name]) || (Object.hasOwn(next, name) && !isBlank(next[name])),
  );
}

const isBlank = (field: unknown): boolean => field === '' || (Array.isArray(field) && field.length === 0);

function desired(kind: Kind, object: KubeObject): unknown {
  const { metadata: _, apiVersion: __, kind: ___, status, ...rest } = object;
  return kind.served.subresources['status'] ? rest : { ...rest, status };
}

/** Nothing but bookkeeping differs. */
export function isSame(next: KubeObject, before: KubeObject): boolean {
  const bare = (object: KubeObject): unknown => ({
    ...object,
    metadata: { ...object.metadata, managedFields: undefined },
  });
  return jsonEqual(withoutEmpty(bare(next)), withoutEmpty(bare(before)));
}

/** Absent, null and empty maps at the top are one to Kubernetes; they must not make a new version. */
function withoutEmpty(value: unknown): unknown {
  if (!isObject(value)) return value;
  const isEmpty = (field: unknown): boolean =>
    field === undefined || field === null || (isObject(field) && Object.keys(field).length === 0);
  const metadata = value['metadata'];
  const fields = Object.entries(value).filter(([, field]) => !isEmpty(field));
  return {
    ...Object.fromEntries(fields),
    ...(isObject(metadata)
      ? {
          metadata: Object.fromEntries(
            Object.entries(metadata).filter(([, f]) => !isEmpty(f) && !(Array.isArray(f) && f.length === 0)),
          ),
        }
      : {}),
  };
}

export function outdated(kind: Kind, { name = '' }: ObjectMeta): Error {
  const { resource, group } = kind.served;
  return conflict(
    kind,
    { name },
    `Operation cannot be fulfilled on ${group ? `${resource}.${group}` : resource} "${name}": the object has been modified; ` +
      'please apply your changes to the latest version and try again',
  );
}

const conflict = (kind: Kind, { name = '' }: ObjectMeta, message: string): Error =>
  fail('Conflict', message, {
    name,
    ...(kind.served.group ? { group: kind.served.group } : {}),
    kind: kind.served.resource,
  });

const namespaceMismatch = (given: string, expected: string | undefined): Error =>
  fail(
    'BadRequest',
    expected === undefined
      ? `namespace "${given}" is set on an object that has none`
      : `the namespace of the provided object does not match the namespace sent on the request (${given} is not ${expected})`,
  );
