// Any object by name: the local copy first, the cloud on a miss. What the cloud answers is kept for the next time,
// unless it is an error.
import { failure, type KubeObject } from '@kedge/model/k8s';
import type { ObjectRef, Outcome } from '@kedge/model/messages';
import type { Asks } from './asks.ts';
import type { DesiredObjects, ObjectListener } from './desired-objects.ts';

export type FetchedType =
  | 'configmap'
  | 'secret'
  | 'persistentvolume'
  | 'persistentvolumeclaim'
  | 'node'
  | 'runtimeclass';

export interface Objects {
  get(
    type: FetchedType,
    namespace: string | undefined,
    name: string,
    signal: AbortSignal,
  ): Promise<Outcome<KubeObject>>;
  listen(type: FetchedType, listener: ObjectListener<KubeObject>): () => void;
}

export function createObjects({ desired, asks }: { desired: DesiredObjects; asks: Pick<Asks, 'ask'> }): Objects {
  /** An upstream cloud answers only one of two concurrent questions about the same object. */
  const underway = new Map<string, Promise<Outcome<KubeObject>>>();

  async function fetch(ref: ObjectRef, signal: AbortSignal): Promise<Outcome<KubeObject>> {
    const answer = await asks.ask({ kind: 'object.get', ref }, signal);
    if (!answer.ok) return answer;
    if (!answer.value?.metadata) {
      return { ok: false, status: failure('InternalError', `the cloud answered with no ${ref.type}`) };
    }
    await desired.put(ref, answer.value);
    return { ok: true, value: desired.get(ref) ?? answer.value };
  }

  return {
    listen: (type, listener) => desired.listen(type, listener),
    async get(type, namespace, name, signal) {
      const ref = { type, namespace: namespace || undefined, name };
      const local = desired.get(ref);
      if (local) return { ok: true, value: local };
      const key = `${type}/${namespace ?? ''}/${name}`;
      const shared = underway.get(key);
      // Whoever asked first may give up; then the next in line asks for itself.
      if (shared) return shared.catch(() => fetch(ref, signal));
      const mine = fetch(ref, signal).finally(() => underway.delete(key));
      underway.set(key, mine);
      return mine;
    },
  };
}
