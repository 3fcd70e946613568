// CustomResourceDefinitions: names and versions filled in, and held back after deletion until their objects are gone.
import { toTime } from '@kedge/core/time';
import { invalidField, type FieldError, type KubeObject } from '@kedge/model/k8s';
import type { CustomResourceDefinition } from '@kedge/model/k8s-types';
import type { Strategy } from './strategy.ts';

export const crdFinalizer = 'customresourcecleanup.apiextensions.k8s.io';

export const customResourceDefinitions: Partial<Strategy> = {
  countsGenerations: true,
  prepareCreate(object, { now }) {
    fillNames(object);
    object.metadata.finalizers = [...new Set([...(object.metadata.finalizers ?? []), crdFinalizer])];
    const lastTransitionTime = toTime(now);
    object['status'] = {
      conditions: [
        {
          type: 'NamesAccepted',
          status: 'True',
          reason: 'NoConflicts',
          message: 'no conflicts found',
          lastTransitionTime,
        },
        {
          type: 'Established',
          status: 'True',
          reason: 'InitialNamesAccepted',
          message: 'the initial names have been accepted',
          lastTransitionTime,
        },
      ],
      acceptedNames: (object as unknown as CustomResourceDefinition).spec?.names,
      storedVersions: storageVersions(object),
    };
  },
  prepareUpdate(object, before) {
    fillNames(object);
    const status = before['status'] as CustomResourceDefinition['status'];
    const storedVersions = [...new Set([...(status?.storedVersions ?? []), ...storageVersions(object)])];
    object['status'] = {
      ...status,
      storedVersions,
      acceptedNames: (object as unknown as CustomResourceDefinition).spec?.names,
    };
  },
  check(object, before) {
    const { spec } = object as unknown as CustomResourceDefinition;
    const old = before as unknown as CustomResourceDefinition | undefined;
    const expected = `${spec?.names?.plural}.${spec?.group}`;
    const errors: FieldError[] = [];
    if (object.metadata.name !== expected) {
      errors.push(invalidField('metadata.name', object.metadata.name, `must be spec.names.plural+"."+spec.group`));
    }
    if (spec?.scope !== 'Namespaced' && spec?.scope !== 'Cluster') {
      errors.push(invalidField('spec.scope', spec?.scope, 'must be Namespaced or Cluster'));
    }
    if ((spec?.versions ?? []).filter((version) => version.storage).length !== 1) {
      errors.push(
        invalidField('spec.versions', spec?.versions, 'must have exactly one version marked as storage version'),
      );
    }
    for (const [at, version] of (spec?.versions ?? []).entries()) {
      if (version.schema?.openAPIV3Schema === undefined) {
        errors.push(invalidField(`spec.versions[${at}].schema.openAPIV3Schema`, null, 'schemas are required'));
      }
    }
    if (
      old &&
      (old.spec.group !== spec.group || old.spec.names.plural !== spec.names.plural || old.spec.scope !== spec.scope)
    ) {
      errors.push(invalidField('spec', undefined, 'group, scope and plural name are immutable'));
    }
    return errors;
  },
};

function fillNames(object: KubeObject): void {
  const { spec } = object as unknown as CustomResourceDefinition;
  if (!spec?.names?.kind) return;
  spec.names.singular ||= spec.names.kind.toLowerCase();
  spec.names.listKind ||= `${spec.names.kind}List`;
  spec.conversion ??= { strategy: 'None' };
}

const storageVersions = (object: KubeObject): string[] =>
  ((object as unknown as CustomResourceDefinition).spec?.versions ?? []).filter((v) => v.storage).map((v) => v.name);
