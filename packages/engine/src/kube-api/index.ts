// A Kubernetes API over HTTP for any object store: requests, watches, tables, discovery and OpenAPI. Whoever keeps the
// objects implements ObjectApi; who may do what is the Gatekeeper's business.
//
//     const handler = createKubeApiHandler({ clock, log, catalog, objects, gatekeeper, openApi, layout, fields, ... });
//     await servers.listen({ address, port, tls, handler });
export type { Answer, Gzip } from './answer.ts';
export { groupsOf } from './catalog.ts';
export type { Catalog, ServedResource } from './catalog.ts';
export { createKubeApiHandler } from './handler.ts';
export type { Gatekeeper } from './handler.ts';
export { documentOfObject, documentOfText } from './object-api.ts';
export type {
  ApiUser,
  Call,
  CollectionTarget,
  Document,
  ListOptions,
  Listing,
  ObjectApi,
  ObjectFilter,
  ObjectTarget,
  Patch,
  Propagation,
  RemoveOptions,
  WatchChange,
  WatchSource,
  WriteOptions,
  Written,
} from './object-api.ts';
export type { KubeApiPaths } from './paths.ts';
export { limitRequests } from './request-limits.ts';
export type { ServeText } from './resource-requests.ts';
export { createOpenApi } from './open-api.ts';
export type { Prose, ReadProse } from './open-api-prose.ts';
export type { OpenApi } from './open-api.ts';
export type { Definition, Definitions } from './definitions.ts';
export { readFilter } from './read-options.ts';
export type { ReadField } from './read-options.ts';
export { readRequestInfo } from './request-info.ts';
export type { RequestInfo } from './request-info.ts';
export { age, humanDuration, plainLayout } from './table.ts';
export type { Cell, TableColumn, TableLayout } from './table.ts';
