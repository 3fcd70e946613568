// The one path by which every object is created and changed: metadata, defaults, admission, checks, then a conditional
// write. Whoever loses a race against another writer starts over from the newer state, unless the client named a version.
import type { Random } from '@kedge/core/ports';
import type { Clock } from '@kedge/core/time';
import { type Call, type Document, documentOfObject, type WriteOptions, type Written } from '@kedge/engine/kube-api';
import { fail, type FieldError, invalidObject, type KubeObject, notFound } from '@kedge/model/k8s';
import { jsonCopy } from '@kedge/model/k8s-patch';
import type { Admission } from '../admission/admission.ts';
import type { Kind } from '../kinds/kind.ts';
import { fieldErrors, keepsRulesUntold, readFields, untoldRules, withDefaults } from './field-rules.ts';
import { countGeneration, generatedName, isSame, keepMetadata, outdated, startMetadata } from './object-metadata.ts';
import type { ObjectStore, StoreKey } from './object-store.ts';
import { asStored, servedObject, storedText } from './present.ts';
import { type Manager, trackManager } from './track-managers.ts';
import type { WholeObjects } from './whole-objects.ts';

export interface WriteDeps {
  readonly store: ObjectStore;
  readonly whole: WholeObjects;
  readonly clock: Clock;
  readonly random: Random;
  readonly admission: Admission;
  /** Told about every write once it is on disk, before the client hears of it. */
  onWritten(kind: Kind, before: KubeObject | undefined, after: KubeObject | undefined): void;
  /** What the rules of a kind that has some say about a state and the one before. */
  ruleErrors(kind: Kind, object: KubeObject, before: KubeObject | undefined): Promise<readonly FieldError[]>;
  /** Runs inside the commit of a new object; throws to undo it. */
  checkCreate(kind: Kind, namespace: string | undefined): void;
}

/** Which part of an object a write is about; the rest stays as it was. */
export type Part = 'main' | 'status' | 'everything';

export interface Change {
  readonly kind: Kind;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly subresource?: string | undefined;
  readonly part: Part;
  /** The wanted state, made anew from each state it is tried on. Must not change `before`. */
  make(before: KubeObject): KubeObject | Promise<KubeObject>;
  /** What is wrong with the state after admission, for a subresource whose rules are not those of the kind. */
  check?(next: KubeObject, before: KubeObject): readonly FieldError[];
  /** Who says so, as managed fields record it; `apply` has recorded it already. */
  readonly manages: 'update' | 'apply';
}

export interface ObjectWriter {
  create(
    of: { kind: Kind; namespace: string | undefined },
    body: KubeObject,
    options: WriteOptions,
    call: Call,
    manages?: Change['manages'],
  ): Promise<Written>;
  change(change: Change, options: WriteOptions, call: Call): Promise<Written>;
}

/** More lost races than this in a row mean that something is wrong. */
const maxTries = 16;

export const keyOf = (kind: Kind, namespace: string | undefined, name: string): StoreKey => ({
  resource: kind.collection,
  namespace: namespace ?? '',
  name,
});

export const systemWrite: WriteOptions = {
  dryRun: false,
  fieldManager: 'kedge-apiserver',
  fieldValidation: 'Ignore',
  force: false,
  duplicates: [],
};

