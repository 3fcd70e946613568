// The few forms that the schemas of KubeEdge's kinds are made of: JSON Schema as a CustomResourceDefinition takes it.
import type { Schema as JsonSchema } from '../k8s-schema/index.ts';

export type Properties = Readonly<Record<string, JsonSchema>>;
type More = Partial<JsonSchema>;

export const text = (description?: string, more: More = {}): JsonSchema => ({
  type: 'string',
  ...(description === undefined ? {} : { description }),
  ...more,
});
export const flag = (description?: string): JsonSchema => ({
  type: 'boolean',
  ...(description === undefined ? {} : { description }),
});
export const number = (): JsonSchema => ({ type: 'number' });
export const int = (format?: 'int32' | 'int64', description?: string, more: More = {}): JsonSchema => ({
  type: 'integer',
  ...(format === undefined ? {} : { format }),
  ...(description === undefined ? {} : { description }),
  ...more,
});
export const object = (properties: Properties, more: More = {}): JsonSchema => ({
  type: 'object',
  properties,
  ...more,
});
export const list = (items: JsonSchema, more: More = {}): JsonSchema => ({ type: 'array', items, ...more });
export const textMap = (more: More = {}): JsonSchema => ({
  type: 'object',
  additionalProperties: { type: 'string' },
  ...more,
});
/** Whatever a protocol needs. */
export const anything = (description?: string): JsonSchema => ({
  type: 'object',
  'x-kubernetes-preserve-unknown-fields': true,
  ...(description === undefined ? {} : { description }),
});

/** A whole object of a kind. */
export const kindOf = (description: string, properties: Properties, more: More = {}): JsonSchema => ({
  type: 'object',
  description,
  properties: { apiVersion: text(), kind: text(), metadata: { type: 'object' }, ...properties },
  ...more,
});

export const labelSelector = object(
  {
    matchExpressions: list(
      object(
        { key: text(), operator: text(), values: list(text(), { 'x-kubernetes-list-type': 'atomic' }) },
        { required: ['key', 'operator'] },
      ),
      { 'x-kubernetes-list-type': 'atomic' },
    ),
    matchLabels: textMap(),
  },
  { 'x-kubernetes-map-type': 'atomic' },
);

export interface DefinedVersion {
  readonly name: string;
  readonly storage: boolean;
  readonly schema: JsonSchema;
  readonly hasStatus?: boolean;
  readonly columns?: readonly Column[];
}

export interface Column {
  readonly name: string;
  readonly type: 'string' | 'date' | 'integer';
  readonly jsonPath: string;
  readonly description?: string;
  /** 0 is shown always, more only with `-o wide`. */
  readonly priority?: number;
}

export interface Defined {
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  readonly shortNames?: readonly string[];
  readonly scope: 'Namespaced' | 'Cluster';
  readonly versions: readonly DefinedVersion[];
}

/** On a definition of ours: which one it is. Counted up with every change, so that an older one is replaced. */
export const definitionRevision = { annotation: 'kedge.io/definition-revision', value: 1 } as const;

/** The CustomResourceDefinition; versions are converted by name only, as upstream does it. */
export const definition = ({ group, kind, plural, shortNames, scope, versions }: Defined) => ({
  apiVersion: 'apiextensions.k8s.io/v1' as const,
  kind: 'CustomResourceDefinition' as const,
  metadata: {
    name: `${plural}.${group}`,
    annotations: { [definitionRevision.annotation]: String(definitionRevision.value) },
  },
  spec: {
    group,
    names: {
      plural,
      singular: kind.toLowerCase(),
      kind,
      listKind: `${kind}List`,
      ...(shortNames === undefined ? {} : { shortNames }),
    },
    scope,
    versions: versions.map(({ name, storage, schema, hasStatus, columns }) => ({
      name,
      served: true,
      storage,
      schema: { openAPIV3Schema: schema },
      ...(hasStatus ? { subresources: { status: {} } } : {}),
      ...(columns === undefined ? {} : { additionalPrinterColumns: columns }),
    })),
  },
});
