// Definitions for the OpenAPI documents: those of the built-in kinds, and those that custom resources bring.
import type { Definition, Definitions } from '@kedge/engine/kube-api';
import { apiVersionOf, type GroupVersionKind } from '@kedge/model/k8s';
import type { BuiltinSchemas } from '@kedge/model/k8s-schema';
import type { CustomResourceDefinition } from '@kedge/model/k8s-types';

export interface PublishedDefinitions extends Definitions {
  setCustom(name: string, definition: CustomResourceDefinition | undefined): void;
  /** Definitions of kinds that are served besides; each names its kind in `x-kubernetes-group-version-kind`. */
  add(definitions: Readonly<Record<string, Definition>>): void;
}

type Entries = ReadonlyMap<string, { readonly gvk: string; readonly definition: Definition }>;

const objectMeta = { $ref: 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' };

export function createPublishedDefinitions(schemas: BuiltinSchemas): PublishedDefinitions {
  const custom = new Map<string, Entries>();
  let generation = 1;
  function* customEntries() {
    for (const entries of custom.values()) yield* entries;
  }
  return {
    get generation() {
      return generation;
    },
    nameOf(apiVersion, kind) {
      const builtin = schemas.nameOfKind(apiVersion, kind);
      if (builtin !== undefined) return builtin;
      for (const [name, { gvk }] of customEntries()) if (gvk === `${apiVersion} ${kind}`) return name;
      return undefined;
    },
    get(name) {
      const builtin = schemas.definitions[name];
      if (builtin) return builtin as Definition;
      for (const entries of custom.values()) {
        const entry = entries.get(name);
        if (entry) return entry.definition;
      }
      return undefined;
    },
    setCustom(name, definition) {
      if (definition) custom.set(name, entriesOf(definition));
      else custom.delete(name);
      generation++;
    },
    add(definitions) {
      for (const [name, definition] of Object.entries(definitions)) {
        const [gvk] = (definition['x-kubernetes-group-version-kind'] ?? []) as GroupVersionKind[];
        const names = gvk ? `${apiVersionOf(gvk.group, gvk.version)} ${gvk.kind}` : '';
        custom.set(name, new Map([[name, { gvk: names, definition }]]));
      }
      generation++;
    },
  };
}

function entriesOf({ spec: { group, names, versions } }: CustomResourceDefinition): Entries {
  const reversed = group.split('.').reverse().join('.');
  return new Map(
    versions
      .filter(({ served }) => served)
      .map(({ name: version, schema }) => {
        const declared = (schema?.openAPIV3Schema ?? {}) as { properties?: object };
        const definition: Definition = {
          ...declared,
          type: 'object',
          properties: {
            ...declared.properties,
            apiVersion: { type: 'string' },
            kind: { type: 'string' },
            metadata: objectMeta,
          },
          'x-kubernetes-group-version-kind': [{ group, version, kind: names.kind }],
        };
        const entry = { gvk: `${apiVersionOf(group, version)} ${names.kind}`, definition };
        return [`${reversed}.${version}.${names.kind}`, entry] as const;
      }),
  );
}
