// The object API of the server: finds the kind and hands each request to reading, writing, removing, a subresource, or
// to whoever answers kinds that are not kept.
import type { Clock } from '@kedge/core/time';
import {
  type CollectionTarget,
  type Document,
  documentOfObject,
  type ObjectApi,
  type ObjectTarget,
  type WriteOptions,
  type Written,
  type Call,
  type Patch,
} from '@kedge/engine/kube-api';
import { fail, isStatus, type KubeObject } from '@kedge/model/k8s';
import { isObject } from '@kedge/model/k8s-patch';
import type { Admission, AdmissionRequest } from './admission/admission.ts';
import { collectionOf, type Kind } from './kinds/kind.ts';
import type { KindCatalog } from './kinds/kind-catalog.ts';
import { readFields } from './objects/field-rules.ts';
import { patched, readPatchDocument } from './objects/patch-objects.ts';
import { asServed } from './objects/present.ts';
import type { ObjectReader } from './objects/read-objects.ts';
import type { RemoveObject } from './objects/remove-objects.ts';
import { applyFields } from './objects/track-managers.ts';
import type { ObjectWriter, Part } from './objects/write-objects.ts';
import type { Question, Subresource } from './subresources/subresource.ts';

export interface ApiObjectsDeps {
  readonly clock: Clock;
  readonly kinds: KindCatalog;
  readonly reader: ObjectReader;
  readonly writer: ObjectWriter;
  readonly remove: RemoveObject;
  readonly admission: Admission;
  /** By `<collection>/<subresource>`, or `*\/<subresource>` for all. */
  readonly subresources: Readonly<Record<string, Subresource>>;
  /** By collection. */
  readonly questions: Readonly<Record<string, Question>>;
}

