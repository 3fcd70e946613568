// A Kubernetes API as one process reaches it: the cluster goes on when the process dies.
import type { KubeApi } from '@kedge/engine/kube-client';
import type { Life } from './life.ts';

export function mortalKubeApi<A extends KubeApi>(life: Life, api: A): A {
  const alive = async <T>(read: () => Promise<T>): Promise<T> => {
    life.check();
    const result = await read();
    life.check();
    return result;
  };
  return {
    ...api,
    get: (...args) => alive(() => api.get(...args)),
    list: (...args) => alive(() => api.list(...args)),
    raw: (...args) => alive(() => api.raw(...args)),
    async *watch(...args) {
      for await (const change of api.watch(...args)) {
        life.check();
        yield change;
      }
    },
    create: (...args) => life.write(() => api.create(...args)),
    update: (...args) => life.write(() => api.update(...args)),
    patch: (...args) => life.write(() => api.patch(...args)),
    delete: (...args) => life.write(() => api.delete(...args)),
  } satisfies A as A;
}
