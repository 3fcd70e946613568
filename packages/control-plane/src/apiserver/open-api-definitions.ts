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

/** What every kind has, in the words of Kubernetes' own. */
const conventions = 'https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md';
const ofEveryKind = {
  apiVersion: {
    description: `APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: ${conventions}#resources`,
    type: 'string',
  },
  kind: {
    description: `Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: ${conventions}#types-kinds`,
    type: 'string',
  },
  metadata: {
    description: `Standard object's metadata. More info: ${conventions}#metadata`,
    $ref: 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta',
  },
};

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
        const entry = gvk
          ? { gvk: `${apiVersionOf(gvk.group, gvk.version)} ${gvk.kind}`, definition: asKind(definition) }
          : { gvk: '', definition };
        custom.set(name, new Map([[name, entry]]));
      }
      generation++;
    },
  };
}

const asKind = (definition: Definition): Definition => ({
  ...definition,
  properties: { ...(definition['properties'] as object | undefined), ...ofEveryKind },
});

function entriesOf({ spec: { group, names, versions } }: CustomResourceDefinition): Entries {
  const reversed = group.split('.').reverse().join('.');
  return new Map(
    versions
      .filter(({ served }) => served)
      .map(({ name: version, schema }) => {
        const declared = (schema?.openAPIV3Schema ?? {}) as Definition;
        const definition: Definition = {
          ...asKind(declared),
          type: 'object',
          'x-kubernetes-group-version-kind': [{ group, version, kind: names.kind }],
        };
        const entry = { gvk: `${apiVersionOf(group, version)} ${names.kind}`, definition };
        return [`${reversed}.${version}.${names.kind}`, entry] as const;
      }),
  );
}
