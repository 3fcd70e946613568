// Binding a pod to a node, evicting it within its disruption budget, adding ephemeral containers, and other resources for it.
import { type Clock, toTime } from '@kedge/core/time';
import {
  documentOfObject,
  type Call,
  type RemoveOptions,
  type WriteOptions,
  type Written,
} from '@kedge/engine/kube-api';
import { fail, type FieldError, type KubeObject } from '@kedge/model/k8s';
import { checkPodResize, resizedPod } from '@kedge/model/k8s-kinds';
import { labelSelectorOf, matchesLabels } from '@kedge/model/k8s-selectors';
import type { Binding, Pod, PodCondition, PodDisruptionBudget, PodSpec } from '@kedge/model/k8s-types';
import type { Kind } from '../kinds/kind.ts';
import { patched, readPatchDocument } from '../objects/patch-objects.ts';
import type { ObjectReader } from '../objects/read-objects.ts';
import type { RemoveObject } from '../objects/remove-objects.ts';
import { type ObjectWriter, systemWrite } from '../objects/write-objects.ts';
import type { Subresource, SubresourceTarget } from './subresource.ts';

export interface PodSubresourceDeps {
  readonly clock: Clock;
  readonly reader: ObjectReader;
  readonly writer: ObjectWriter;
  readonly remove: RemoveObject;
  /** All disruption budgets of a namespace, and their kind. */
  budgets(namespace: string): { readonly kind: Kind; readonly items: readonly KubeObject[] };
}

export const success = (code: number): KubeObject =>
  ({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code }) as KubeObject;

export function createBinding({ clock, writer }: PodSubresourceDeps): NonNullable<Subresource['create']> {
  return async ({ kind, namespace, name }, body, options, call) => {
    const { target, metadata } = body as unknown as Binding;
    const node = target?.name;
    if (!node) throw fail('Invalid', `Binding "${name}" is invalid: target.name: Required value`);
    await writer.change(
      {
        kind,
        namespace,
        name,
        subresource: 'binding',
        part: 'everything',
        manages: 'update',
        make(before) {
          const pod = structuredClone(before) as unknown as Pod & KubeObject;
          const conflict = (why: string): Error =>
            fail('Conflict', `Operation cannot be fulfilled on pods/binding "${name}": ${why}`, {
              name,
              kind: 'pods/binding',
            });
          if (pod.metadata.deletionTimestamp)
            throw conflict(`pod ${name} is being deleted, cannot be assigned to a host`);
          if (pod.spec?.nodeName) throw conflict(`pod ${name} is already assigned to node "${pod.spec.nodeName}"`);
          (pod.spec as PodSpec).nodeName = node;
          const annotations = { ...pod.metadata.annotations, ...metadata?.annotations };
          if (Object.keys(annotations).length > 0) pod.metadata.annotations = annotations;
          const scheduled: PodCondition = {
            type: 'PodScheduled',
            status: 'True',
            lastTransitionTime: toTime(clock.now()),
          };
          const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== 'PodScheduled');
          pod.status = { ...pod.status, conditions: [...others, scheduled] };
          return pod;
        },
      },
      options,
      call,
    );
    return { document: documentOfObject(success(201)), created: true };
  };
}

export function createEviction(deps: PodSubresourceDeps): Subresource {
  const { reader, writer, remove } = deps;

  /** Takes one from the budget that covers the pod, or refuses. */
  async function spendBudget(pod: KubeObject, namespace: string, call: Call): Promise<void> {
    const { kind, items } = deps.budgets(namespace);
    const covering = items.filter((item) => {
      const { spec } = item as unknown as PodDisruptionBudget;
      return matchesLabels(labelSelectorOf(spec?.selector), pod.metadata.labels);
    });
    if (covering.length > 1) {
      const why = 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
      throw fail('InternalError', why);
    }
    const [budget] = covering;
    if (!budget || isUnhealthyAndFree(pod as unknown as Pod, budget as unknown as PodDisruptionBudget)) return;
    await writer.change(
      {
        kind,
        namespace,
        name: budget.metadata.name ?? '',
        subresource: 'status',
        part: 'status',
        manages: 'update',
        // Whoever loses a race reads the budget again: two evictions never share what is left.
        make: (before) => ({
          ...before,
          status: spend(before as unknown as PodDisruptionBudget, pod.metadata.name ?? '', toTime(deps.clock.now())),
        }),
      },
      systemWrite,
      call,
    );
  }

  return {
    async create({ kind, namespace = '', name }, body, options, call) {
      const pod = reader.get(kind, namespace, name).object;
      const given = (body['deleteOptions'] ?? {}) as {
        gracePeriodSeconds?: number;
        preconditions?: RemoveOptions['preconditions'];
      };
      // What does not run cannot be disrupted.
      const isAtRest = ['Pending', 'Succeeded', 'Failed'].includes((pod as unknown as Pod).status?.phase ?? '');
      if (!isAtRest && !pod.metadata.deletionTimestamp && !options.dryRun) await spendBudget(pod, namespace, call);
      await remove(
        kind,
        { namespace, name },
        {
          dryRun: options.dryRun,
          gracePeriodSeconds: given.gracePeriodSeconds,
          propagation: undefined,
          preconditions: given.preconditions ?? {},
        },
        call,
      );
      return { document: documentOfObject(success(201)), created: true };
    },
  };
}

