// Deletion: at once, or marked and left to whoever holds the object back (finalizers, a kubelet's grace period).
import { type Clock, instant, seconds, plus, toTime } from '@kedge/core/time';
import {
  type Call,
  type Document,
  documentOfObject,
  type Propagation,
  type RemoveOptions,
} from '@kedge/engine/kube-api';
import { fail, type KubeObject, notFound, type Status } from '@kedge/model/k8s';
import type { Admission } from '../admission/admission.ts';
import type { Kind } from '../kinds/kind.ts';
import { outdated } from './object-metadata.ts';
import type { ObjectStore } from './object-store.ts';
import { asStored, servedObject, storedText } from './present.ts';
import type { WholeObjects } from './whole-objects.ts';
import { isReleased, keyOf } from './write-objects.ts';

export interface RemoveDeps {
  readonly store: ObjectStore;
  readonly whole: WholeObjects;
  readonly clock: Clock;
  readonly admission: Admission;
  onWritten(kind: Kind, before: KubeObject | undefined, after: KubeObject | undefined): void;
}

export interface Removed {
  readonly done: boolean;
  /** The last state of the object. */
  readonly last: KubeObject;
  readonly body: Document | Status;
}

export type RemoveObject = (
  kind: Kind,
  at: { namespace: string | undefined; name: string },
  options: RemoveOptions,
  call: Call,
) => Promise<Removed>;

const finalizersOf: Record<Propagation, readonly string[]> = {
  Foreground: ['foregroundDeletion'],
  Orphan: ['orphan'],
  Background: [],
};
const propagationFinalizers = new Set(Object.values(finalizersOf).flat());

export function createRemover({ store, whole, clock, admission, onWritten }: RemoveDeps): RemoveObject {
  return async (kind, { namespace, name }, options, call) => {
    const key = keyOf(kind, namespace, name);
    for (;;) {
      const stored = store.get(key);
      if (!stored) throw notFound(kind.served.resource, kind.served.group, name);
      const before = await servedObject(kind, stored.body, whole.isWhole(kind, stored.revision));
      checkPreconditions(kind, before, options);
      const { dryRun } = options;
      const request = {
        operation: 'delete',
        kind,
        namespace,
        name,
        subresource: undefined,
        object: undefined,
        before,
        user: call.user,
        dryRun,
        options: optionsOf(options),
      } as const;
      await admission.admit(request, call);
      await admission.validate(request, call);
      const marked = mark(kind, before, options, clock);
      const gone = isReleased(kind, marked);
      if (options.dryRun || (!gone && marked === before)) return answer(kind, marked, gone);
      const toStore = gone ? undefined : await asStored(kind, marked);
      const write = (body: KubeObject) => (revision: number) => {
        whole.wrote(kind, revision, body === marked);
        return storedText(body, revision);
      };
      const outcome = await store.write(key, stored.revision, toStore && write(toStore));
      if (!outcome.ok) continue;
      if (!gone) marked.metadata.resourceVersion = String(outcome.revision);
      onWritten(kind, before, gone ? undefined : marked);
      return answer(kind, marked, gone);
    }
  };
}

const optionsOf = ({ gracePeriodSeconds, propagation, preconditions }: RemoveOptions) => ({
  ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
  ...(propagation ? { propagationPolicy: propagation } : {}),
  ...(preconditions.uid || preconditions.resourceVersion ? { preconditions } : {}),
});

function checkPreconditions(kind: Kind, { metadata }: KubeObject, { preconditions }: RemoveOptions): void {
  const { uid, resourceVersion } = preconditions;
  if (uid && uid !== metadata.uid) {
    const { resource, group } = kind.served;
    throw fail(
      'Conflict',
      `Operation cannot be fulfilled on ${group ? `${resource}.${group}` : resource} "${metadata.name}": the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`,
      { name: metadata.name ?? '', kind: resource },
    );
  }
  if (resourceVersion && resourceVersion !== metadata.resourceVersion) throw outdated(kind, metadata);
}

/** The object with its deletion written into it; the same object when it is marked already and nothing gets shorter. */
function mark(kind: Kind, before: KubeObject, options: RemoveOptions, clock: Clock): KubeObject {
  const had = before.metadata;
  const asked = kind.strategy.grace(before, options.gracePeriodSeconds);
  const first = had.deletionTimestamp === undefined;
  const graceBefore = had.deletionGracePeriodSeconds ?? 0;
  const shorter = !first && asked < graceBefore;
  const finalizers = nextFinalizers(before, options.propagation);
  if (!first && !shorter && finalizers === had.finalizers) return before;

  const grace = first || shorter ? asked : graceBefore;
  const began = first ? clock.now() : instant(Date.parse(had.deletionTimestamp!) - graceBefore * 1_000);
  const isNamespace = kind.collection === 'namespaces';
  const object: KubeObject = {
    ...before,
    ...(isNamespace ? { status: { ...(before['status'] as object), phase: 'Terminating' } } : {}),
    metadata: {
      ...had,
      deletionTimestamp: toTime(plus(began, seconds(grace))),
      deletionGracePeriodSeconds: grace,
      ...(had.generation !== undefined && first ? { generation: had.generation + 1 } : {}),
    },
  };
  if (finalizers && finalizers.length > 0) object.metadata.finalizers = finalizers;
  else delete object.metadata.finalizers;
  return object;
}

function nextFinalizers({ metadata }: KubeObject, propagation: Propagation | undefined): string[] | undefined {
  const had = metadata.finalizers;
  if (propagation === undefined) return had;
  const others = (had ?? []).filter((one) => !propagationFinalizers.has(one));
  const next = [...others, ...finalizersOf[propagation]];
  return next.length === (had ?? []).length && next.every((one) => had?.includes(one)) ? had : next;
}

function answer(kind: Kind, last: KubeObject, done: boolean): Removed {
  if (!done) return { done, last, body: documentOfObject(last) };
  const { resource, group } = kind.served;
  const { name = '', uid = '' } = last.metadata;
  return {
    done,
    last,
    body: {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Success',
      details: { name, ...(group ? { group } : {}), kind: resource, uid },
    },
  };
}
