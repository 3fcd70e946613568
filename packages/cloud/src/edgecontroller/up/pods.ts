// What an edge reports about its pods: status, and that one has ended for good. A report about a pod that is no more is
// answered with its deletion, so that nothing runs on that the API does not know.
import type { Informer } from '@kedge/core/control';
import type { Log } from '@kedge/core/log';
import type { KubeApi } from '@kedge/engine/kube-client';
import { fail, isStatus, type KubeObject, type NodeName, notFound, type Uid } from '@kedge/model/k8s';
import type { Pod } from '@kedge/model/k8s-types';
import type { ObjectRef } from '@kedge/model/messages';
import type { OwnWrites } from '../own-writes.ts';
import type { ObjectSink } from '../sink.ts';
import { deleteOfUnknown, linkedKinds, uidOf, versionOf } from '../wire-object.ts';
import { answer, type Answer, type Asked, ok } from './answer.ts';

export interface PodUpDeps {
  readonly log: Log;
  readonly kube: KubeApi;
  readonly pods: Informer<Pod>;
  readonly ownWrites: OwnWrites;
  readonly sink: ObjectSink;
}

const podResource = linkedKinds.pod.resource;

export function createPodUp({ log, kube, pods, ownWrites, sink }: PodUpDeps) {
  const targetOf = ({ namespace, name }: ObjectRef) => ({ namespace, name });

  /** The pod, if it is this node's; from the API where our copy does not know it yet. */
  async function ownPod(node: NodeName, ref: ObjectRef, signal: AbortSignal): Promise<KubeObject> {
    const copy = pods.get(`${ref.namespace}/${ref.name}`);
    const pod = (copy as KubeObject | undefined) ?? (await kube.get(podResource, targetOf(ref), { signal }));
    if ((pod as Pod).spec?.nodeName !== node)
      throw fail('Forbidden', `pod "${ref.name}" is not bound to node "${node}"`);
    return pod;
  }

  const tellGone = (node: NodeName, ref: ObjectRef, uid: Uid | undefined): void => {
    if (!uid) return;
    log.info('edge reports a pod that is no more', { node, pod: `${ref.namespace}/${ref.name}`, uid });
    sink.delete(node, deleteOfUnknown('pod', ref, uid));
  };

  /** A patch or a deletion of another incarnation is one of a pod that does not exist. */
  async function ofSameUid(node: NodeName, ref: ObjectRef, uid: Uid | undefined, signal: AbortSignal) {
    const pod = await ownPod(node, ref, signal);
    if (uid !== undefined && uid !== uidOf(pod)) throw notFound('pods', '', ref.name);
    return pod;
  }

  return {
    get: async (node: NodeName, ref: ObjectRef, signal: AbortSignal): Promise<Answer> =>
      answer('pod', await ownPod(node, ref, signal)),

    create: async ({ ref, object }: Asked<'object.create'>, signal: AbortSignal): Promise<Answer> =>
      answer(
        'pod',
        await kube.create(podResource, ref.namespace, { ...object, apiVersion: 'v1', kind: 'Pod' }, { signal }),
      ),

    async patchStatus(node: NodeName, ref: ObjectRef, patch: string, signal: AbortSignal): Promise<Answer> {
      const uid = uidInPatch(patch);
      try {
        const pod = await ofSameUid(node, ref, uid, signal);
        const target = { ...targetOf(ref), subresource: 'status' };
        const write = () => kube.patch(podResource, target, 'strategic', patch, { signal });
        return answer('pod', await ownWrites.track(uidOf(pod), write, versionOf));
      } catch (error) {
        if (isStatus(error, 'NotFound')) tellGone(node, ref, uid);
        throw error;
      }
    },

    /** Succeeds also when there is nothing to delete: the edge wants it gone, and it is. */
    async delete(
      node: NodeName,
      { ref, uid, gracePeriodSeconds }: Asked<'pod.delete'>,
      signal: AbortSignal,
    ): Promise<Answer> {
      try {
        const pod = await ofSameUid(node, ref, uid, signal);
        const options = { gracePeriodSeconds, uid: uidOf(pod), signal };
        await kube.delete(podResource, targetOf(ref), options);
      } catch (error) {
        if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
        tellGone(node, ref, uid);
      }
      return ok;
    },

    /** The reports of edges before v1.15: the status as a whole. */
    async reportLegacy(node: NodeName, ref: ObjectRef, uid: Uid, status: unknown, signal: AbortSignal): Promise<void> {
      try {
        const pod = (await ofSameUid(node, ref, uid, signal)) as Pod;
        const target = { ...targetOf(ref), subresource: 'status' };
        await kube.patch(podResource, target, 'merge', JSON.stringify({ status }), { signal });
        const phase = (status as { phase?: string } | undefined)?.phase;
        const hasEnded = phase === 'Succeeded' || phase === 'Failed';
        if (!pod.metadata.deletionTimestamp || !hasEnded) return;
        await kube.delete(podResource, targetOf(ref), { gracePeriodSeconds: 0, uid, signal });
      } catch (error) {
        if (!isStatus(error, 'NotFound')) throw error;
        tellGone(node, ref, uid);
      }
    },
  };
}

/** Undefined when the patch is none or names no incarnation; the API server judges it then. */
function uidInPatch(patch: string): Uid | undefined {
  try {
    const uid = (JSON.parse(patch) as { metadata?: { uid?: unknown } } | null)?.metadata?.uid;
    return typeof uid === 'string' && uid !== '' ? (uid as Uid) : undefined;
  } catch {
    return undefined;
  }
}