/** A pod that is not ready costs nothing when the others suffice, or when the budget does not mind. */
function isUnhealthyAndFree({ status }: Pod, { spec, status: budget }: PodDisruptionBudget): boolean {
  if (status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True')) return false;
  if (spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = budget ?? {};
  return desiredHealthy > 0 && currentHealthy >= desiredHealthy;
}

/** The status of a budget after one more eviction; refuses when there is none to give. */
function spend({ metadata, status }: PodDisruptionBudget, pod: string, now: string): PodDisruptionBudget['status'] {
  const refuse = (message: string, retryAfterSeconds: number): Error =>
    fail('TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", {
      retryAfterSeconds,
      causes: [{ reason: 'DisruptionBudget', message }],
    });
  if (!status || (status.observedGeneration ?? 0) < (metadata.generation ?? 0))
    throw refuse(`The disruption budget ${metadata.name} is still being processed by the server.`, 10);
  const { disruptionsAllowed = 0, desiredHealthy = 0, currentHealthy = 0 } = status;
  if (disruptionsAllowed <= 0) {
    const numbers = `needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`;
    throw refuse(`The disruption budget ${metadata.name} ${numbers}`, 0);
  }
  return {
    ...status,
    disruptionsAllowed: disruptionsAllowed - 1,
    disruptedPods: { ...status.disruptedPods, [pod]: now },
  };
}

export const createEphemeralContainers = (deps: PodSubresourceDeps): Subresource =>
  createPodPart(deps, 'ephemeralcontainers', (wanted, before) => {
    const { ephemeralContainers } = wanted.spec ?? {};
    return { ...before, spec: { ...before.spec!, ...(ephemeralContainers ? { ephemeralContainers } : {}) } };
  });

export const createResize = (deps: PodSubresourceDeps): Subresource =>
  createPodPart(deps, 'resize', resizedPod, (kind, next, before) => [
    ...kind.rules.validate(next),
    ...checkPodResize(next as Pod, kind.rules.defaults(structuredClone(before)) as Pod),
  ]);

/** A subresource that is a part of the pod's spec: it reads as the pod, and of what is written counts that part alone. */
function createPodPart(
  { reader, writer }: PodSubresourceDeps,
  subresource: string,
  take: (wanted: Pod, before: Pod) => Pod,
  check?: (kind: Kind, next: KubeObject, before: KubeObject) => readonly FieldError[],
): Subresource {
  const write = (
    { kind, namespace, name }: SubresourceTarget,
    make: (before: KubeObject) => KubeObject,
    options: WriteOptions,
    call: Call,
  ): Promise<Written> =>
    writer.change(
      {
        kind,
        namespace,
        name,
        subresource,
        part: 'everything',
        manages: 'update',
        make: (before) => take(make(before) as Pod, before as Pod) as KubeObject,
        ...(check ? { check: (next, before) => check(kind, next, before) } : {}),
      },
      options,
      call,
    );
  return {
    get: async ({ kind, namespace, name }) => reader.get(kind, namespace, name),
    update: (of, body, options, call) => write(of, () => body, options, call),
    async patch(of, patch, options, call) {
      const document = await readPatchDocument(patch);
      const type = patch.type === 'apply' ? 'strategic' : patch.type;
      return write(of, (before) => patched(of.kind, type, before, document), options, call);
    },
  };
}