export function createObjectWriter(deps: WriteDeps): ObjectWriter {
  const { store, whole, clock, random, admission } = deps;
  const manager = ({ fieldManager }: WriteOptions, subresource = ''): Manager => ({
    name: fieldManager,
    subresource,
    now: clock.now(),
  });

  /** Only kinds with rules in CEL have to wait. */
  function refuseInvalid(kind: Kind, object: KubeObject, before: KubeObject | undefined): void | Promise<void> {
    const errors = fieldErrors(kind, object, before);
    if (kind.ruleSchema && !object.metadata.deletionTimestamp) return refuseByRules(kind, object, before, errors);
    if (errors.length > 0) throw invalidObject(kind.served, object.metadata.name ?? '', errors);
  }

  /** Rules get their say unless the object makes no sense to them. */
  async function refuseByRules(
    kind: Kind,
    object: KubeObject,
    before: KubeObject | undefined,
    bySchema: readonly FieldError[],
  ): Promise<void> {
    const more = keepsRulesUntold(bySchema) ? [untoldRules] : await deps.ruleErrors(kind, object, before);
    const errors = [...bySchema, ...more];
    if (errors.length > 0) throw invalidObject(kind.served, object.metadata.name ?? '', errors);
  }

  const create: ObjectWriter['create'] = async ({ kind, namespace }, body, options, call, manages = 'update') => {
    const given = withDefaults(kind, readFields(kind, structuredClone(body), options, call));
    startMetadata(kind, given, namespace, { now: clock.now(), random });
    if (kind.served.subresources['status'] && !keepsInitialStatus(kind)) delete given['status'];
    // Before admission: what the server adds belongs to nobody.
    if (manages === 'update') trackManager(kind, given, undefined, manager(options));
    const request = {
      operation: 'create',
      kind,
      namespace,
      name: given.metadata.name ?? '',
      subresource: undefined,
      before: undefined,
      user: call.user,
      dryRun: options.dryRun,
      options: optionsOf(options),
    } as const;
    await admission.admit({ ...request, object: given }, call);
    const object = kind.strategy.finishCreate(kind.rules.prepareCreate(given), clock.now());
    const refusing = refuseInvalid(kind, object, undefined);
    if (refusing) await refusing;
    await admission.validate({ ...request, object }, call);

    for (let tries = 0; ; tries++) {
      const at = object.metadata.name ?? '';
      if (options.dryRun) {
        if (store.get(keyOf(kind, namespace, at))) throw exists(kind, at);
        return { document: documentOfObject(object), created: true };
      }
      const stored = await asStored(kind, object);
      const write = writing(kind, object, stored);
      const outcome = await store.write(keyOf(kind, namespace, at), 0, (revision) => {
        deps.checkCreate(kind, namespace);
        return write.body(revision);
      });
      if (outcome.ok) return { document: write.document(undefined, outcome.revision), created: true };
      if (!body.metadata.generateName || body.metadata.name || tries >= maxTries) throw exists(kind, at);
      object.metadata.name = generatedName(body.metadata.generateName, random);
    }
  };

  /** A write of `object`, which goes to the store as `stored`. Where that is the same, so is the text that the client gets. */
  function writing(kind: Kind, object: KubeObject, stored: KubeObject) {
    let text = '';
    return {
      body(revision: number): string {
        whole.wrote(kind, revision, stored === object);
        return (text = storedText(stored, revision));
      },
      document(before: KubeObject | undefined, revision: number): Document {
        object.metadata.resourceVersion = String(revision);
        deps.onWritten(kind, before, object);
        return stored === object ? { object, text } : documentOfObject(object);
      },
    };
  }

  async function prepare(change: Change, before: KubeObject, options: WriteOptions, call: Call): Promise<KubeObject> {
    const { kind, part, name, namespace, subresource } = change;
    const made = jsonCopy(await change.make(before));
    const read = withDefaults(kind, readFields(kind, made, options, call));
    keepMetadata(kind, read, before);
    keepOtherParts(kind, read, before, part);
    if (change.manages === 'update') trackManager(kind, read, before, manager(options, subresource));
    const carried = part === 'main' ? kind.rules.prepareUpdate(read, before) : read;
    const { user } = call;
    const { dryRun } = options;
    const request = {
      operation: 'update',
      kind,
      namespace,
      name,
      subresource,
      before,
      user,
      dryRun,
      options: optionsOf(options),
    } as const;
    await admission.admit({ ...request, object: carried }, call);
    const next = part === 'main' ? kind.strategy.finishUpdate(carried, before) : carried;
    countGeneration(kind, next, before);
    if (part === 'main' || (part === 'status' && kind.isCustom)) {
      const refusing = refuseInvalid(kind, next, before);
      if (refusing) await refusing;
    }
    const errors = change.check?.(next, before) ?? [];
    if (errors.length > 0) throw invalidObject(kind.served, name, errors);
    await admission.validate({ ...request, object: next }, call);
    return next;
  }

  const change: ObjectWriter['change'] = async (asked, options, call) => {
    const { kind, namespace, name } = asked;
    const key = keyOf(kind, namespace, name);
    for (let tries = 0; tries < maxTries; tries++) {
      const stored = store.get(key);
      if (!stored) throw notFound(kind.served.resource, kind.served.group, name);
      const before = await servedObject(kind, stored.body, whole.isWhole(kind, stored.revision));
      const next = await prepare(asked, before, options, call);
      const gone = isReleased(kind, next);
      if (!gone && isSame(next, before) && sameManagers(next, before))
        return { document: documentOfObject(before), created: false };
      if (options.dryRun) return { document: documentOfObject(next), created: false };
      const write = gone ? undefined : writing(kind, next, await asStored(kind, next));
      const outcome = await store.write(key, stored.revision, write?.body);
      if (!outcome.ok) continue;
      if (write) return { document: write.document(before, outcome.revision), created: false };
      deps.onWritten(kind, before, undefined);
      return { document: documentOfObject(next), created: false };
    }
    throw outdated(kind, { name });
  };

  return { create, change };
}

/** CSRs, nodes and the like come with a status that somebody else has to confirm; these few may be born with one. */
const keepsInitialStatus = (kind: Kind): boolean => kind.collection === 'nodes';

function keepOtherParts(kind: Kind, next: KubeObject, before: KubeObject, part: Part): void {
  if (part === 'everything') return;
  const hasStatus = kind.served.subresources['status'] !== undefined;
  if (part === 'main') {
    if (!hasStatus) return;
    if (before['status'] === undefined) delete next['status'];
    else next['status'] = before['status'];
    return;
  }
  for (const field of new Set([...Object.keys(next), ...Object.keys(before)])) {
    if (field === 'status' || field === 'metadata') continue;
    if (before[field] === undefined) delete next[field];
    else next[field] = before[field];
  }
  if (!kind.strategy.statusCarriesMetadata) next.metadata = { ...before.metadata, ...managedOf(next) };
}

const managedOf = ({ metadata: { managedFields } }: KubeObject) => (managedFields ? { managedFields } : {});

/** Deleted, and nobody holds it back any more. */
export const isReleased = (kind: Kind, object: KubeObject): boolean =>
  object.metadata.deletionTimestamp !== undefined &&
  (object.metadata.deletionGracePeriodSeconds ?? 0) === 0 &&
  (object.metadata.finalizers ?? []).length === 0 &&
  !kind.strategy.isHeld(object);

function sameManagers(next: KubeObject, before: KubeObject): boolean {
  const bare = (object: KubeObject): string =>
    JSON.stringify((object.metadata.managedFields ?? []).map((entry) => ({ ...entry, time: undefined })));
  return bare(next) === bare(before);
}

const optionsOf = ({ fieldManager, fieldValidation }: WriteOptions) => ({ fieldManager, fieldValidation });

function exists(kind: Kind, name: string): Error {
  const { resource, group } = kind.served;
  return fail('AlreadyExists', `${group ? `${resource}.${group}` : resource} "${name}" already exists`, {
    name,
    ...(group ? { group } : {}),
    kind: resource,
  });
}
