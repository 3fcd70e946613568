// The paths section of OpenAPI documents: as much of each operation as clients look at, which is its kind, its verb,
// the parameters that announce server-side validation, and the patch types.
import { apiVersionOf, type GroupVersionKind } from '@kedge/model/k8s';
import { patchMediaTypes, type PatchType } from '../kube-client/index.ts';
import type { ServedResource, ServedVersion } from './catalog.ts';
import type { Definitions } from './definitions.ts';

type Operation = Readonly<Record<string, unknown>>;
type Dialect = 'v2' | 'v3';

const methods: readonly { method: string; verb: string; action: string; onItem: boolean }[] = [
  { method: 'get', verb: 'get', action: 'get', onItem: true },
  { method: 'put', verb: 'update', action: 'put', onItem: true },
  { method: 'patch', verb: 'patch', action: 'patch', onItem: true },
  { method: 'delete', verb: 'delete', action: 'delete', onItem: true },
  { method: 'get', verb: 'list', action: 'list', onItem: false },
  { method: 'post', verb: 'create', action: 'post', onItem: false },
  { method: 'delete', verb: 'deletecollection', action: 'deletecollection', onItem: false },
];

/** A subresource is created at its own address. Streams, whose kinds are options, are not described. */
const onSubresources = methods.filter(({ verb, onItem }) => verb === 'create' || (onItem && verb !== 'delete'));

export function openApiPaths(of: ServedVersion, definitions: Definitions, dialect: Dialect): Record<string, unknown> {
  const root = of.group ? `/apis/${of.group}/${of.version}` : `/api/${of.version}`;
  const paths: Record<string, Record<string, Operation>> = {};
  for (const resource of of.resources) {
    const collection = `${root}${resource.namespaced ? '/namespaces/{namespace}' : ''}/${resource.resource}`;
    for (const { method, verb, action, onItem } of methods) {
      if (!(resource.verbs as readonly string[]).includes(verb)) continue;
      const path = onItem ? `${collection}/{name}` : collection;
      (paths[path] ??= {})[method] = operation(resource, resource, action, definitions, dialect);
    }
    for (const [name, part] of Object.entries(resource.subresources)) {
      if (part.kind.endsWith('Options')) continue;
      for (const { method, verb, action } of onSubresources) {
        if (!(part.verbs as readonly string[]).includes(verb)) continue;
        const path = `${collection}/{name}/${name}`;
        (paths[path] ??= {})[method] = operation(resource, part, action, definitions, dialect);
      }
    }
  }
  return paths;
}

function operation(
  resource: ServedResource,
  { group, version, kind }: GroupVersionKind,
  action: string,
  definitions: Definitions,
  dialect: Dialect,
): Operation {
  const name = definitions.nameOf(apiVersionOf(group, version), kind);
  const prefix = dialect === 'v2' ? '#/definitions/' : '#/components/schemas/';
  const schema = name ? { $ref: prefix + name } : { type: 'object' };
  const ok =
    dialect === 'v2'
      ? { description: 'OK', schema }
      : { description: 'OK', content: { 'application/json': { schema } } };
  return {
    ...bodyOf(action, schema, resource, dialect),
    responses: { '200': ok },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group, version, kind },
  };
}

const writes = new Set(['put', 'patch', 'post']);

function bodyOf(action: string, schema: unknown, resource: ServedResource, dialect: Dialect): Operation {
  if (!writes.has(action)) return {};
  const names = ['dryRun', 'fieldManager', 'fieldValidation', ...(action === 'patch' ? ['force'] : [])];
  const patchTypes = resource.patchTypes ?? (Object.keys(patchMediaTypes) as PatchType[]);
  const types =
    action === 'patch' ? patchTypes.map((type) => patchMediaTypes[type]) : ['application/json', 'application/yaml'];
  const body = action === 'patch' ? { type: 'object' } : schema;
  if (dialect === 'v2') {
    const parameters = names.map((name) => ({ name, in: 'query', type: 'string', uniqueItems: true }));
    return { consumes: types, parameters: [{ name: 'body', in: 'body', required: true, schema: body }, ...parameters] };
  }
  return {
    parameters: names.map((name) => ({ name, in: 'query', schema: { type: 'string', uniqueItems: true } })),
    requestBody: { content: Object.fromEntries(types.map((type) => [type, { schema: body }])), required: true },
  };
}