export function createApiObjects(deps: ApiObjectsDeps): ObjectApi {
  const { clock, kinds, reader, writer, remove } = deps;

  function kindOf({ resource }: CollectionTarget, call: Call): Kind {
    const kind = kinds.of(resource);
    if (!kind) throw fail('NotFound', 'the server could not find the requested resource');
    if (kind.warning !== undefined) call.warn(kind.warning);
    return kind;
  }
  const subresourceOf = (kind: Kind, name: string): Subresource | undefined =>
    deps.subresources[`${kind.collection}/${name}`] ?? deps.subresources[`*/${name}`];
  /** What is created at an object, such as an eviction or a token, may be changed and refused like the object itself. */
  async function admitSubresource(
    of: Pick<AdmissionRequest, 'kind' | 'namespace' | 'name' | 'subresource'>,
    object: KubeObject,
    { dryRun, fieldManager }: WriteOptions,
    call: Call,
  ): Promise<void> {
    const { user } = call;
    const options = { fieldManager };
    const request = { ...of, operation: 'create', object, before: undefined, user, dryRun, options } as const;
    await deps.admission.admit(request, call);
    await deps.admission.validate(request, call);
  }
  const unsupported = (): Error =>
    fail('MethodNotAllowed', 'the server does not allow this method on the requested resource');

  /** `status` is a part of the object; anything else has a handler. */
  const partOf = ({ subresource }: ObjectTarget): Part | undefined =>
    subresource === undefined ? 'main' : subresource === 'status' ? 'status' : undefined;

  async function apply(
    kind: Kind,
    target: ObjectTarget,
    patch: Patch,
    part: Part,
    options: WriteOptions,
    call: Call,
  ): Promise<Written> {
    const applied = await readPatchDocument(patch);
    if (!isObject(applied)) throw fail('BadRequest', 'error decoding YAML: it must be an object');
    const given = { ...applied, metadata: { ...(applied['metadata'] as object | undefined) } } as KubeObject;
    given.metadata.name ||= target.name;
    const wanted = readFields(kind, given, options, call);
    const manager = { name: options.fieldManager, subresource: target.subresource ?? '', now: clock.now() };
    const { name, namespace, subresource } = target;
    try {
      return await writer.change(
        {
          kind,
          namespace,
          name,
          subresource,
          part,
          manages: 'apply',
          make: (before) => applyFields(kind, before, wanted, manager, options.force),
        },
        options,
        call,
      );
    } catch (error) {
      if (part !== 'main' || !isStatus(error, 'NotFound') || error.status.details?.name !== name) throw error;
      if (wanted.metadata.uid)
        throw fail(
          'Conflict',
          `uid mismatch: the provided object specified uid ${wanted.metadata.uid}, and no existing object was found`,
        );
      const created = applyFields(kind, undefined, wanted, manager, options.force);
      return writer.create({ kind, namespace }, created, options, call, 'apply');
    }
  }

  return {
    async get(target, _options, call) {
      const kind = kindOf(target, call);
      const own = target.subresource === undefined ? undefined : subresourceOf(kind, target.subresource);
      if (own) {
        if (!own.get) throw unsupported();
        return own.get({ kind, namespace: target.namespace, name: target.name }, call);
      }
      if (!partOf(target)) throw unsupported();
      const [document] = await asServed(kind, [reader.get(kind, target.namespace, target.name)]);
      return document!;
    },
    list: async (target, options, call) => reader.list(kindOf(target, call), target, options),
    watch: async (target, { filter, resourceVersion }, call) =>
      reader.watch(kindOf(target, call), target, filter, resourceVersion),
    async create(target, body, options, call) {
      const kind = kindOf(target, call);
      const { namespace, name, subresource } = target;
      if (subresource !== undefined) {
        const own = subresourceOf(kind, subresource);
        if (!own?.create) throw unsupported();
        await admitSubresource({ kind, namespace, name, subresource }, body, options, call);
        return own.create({ kind, namespace, name }, body, options, call);
      }
      const question = deps.questions[collectionOf(kind.served.group, kind.served.resource)];
      if (question) return { document: documentOfObject(await question(body, namespace, call)), created: true };
      return writer.create({ kind, namespace }, body, options, call);
    },
    async update(target, body, options, call) {
      const kind = kindOf(target, call);
      const { namespace, name, subresource } = target;
      const part = partOf(target);
      const own = subresource === undefined ? undefined : subresourceOf(kind, subresource);
      if (own) {
        if (!own.update) throw unsupported();
        return own.update({ kind, namespace, name }, body, options, call);
      }
      if (!part) throw unsupported();
      try {
        return await writer.change(
          { kind, namespace, name, subresource, part, manages: 'update', make: () => body },
          options,
          call,
        );
      } catch (error) {
        const isNew = isStatus(error, 'NotFound') && error.status.details?.name === name && part === 'main';
        if (!isNew || !kind.strategy.createsOnUpdate) throw error;
        return writer.create({ kind, namespace }, body, options, call);
      }
    },
    async patch(target, patch, options, call) {
      const kind = kindOf(target, call);
      const { namespace, name, subresource } = target;
      const own = subresource === undefined ? undefined : subresourceOf(kind, subresource);
      if (own) {
        if (!own.patch) throw unsupported();
        return own.patch({ kind, namespace, name }, patch, options, call);
      }
      const part = partOf(target);
      if (!part) throw unsupported();
      const { type } = patch;
      if (type === 'apply') return apply(kind, target, patch, part, options, call);
      const document = await readPatchDocument(patch);
      return writer.change(
        {
          kind,
          namespace,
          name,
          subresource,
          part,
          manages: 'update',
          make: (before) => patched(kind, type, before, document),
        },
        options,
        call,
      );
    },
    async remove(target, options, call) {
      const { done, body } = await remove(kindOf(target, call), target, options, call);
      return { done, body };
    },
    async removeCollection(target, list, options, call) {
      const kind = kindOf(target, call);
      const listing = reader.list(kind, target, list);
      return {
        resourceVersion: listing.resourceVersion,
        // Removes as it is read, so that no more than a page is in memory.
        async *pages() {
          for await (const page of listing.pages()) {
            const removed: Document[] = [];
            for (const { object } of page) {
              const { name = '', namespace } = object.metadata;
              const gone = await remove(kind, { namespace, name }, options, call).catch(unlessNotFound);
              if (gone) removed.push(documentOfObject(gone.last));
            }
            yield removed;
          }
        },
        tail: () => listing.tail(),
      };
    },
  };
}

function unlessNotFound(error: unknown): undefined {
  if (!isStatus(error, 'NotFound')) throw error;
}
