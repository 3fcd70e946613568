// CustomResourceDefinitions: in force as soon as they are stored, and held back after deletion until their objects are gone.
import { toTime } from '@kedge/core/time';
import type { KubeObject } from '@kedge/model/k8s';
import type { CustomResourceDefinition } from '@kedge/model/k8s-types';
import type { Strategy } from './strategy.ts';

export const crdFinalizer = 'customresourcecleanup.apiextensions.k8s.io';

const read = (object: KubeObject): CustomResourceDefinition => object as unknown as CustomResourceDefinition;

export const customResourceDefinitions: Partial<Strategy> = {
  countsGenerations: true,
  finishCreate(object, now) {
    const { spec, status } = read(object);
    const lastTransitionTime = toTime(now);
    const condition = (type: string, reason: string, message: string) => ({
      type,
      status: 'True',
      lastTransitionTime,
      reason,
      message,
    });
    const conditions = [
      condition('NamesAccepted', 'NoConflicts', 'no conflicts found'),
      condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted'),
    ];
    const finalizers = [...new Set([...(object.metadata.finalizers ?? []), crdFinalizer])];
    return {
      ...object,
      metadata: { ...object.metadata, finalizers },
      status: { ...status, conditions, acceptedNames: spec.names },
    };
  },
  finishUpdate(object) {
    const { spec, status } = read(object);
    const stored = spec.versions.filter(({ storage }) => storage).map(({ name }) => name);
    const storedVersions = [...new Set([...(status?.storedVersions ?? []), ...stored])];
    return { ...object, status: { ...status, acceptedNames: spec.names, storedVersions } };
  },
};
