// What a CustomResourceDefinition serves: one kind per served version, with its schema, columns and subresources.
import { age, type Cell, plainLayout, type ServedResource, type TableLayout } from '@kedge/engine/kube-api';
import { apiVersionOf, type KubeObject } from '@kedge/model/k8s';
import { isObject } from '@kedge/model/k8s-patch';
import { hasRules } from '@kedge/model/k8s-cel';
import { rulesFor } from '@kedge/model/k8s-kinds';
import { applySchemaDefaults, customResourceSchema, pruneUnknown, type Schema } from '@kedge/model/k8s-schema';
import type { SubresourceInfo, Verb } from '@kedge/model/k8s-resources';
import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
} from '@kedge/model/k8s-types';
import { collectionOf, type Kind } from '../kinds/kind.ts';
import { customFields } from '../kinds/selectable-fields.ts';
import { plainStrategy } from '../kinds/strategy.ts';
import type { ScalePaths } from '../subresources/scale.ts';

const verbs: readonly Verb[] = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const partVerbs: readonly Verb[] = ['get', 'patch', 'update'];

export interface CustomKind extends Kind {
  readonly scale: ScalePaths | undefined;
}

/** What rules may see of metadata. */
const ruleMetadata: Schema = {
  type: 'object',
  properties: { name: { type: 'string' }, generateName: { type: 'string' } },
};

/** The schema of a version as its rules see objects. */
export const ruleSchemaOf = (declared: Schema): Schema => customResourceSchema(declared, ruleMetadata);

export type WebhookFor = (definition: CustomResourceDefinition, version: string) => Kind['webhook'];

export function customKinds(
  definition: CustomResourceDefinition,
  objectMeta: Schema,
  webhookFor: WebhookFor,
): readonly CustomKind[] {
  return definition.spec.versions
    .filter(({ served }) => served)
    .sort((a, b) => byPriority(a.name, b.name))
    .map((version) => customKind(definition, version, objectMeta, webhookFor));
}

function customKind(
  definition: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
  objectMeta: Schema,
  webhookFor: WebhookFor,
): CustomKind {
  const { group, names, scope } = definition.spec;
  const apiVersion = apiVersionOf(group, version.name);
  const { status, scale } = version.subresources ?? {};
  const served: ServedResource = {
    group,
    version: version.name,
    resource: names.plural,
    kind: names.kind,
    listKind: names.listKind ?? `${names.kind}List`,
    singular: names.singular ?? names.kind.toLowerCase(),
    namespaced: scope === 'Namespaced',
    verbs,
    patchTypes: ['json', 'merge', 'apply'],
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    subresources: {
      ...(status ? { status: part(group, version.name, names.kind) } : {}),
      ...(scale ? { scale: part('autoscaling', 'v1', 'Scale') } : {}),
    },
  };
  const schema = (version.schema?.openAPIV3Schema ?? { 'x-kubernetes-preserve-unknown-fields': true }) as Schema;
  const whole = customResourceSchema(schema, objectMeta);
  const complete = (object: KubeObject): KubeObject => applySchemaDefaults(pruneUnknown(object, whole).value, whole);
  const webhook = webhookFor(definition, version.name);
  return {
    served,
    collection: collectionOf(group, names.plural),
    apiVersion,
    schema: whole,
    ...(webhook ? { webhook } : renaming(definition, apiVersion, complete)),
    ...(hasDefaults(schema) ? { complete } : {}),
    ...(version.deprecated
      ? { warning: version.deprecationWarning ?? `${apiVersion} ${names.kind} is deprecated` }
      : {}),
    rules: rulesFor(apiVersion, names.kind),
    strategy: { ...plainStrategy, countsGenerations: true },
    layout: customLayout(version.additionalPrinterColumns),
    readField: customFields((version.selectableFields ?? []).map(({ jsonPath }) => jsonPath)),
    isCustom: true,
    ...(hasRules(schema) ? { ruleSchema: ruleSchemaOf(schema) } : {}),
    scale: scale && {
      specReplicas: plainPath(scale.specReplicasPath),
      statusReplicas: plainPath(scale.statusReplicasPath),
      selector: scale.labelSelectorPath && plainPath(scale.labelSelectorPath),
    },
  };
}

/** Without a webhook versions differ by name only, and by the fields that each of them knows. */
function renaming(
  { spec: { group, versions } }: CustomResourceDefinition,
  apiVersion: string,
  complete: (object: KubeObject) => KubeObject,
): Pick<Kind, 'conversion'> {
  if (versions.length < 2) return {};
  const stored = apiVersionOf(group, versions.find(({ storage }) => storage)!.name);
  return {
    conversion: {
      toStored: (object) => ({ ...object, apiVersion: stored }),
      toServed: (object) => complete({ ...object, apiVersion }),
    },
  };
}

const hasDefaults = (schema: Schema): boolean =>
  schema.default !== undefined ||
  Object.values(schema.properties ?? {}).some(hasDefaults) ||
  (schema.items !== undefined && hasDefaults(schema.items)) ||
  (typeof schema.additionalProperties === 'object' && hasDefaults(schema.additionalProperties));

const part = (group: string, version: string, kind: string): SubresourceInfo => ({
  group,
  version,
  kind,
  verbs: partVerbs,
});
const plainPath = (jsonPath: string): string => jsonPath.replace(/^\./, '');

/** v2 before v1 before v1beta2 before v1alpha1; anything else last, by name. */
export function byPriority(a: string, b: string): number {
  const [x, y] = [a, b].map((name) => /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(name));
  if (!x || !y) return x ? -1 : y ? 1 : a < b ? -1 : 1;
  const stage = (match: RegExpExecArray): number => (match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0);
  return stage(y) - stage(x) || Number(y[1]) - Number(x[1]) || Number(y[3] ?? 0) - Number(x[3] ?? 0);
}

function customLayout(columns: readonly CustomResourceColumnDefinition[] | undefined): TableLayout {
  if (!columns?.length) return plainLayout;
  return {
    columns: [
      plainLayout.columns[0]!,
      ...columns.map(({ name, type, format, description, priority }) => ({
        name,
        type: type as 'string',
        format,
        description,
        priority,
      })),
    ],
    row: (object, now) => [
      object.metadata.name ?? '',
      ...columns.map(({ jsonPath, type }): Cell => {
        const value = readJsonPath(object, jsonPath);
        if (value === undefined || value === null) return type === 'date' ? '<unknown>' : '';
        if (type === 'date') return age(String(value), now);
        return typeof value === 'object' ? JSON.stringify(value) : (value as Cell);
      }),
    ],
  };
}

/** The subset that printer columns use: `.spec.list[0].name`, `.a['b.c']`, `.items[?(@.type=="Ready")].status`. */
export function readJsonPath(object: KubeObject, path: string): unknown {
  const step = /\.([\w-]+(?:\\\.[\w-]+)*)|\[(\d+|\*)\]|\['([^']+)'\]|\[\?\(@\.([\w.]+)\s*==\s*["']([^"']*)["']\)\]/gy;
  let at: unknown = object;
  let read = 0;
  for (const match of path.matchAll(step)) {
    read = match.index + match[0].length;
    const [, field, index, quoted, key, wanted] = match;
    const name = field?.replaceAll('\\.', '.') ?? quoted;
    if (name !== undefined) at = isObject(at) ? at[name] : undefined;
    else if (!Array.isArray(at)) at = undefined;
    else if (key !== undefined) at = at.find((item) => isObject(item) && String(item[key]) === wanted);
    else at = at[index === '*' ? 0 : Number(index)];
  }
  return read === path.length ? at : undefined;
}
