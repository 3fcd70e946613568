// OpenAPI documents, version 2 and 3, made from compact schemas when somebody asks. kubectl reads them to explain kinds,
// to compute patches and to learn that the server validates fields.
import type { Headers, ServerRequest } from '@kedge/core/ports';
import { apiVersionOf, fail } from '@kedge/model/k8s';
import { encodeOpenApiV2, openApiV2MediaTypes } from '@kedge/wire/open-api-v2';
import type { Answer } from './answer.ts';
import { type Catalog, groupsOf, type ServedVersion } from './catalog.ts';
import { contentHash } from './content-hash.ts';
import { readAccept } from './negotiate.ts';
import type { Definition, Definitions } from './definitions.ts';
import { openApiPaths } from './open-api-paths.ts';
import { describe, type ReadProse } from './open-api-prose.ts';

export interface OpenApi {
  serve(path: string, request: ServerRequest, answer: Answer): Promise<boolean>;
}

export interface OpenApiDeps {
  readonly catalog: Catalog;
  readonly definitions: Definitions;
  readonly title: string;
  readonly version: string;
  /** What is said about the definitions of a document; asked for each document, and not kept. */
  readonly readProse?: ReadProse;
}

export function createOpenApi(deps: OpenApiDeps): OpenApi {
  const { catalog, definitions } = deps;
  const info = { title: deps.title, version: deps.version };
  let index: { generation: string; text: string } | undefined;

  const served = (): ServedVersion[] => [...groupsOf(catalog).values()].flat();
  const pathOf = ({ group, version }: ServedVersion): string => (group ? `apis/${group}/${version}` : `api/${version}`);

  /** The v3 document of one group and version. */
  async function documentV3(of: ServedVersion): Promise<string> {
    const paths = openApiPaths(of, definitions, 'v3');
    const schemas = await withProse(collect(of, definitions, '#/components/schemas/'), 'v3');
    return JSON.stringify({ openapi: '3.0.0', info, paths, components: { schemas } });
  }

  async function withProse(found: Record<string, Definition>, dialect: 'v2' | 'v3'): Promise<Record<string, unknown>> {
    const prose = (await deps.readProse?.(Object.keys(found))) ?? {};
    return Object.fromEntries(
      Object.entries(found).map(([name, one]) => [name, describe(one, prose[name] ?? {}, dialect)]),
    );
  }

  /** Changes with what the document says, whichever process says it: clients keep documents by it. */
  function hashOf(of: ServedVersion): string {
    const kinds = of.resources.map(({ kind }) => {
      const name = definitions.nameOf(apiVersionOf(of.group, of.version), kind);
      return name && definitions.get(name);
    });
    return contentHash(JSON.stringify([deps.version, deps.readProse !== undefined, of, kinds]));
  }

  function indexV3(): string {
    const generation = `${catalog.generation}/${definitions.generation}`;
    if (index?.generation !== generation) {
      const paths = served().map(
        (of) => [pathOf(of), { serverRelativeURL: `/openapi/v3/${pathOf(of)}?hash=${hashOf(of)}` }] as const,
      );
      index = { generation, text: JSON.stringify({ paths: Object.fromEntries(paths) }) };
    }
    return index.text;
  }

  async function documentV2(): Promise<Record<string, unknown>> {
    const all = served();
    const paths = Object.assign({}, ...all.map((of) => openApiPaths(of, definitions, 'v2'))) as object;
    const found = Object.assign({}, ...all.map((of) => collect(of, definitions, '#/definitions/')));
    return { swagger: '2.0', info, paths, definitions: await withProse(found as Record<string, Definition>, 'v2') };
  }

  async function sendV2(request: ServerRequest, answer: Answer): Promise<boolean> {
    const isWanted = readAccept(request.headers['accept']).some(({ type }) => openApiV2MediaTypes.includes(type));
    if (!isWanted) return sendJson(request, answer, JSON.stringify(await documentV2()));
    // Clients keep it by this tag; it changes with what is served.
    const etag = `"${contentHash(indexV3())}"`;
    if (request.headers['if-none-match'] === etag) answer.notModified({ etag, vary: 'Accept' });
    else answer.bytes(200, openApiV2MediaTypes.at(-1)!, encodeOpenApiV2(await documentV2()), { etag, vary: 'Accept' });
    return true;
  }

  async function sendV3(of: ServedVersion, request: ServerRequest, answer: Answer): Promise<boolean> {
    const wanted = request.query.get('hash');
    // What is asked for by its hash stays what it is, and need not be asked for again.
    if (wanted !== null && wanted === hashOf(of)) return sendJson(request, answer, await documentV3(of), immutable);
    return sendJson(request, answer, await documentV3(of));
  }

  return {
    async serve(path, request, answer) {
      if (path === '/openapi/v3') return sendJson(request, answer, indexV3());
      if (path === '/openapi/v2') return sendV2(request, answer);
      const of = served().find((candidate) => path === `/openapi/v3/${pathOf(candidate)}`);
      return of !== undefined && sendV3(of, request, answer);
    },
  };
}

const immutable = { 'cache-control': 'public, immutable, max-age=31536000' };

async function sendJson(request: ServerRequest, answer: Answer, text: string, more: Headers = {}): Promise<boolean> {
  const takesJson = readAccept(request.headers['accept']).some(({ type }) =>
    ['application/json', 'application/*', '*/*'].includes(type),
  );
  if (!takesJson) throw fail('NotAcceptable', 'only the following media types are accepted: application/json');
  const etag = `"${contentHash(text)}"`;
  if (request.headers['if-none-match'] === etag) answer.notModified({ ...more, etag, vary: 'Accept' });
  else await answer.json(200, text, { ...more, etag, vary: 'Accept' });
  return true;
}

/** The definitions of the kinds of one version and all that they refer to. */
function collect(of: ServedVersion, definitions: Definitions, prefix: string): Record<string, Definition> {
  const found: Record<string, Definition> = {};
  const pending: string[] = [];
  const want = (name: string | undefined): void => {
    if (name !== undefined) pending.push(name);
  };
  for (const resource of of.resources) {
    want(definitions.nameOf(apiVersionOf(of.group, of.version), resource.kind));
    for (const sub of Object.values(resource.subresources))
      want(definitions.nameOf(apiVersionOf(sub.group, sub.version), sub.kind));
  }
  while (pending.length > 0) {
    const name = pending.pop()!;
    if (Object.hasOwn(found, name)) continue;
    const definition = definitions.get(name);
    if (definition) found[name] = pointRefs(definition, prefix, want) as Definition;
  }
  return found;
}

function pointRefs(value: unknown, prefix: string, want: (name: string) => void): unknown {
  if (Array.isArray(value)) return value.map((item) => pointRefs(item, prefix, want));
  if (typeof value !== 'object' || value === null) return value;
  const result: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(value)) {
    if (key === '$ref' && typeof field === 'string') {
      want(field);
      result[key] = prefix + field;
    } else result[key] = pointRefs(field, prefix, want);
  }
  return result;
}
