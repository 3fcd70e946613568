// Binding a pod to a node, evicting it within its disruption budget, and adding ephemeral containers.
import { type Clock, toTime } from '@kedge/core/time';
import {
  documentOfObject,
  type Call,
  type RemoveOptions,
  type WriteOptions,
  type Written,
} from '@kedge/engine/kube-api';
import { fail, type KubeObject } from '@kedge/model/k8s';
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

  /** Takes one from every budget that covers the pod, or refuses. */
  async function spendBudgets(pod: KubeObject, namespace: string, call: Call): Promise<void> {
    const { kind, items } = deps.budgets(namespace);
    for (const item of items) {
      const budget = item as unknown as PodDisruptionBudget;
      if (!matchesLabels(labelSelectorOf(budget.spec?.selector), pod.metadata.labels)) continue;
      const { name = '' } = item.metadata;
      if ((budget.status?.disruptionsAllowed ?? 0) <= 0) {
        throw fail('TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", {
          retryAfterSeconds: 10,
          causes: [
            { reason: 'DisruptionBudget', message: `The disruption budget ${name} does not allow a disruption now` },
          ],
        });
      }
      await writer.change(
        {
          kind,
          namespace,
          name,
          subresource: 'status',
          part: 'status',
          manages: 'update',
          make: (before) => {
            const status = before['status'] as NonNullable<PodDisruptionBudget['status']>;
            return { ...before, status: { ...status, disruptionsAllowed: (status.disruptionsAllowed ?? 1) - 1 } };
          },
        },
        systemWrite,
        call,
      );
    }
  }

  return {
    async create({ kind, namespace = '', name }, body, options, call) {
      const pod = reader.get(kind, namespace, name).object;
      const given = (body['deleteOptions'] ?? {}) as {
        gracePeriodSeconds?: number;
        preconditions?: RemoveOptions['preconditions'];
      };
      const hasEnded = ['Succeeded', 'Failed'].includes((pod as unknown as Pod).status?.phase ?? '');
      if (!hasEnded && !pod.metadata.deletionTimestamp && !options.dryRun) await spendBudgets(pod, namespace, call);
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

export function createEphemeralContainers({ reader, writer }: PodSubresourceDeps): Subresource {
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
        subresource: 'ephemeralcontainers',
        part: 'everything',
        manages: 'update',
        make(before) {
          const { ephemeralContainers } = (make(before)['spec'] ?? {}) as PodSpec;
          return {
            ...before,
            spec: { ...(before['spec'] as PodSpec), ...(ephemeralContainers ? { ephemeralContainers } : {}) },
          };
        },
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
