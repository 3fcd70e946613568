// Requests that are not about objects: discovery, version, health and OpenAPI documents.
import type { ServerRequest } from '@kedge/core/ports';
import type { Answer } from './answer.ts';
import type { Catalog } from './catalog.ts';
import { contentHash } from './content-hash.ts';
import { aggregated, coreVersions, groupList, oneGroup, resourceList } from './discovery.ts';
import { negotiate, readAccept } from './negotiate.ts';
import type { OpenApi } from './open-api.ts';

export interface HealthCheck {
  readonly name: string;
  /** Undefined when well, else what is wrong. */
  check(): string | undefined;
}

export type KubeApiPaths = Readonly<Record<string, (request: ServerRequest, answer: Answer) => Promise<void>>>;

export interface PathDeps {
  readonly catalog: Catalog;
  readonly openApi: OpenApi;
  /** The /version document. */
  readonly version: unknown;
  readonly health: readonly HealthCheck[];
  /** Paths that only this server has, such as /metrics. */
  readonly own?: KubeApiPaths;
  /** Where clients reach us, for /api. */
  readonly serverAddress: string;
}

const ownPaths = ['/api', '/apis', '/healthz', '/livez', '/openapi/v2', '/openapi/v3', '/readyz', '/version'];
const healthPaths = new Set(['/healthz', '/livez', '/readyz']);

/** Answers the path when it is one of these; false when it is none. */
export function createPaths(deps: PathDeps): (request: ServerRequest, answer: Answer) => Promise<boolean> {
  const { catalog } = deps;

  const value = async (request: ServerRequest, answer: Answer, body: unknown): Promise<boolean> => {
    if (body === undefined) return false;
    await answer.value(200, body, negotiate(request.headers, request.query, ['object']));
    return true;
  };

  async function discovery(request: ServerRequest, answer: Answer, core: boolean): Promise<boolean> {
    const version = aggregatedVersion(request);
    if (!version) return value(request, answer, core ? coreVersions(deps.serverAddress) : groupList(catalog));
    const text = `${JSON.stringify(aggregated(catalog, version, core))}\n`;
    const etag = `"${contentHash(text)}"`;
    const headers = { etag, vary: 'Accept' };
    if (request.headers['if-none-match'] === etag) {
      answer.notModified(headers);
      return true;
    }
    const type = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
    await answer.json(200, text, { ...headers, 'content-type': type });
    return true;
  }

  function health(request: ServerRequest, answer: Answer): boolean {
    const [, head = '', only] = request.path.split('/');
    const checks = [{ name: 'ping', check: () => undefined }, ...deps.health].filter(
      ({ name }) => (only === undefined || name === only) && !request.query.getAll('exclude').includes(name),
    );
    if (only !== undefined && checks.length === 0) return false;
    const results = checks.map(({ name, check }) => ({ name, wrong: check() }));
    const well = results.every(({ wrong }) => wrong === undefined);
    if (well && !request.query.has('verbose')) answer.plain(200, 'ok');
    else {
      const lines = results.map(({ name, wrong }) =>
        wrong === undefined ? `[+]${name} ok` : `[-]${name} failed: ${wrong}`,
      );
      answer.plain(well ? 200 : 500, `${lines.join('\n')}\n${head} check ${well ? 'passed' : 'failed'}\n`);
    }
    return true;
  }

  return async (request, answer) => {
    const path = request.path.length > 1 ? request.path.replace(/\/+$/, '') : request.path;
    const parts = path.split('/');
    const own = deps.own?.[path];
    if (own) {
      await own(request, answer);
      return true;
    }
    if (healthPaths.has(`/${parts[1]}`) && parts.length <= 3) return health(request, answer);
    switch (parts[1]) {
      case 'version':
        return parts.length === 2 && value(request, answer, deps.version);
      case 'api':
        if (parts.length === 2) return discovery(request, answer, true);
        return parts.length === 3 && value(request, answer, resourceList(catalog, '', parts[2]!));
      case 'apis':
        if (parts.length === 2) return discovery(request, answer, false);
        if (parts.length === 3) return value(request, answer, parts[2] ? oneGroup(catalog, parts[2]) : undefined);
        return parts.length === 4 && value(request, answer, resourceList(catalog, parts[2]!, parts[3]!));
      case 'openapi':
        return deps.openApi.serve(path, request, answer);
      case '':
        return value(request, answer, {
          paths: [...ownPaths, ...Object.keys(deps.own ?? {})].sort(),
        });
      default:
        return false;
    }
  };
}

function aggregatedVersion(request: ServerRequest): 'v2' | 'v2beta1' | undefined {
  for (const { type, parameters } of readAccept(request.headers['accept'])) {
    if (type !== 'application/json' && type !== '*/*') continue;
    const { as, g, v } = parameters;
    if (as === undefined) return undefined;
    if (as === 'APIGroupDiscoveryList' && g === 'apidiscovery.k8s.io' && (v === 'v2' || v === 'v2beta1')) return v;
  }
  return undefined;
}
