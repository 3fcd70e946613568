// CustomResourceDefinitions: in force as soon as they are stored, and held back after deletion until their objects are gone.
// Their conditions are decided in admission, where the other definitions are known.
import type { KubeObject } from '@kedge/model/k8s';
import type { CustomResourceDefinition } from '@kedge/model/k8s-types';
import type { Strategy } from './strategy.ts';

export const crdFinalizer = 'customresourcecleanup.apiextensions.k8s.io';

const read = (object: KubeObject): CustomResourceDefinition => object as unknown as CustomResourceDefinition;

export const customResourceDefinitions: Partial<Strategy> = {
  countsGenerations: true,
  finishCreate(object) {
    const finalizers = [...new Set([...(object.metadata.finalizers ?? []), crdFinalizer])];
    return { ...object, metadata: { ...object.metadata, finalizers } };
  },
  finishUpdate(object) {
    const { spec, status } = read(object);
    const stored = spec.versions.filter(({ storage }) => storage).map(({ name }) => name);
    const storedVersions = [...new Set([...(status?.storedVersions ?? []), ...stored])];
    return { ...object, status: { ...status, storedVersions } };
  },
};
