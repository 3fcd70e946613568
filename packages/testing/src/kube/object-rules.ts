// What an API server does to an object on its way into the store: identity, generation, status, deletion.
import { type Instant, plus, seconds, toTime } from '@kedge/core/time';
import { fail, type KubeObject, type ObjectMeta } from '@kedge/model/k8s';
import { jsonEqual } from '@kedge/model/k8s-patch';

export interface CreateFacts {
  readonly now: Instant;
  readonly uid: string;
  readonly nameSuffix: string;
  readonly namespace: string | undefined;
  /** Kinds with a status subresource start without status; nodes bring theirs. */
  readonly dropStatus: boolean;
}

export function newObject(object: KubeObject, facts: CreateFacts): KubeObject {
  const { status, ...rest } = object;
  const { name, generateName, resourceVersion: _, ...metadata } = object.metadata;
  if (!name && !generateName) throw fail('Invalid', 'metadata.name: Required value: name or generateName is required');
  return {
    ...withInitialState(rest, facts.dropStatus ? undefined : status),
    metadata: {
      ...metadata,
      ...(generateName ? { generateName } : {}),
      name: name ?? `${generateName}${facts.nameSuffix}`,
      ...(facts.namespace === undefined ? {} : { namespace: facts.namespace }),
      uid: facts.uid,
      creationTimestamp: toTime(facts.now),
      generation: 1,
    },
  } as KubeObject;
}

function withInitialState(rest: object, status: unknown): object {
  const kept = status === undefined ? {} : { status };
  switch ((rest as KubeObject).kind) {
    case 'Namespace':
      return { ...rest, spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } };
    case 'Pod':
      return { ...rest, status: { phase: 'Pending' }, ...kept };
    default:
      return { ...rest, ...kept };
  }
}

/** The stored object after a write of `next`; kinds with a status subresource have it written by that alone. */
export function updated(before: KubeObject, next: KubeObject, part: 'object' | 'status' | 'all'): KubeObject {
  checkPreconditions(before, next.metadata.uid, next.metadata.resourceVersion);
  const { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, generation, name, namespace } =
    before.metadata;
  const fixed: ObjectMeta = {
    ...defined({ name, namespace, uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, generation }),
    ...defined({ resourceVersion: before.metadata.resourceVersion }),
  };
  if (part === 'status') {
    return { ...before, ...('status' in next ? { status: next['status'] } : {}), metadata: before.metadata };
  }
  const { generation: _g, deletionTimestamp: _d, deletionGracePeriodSeconds: _s, ...metadata } = next.metadata;
  const merged: KubeObject = { ...next, metadata: { ...metadata, ...fixed } };
  if (part === 'object') {
    if ('status' in before) merged['status'] = before['status'];
    else delete merged['status'];
  }
  if (sameExceptMetadata(before, merged)) return merged;
  return { ...merged, metadata: { ...merged.metadata, generation: (generation ?? 0) + 1 } };
}

export function checkPreconditions(object: KubeObject, uid?: string, resourceVersion?: string): void {
  const { metadata } = object;
  if (uid !== undefined && uid !== metadata.uid) {
    throw fail('Conflict', `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`);
  }
  if (resourceVersion && resourceVersion !== metadata.resourceVersion) {
    const message = 'the object has been modified; please apply your changes to the latest version and try again';
    throw fail('Conflict', `Operation cannot be fulfilled on "${metadata.name}": ${message}`);
  }
}

/** Seconds a pod may take to go, as asked for, or as its spec and state say; 0 for everything that just goes. */
export function gracePeriod(object: KubeObject, asked: number | undefined): number {
  if (object.kind !== 'Pod') return 0;
  const spec = object['spec'] as { nodeName?: string; terminationGracePeriodSeconds?: number } | undefined;
  const phase = (object['status'] as { phase?: string } | undefined)?.phase;
  if (!spec?.nodeName || phase === 'Failed' || phase === 'Succeeded') return 0;
  return asked ?? spec.terminationGracePeriodSeconds ?? 30;
}

/** Marks an object as on its way out. */
export function deleting(object: KubeObject, now: Instant, grace: number, finalizers: readonly string[]): KubeObject {
  const { deletionTimestamp, deletionGracePeriodSeconds = grace, generation } = object.metadata;
  const shorter = Math.min(grace, deletionGracePeriodSeconds);
  return {
    ...object,
    metadata: {
      ...object.metadata,
      ...(finalizers.length > 0 ? { finalizers: [...finalizers] } : {}),
      deletionTimestamp: deletionTimestamp ?? toTime(plus(now, seconds(grace))),
      deletionGracePeriodSeconds: shorter,
      generation: (generation ?? 0) + (deletionTimestamp ? 0 : 1),
    },
  };
}

/** True when nothing holds a deleted object back any more. */
export const isGone = ({ metadata, kind, ...rest }: KubeObject): boolean =>
  metadata.deletionTimestamp !== undefined &&
  (metadata.finalizers?.length ?? 0) === 0 &&
  (metadata.deletionGracePeriodSeconds ?? 0) === 0 &&
  !(kind === 'Namespace' && ((rest['spec'] as { finalizers?: string[] })?.finalizers?.length ?? 0) > 0);

function sameExceptMetadata(a: KubeObject, b: KubeObject): boolean {
  const { metadata: _a, ...x } = a;
  const { metadata: _b, ...y } = b;
  return jsonEqual(x, y);
}

function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}
