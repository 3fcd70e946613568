// Follows CustomResourceDefinitions: what they define is served as soon as the write that says so is answered, and a
// deleted one goes once the last of its objects has gone.
import type { Scope } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import { type Clock, milliseconds, seconds, toTime } from '@kedge/core/time';
import type { ApiUser, Call } from '@kedge/engine/kube-api';
import { isStatus, type KubeObject } from '@kedge/model/k8s';
import type { Schema } from '@kedge/model/k8s-schema';
import type { CustomResourceDefinition } from '@kedge/model/k8s-types';
import { crdFinalizer } from '../kinds/crd-strategy.ts';
import { collectionOf, type Kind } from '../kinds/kind.ts';
import type { KindCatalog } from '../kinds/kind-catalog.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import type { RemoveObject } from '../objects/remove-objects.ts';
import { type ObjectWriter, systemWrite } from '../objects/write-objects.ts';
import { type ConversionDeps, conversionWebhook } from './conversion-webhook.ts';
import { customKinds } from './custom-kinds.ts';
import { planStatus, withCondition } from './definition-status.ts';

export interface DefinitionDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly kinds: KindCatalog;
  readonly store: ObjectStore;
  readonly writer: ObjectWriter;
  readonly remove: RemoveObject;
  readonly definitionKind: Kind;
  readonly objectMeta: Schema;
  readonly system: ApiUser;
  readonly conversion: ConversionDeps;
  /** All of them, as they are stored. */
  definitions(): readonly CustomResourceDefinition[];
}

export interface Definitions {
  /** After every write of a definition, and for each at start. */
  settle(before: KubeObject | undefined, after: KubeObject | undefined): void;
  /** Starts finishing deletions, also those of an earlier run. */
  start(scope: Scope): void;
}

const poll = milliseconds(250);
const retry = seconds(5);

export function createDefinitions(deps: DefinitionDeps): Definitions {
  const { clock, kinds, store, writer, remove, log } = deps;
  const leaving = new Map<string, KubeObject>();
  let scope: Scope | undefined;

  function settle(before: KubeObject | undefined, after: KubeObject | undefined): void {
    const name = (after ?? before)?.metadata.name ?? '';
    const isServed = after && isEstablished(after);
    const served = isServed
      ? customKinds(after as unknown as CustomResourceDefinition, deps.objectMeta, (of, version) =>
          conversionWebhook(deps.conversion, of, version),
        )
      : [];
    kinds.setCustom(name, served);
    if (!after) {
      leaving.delete(name);
      // Its names are free for whoever wanted them.
      if (scope)
        for (const waiting of waitingFor(before))
          scope.spawn(`accept the names of ${waiting}`, (signal) => reconsider(waiting, signal));
    } else if (after.metadata.deletionTimestamp && !leaving.has(name)) {
      leaving.set(name, after);
      scope?.spawn(`remove the objects of ${name}`, (signal) => keepFinishing(name, after, signal));
    }
  }

  function waitingFor(gone: KubeObject | undefined): string[] {
    const { group } = (gone as unknown as CustomResourceDefinition).spec;
    return deps
      .definitions()
      .filter(({ spec, status }) => spec.group === group && !status?.conditions?.some(isTrue('NamesAccepted')))
      .map(({ metadata }) => metadata.name ?? '');
  }
  const changeStatus = (
    name: string,
    signal: AbortSignal,
    make: (definition: CustomResourceDefinition) => CustomResourceDefinition['status'],
  ) =>
    writer.change(
      {
        kind: deps.definitionKind,
        namespace: undefined,
        name,
        part: 'everything',
        manages: 'update',
        make: (before) => ({ ...before, status: make(before as unknown as CustomResourceDefinition) }),
      },
      systemWrite,
      callFor(signal),
    );
  const callFor = (signal: AbortSignal): Call => ({ user: deps.system, signal, warn: () => undefined });

  async function reconsider(name: string, signal: AbortSignal): Promise<void> {
    try {
      await changeStatus(name, signal, (one) => planStatus(one, deps.definitions(), toTime(clock.now())));
    } catch (error) {
      if (!isStatus(error, 'NotFound')) log.warn('names of a definition could not be accepted', { name, err: error });
    }
  }
  const tellLeaving = (name: string, signal: AbortSignal): Promise<unknown> =>
    changeStatus(name, signal, ({ status }) => ({
      ...status,
      conditions: withCondition(
        status?.conditions ?? [],
        {
          type: 'Terminating',
          status: 'True',
          reason: 'InstanceDeletionInProgress',
          message: 'CustomResource deletion is in progress',
        },
        toTime(clock.now()),
      ),
    }));

  /** Goes on until it is done: whatever is in the way may go away. */
  async function keepFinishing(name: string, object: KubeObject, signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        return await finish(name, object, signal);
      } catch (error) {
        if (signal.aborted || isStatus(error, 'NotFound')) return;
        log.warn('custom resources could not be removed and will be tried again', { name, err: error });
        await clock.sleep(`${name} to be removed`, retry, signal);
      }
    }
  }

  async function finish(name: string, object: KubeObject, signal: AbortSignal): Promise<void> {
    const { group, names } = (object as unknown as CustomResourceDefinition).spec;
    const collection = collectionOf(group, names.plural);
    const call = callFor(signal);
    await tellLeaving(name, signal);
    while (store.count({ resource: collection }) > 0) {
      const kind = [...kinds.kinds()].find((candidate) => candidate.collection === collection);
      if (!kind) break;
      await removeAll(asIs(kind), call);
      if (store.count({ resource: collection }) > 0) await clock.sleep(`the objects of ${name} to go`, poll, signal);
    }
    await writer.change(
      {
        kind: deps.definitionKind,
        namespace: undefined,
        name,
        part: 'everything',
        manages: 'update',
        make: (before) => ({
          ...before,
          metadata: {
            ...before.metadata,
            finalizers: (before.metadata.finalizers ?? []).filter((one) => one !== crdFinalizer),
          },
        }),
      },
      systemWrite,
      call,
    );
    log.info('custom resource definition removed', { name });
  }

  async function removeAll(kind: Kind, call: Call): Promise<void> {
    let after: { namespace: string; name: string } | undefined;
    for (;;) {
      const rows = store.page({ resource: kind.collection, after, limit: 100, revision: store.revision });
      if (rows.length === 0) return;
      for (const { namespace, name } of rows) {
        const options = { dryRun: false, gracePeriodSeconds: undefined, propagation: undefined, preconditions: {} };
        await remove(kind, { namespace: namespace || undefined, name }, options, call).catch((error: unknown) => {
          if (!isStatus(error, 'NotFound')) throw error;
        });
      }
      after = rows.at(-1);
    }
  }

  return {
    settle,
    start(owner) {
      scope = owner;
      for (const [name, object] of leaving) {
        owner.spawn(`remove the objects of ${name}`, (signal) => keepFinishing(name, object, signal));
      }
    },
  };
}

/** The kind without conversion: what is to go is not asked which version it is, and no webhook can hold it back. */
function asIs(of: Kind): Kind {
  const same = (object: KubeObject): KubeObject => object;
  const { webhook: _, complete: __, ...kind } = of;
  return { ...kind, conversion: { toStored: same, toServed: same } };
}

const isEstablished = (object: KubeObject): boolean =>
  ((object as unknown as CustomResourceDefinition).status?.conditions ?? []).some(isTrue('Established'));

const isTrue =
  (wanted: string) =>
  ({ type, status }: { readonly type: string; readonly status: string }): boolean =>
    type === wanted && status === 'True';
