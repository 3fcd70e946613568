// A Kubernetes API over HTTP for any object store: requests, watches, tables, discovery and OpenAPI. Whoever keeps the
// objects implements ObjectApi; who may do what is the Gatekeeper's business.
//
//     const handler = createKubeApiHandler({ clock, log, catalog, objects, gatekeeper, openApi, layout, fields, ... });
//     await servers.listen({ address, port, tls, handler });
export { writePatiently } from './answer.ts';
export type { Answer, AnswerDeps, Gzip } from './answer.ts';
export { groupsOf } from './catalog.ts';
export type { Catalog, ServedResource, ServedVersion } from './catalog.ts';
export { contentHash } from './content-hash.ts';
export { createKubeApiHandler } from './handler.ts';
export type { Gatekeeper, KubeApiDeps } from './handler.ts';
export { kubeApiErrors } from './kube-api-errors.ts';
export { documentOfObject, documentOfText } from './object-api.ts';
export type {
  ApiUser,
  Call,
  CollectionTarget,
  Document,
  FieldValidation,
  ListOptions,
  Listing,
  ObjectApi,
  ObjectFilter,
  ObjectTarget,
  Patch,
  Propagation,
  RemoveOptions,
  VersionMatch,
  WatchChange,
  WatchSource,
  WriteOptions,
  Written,
} from './object-api.ts';
export { createOpenApi } from './open-api.ts';
export type { OpenApi } from './open-api.ts';
export type { Definition, Definitions } from './definitions.ts';
export type { HealthCheck } from './paths.ts';
export { readFilter } from './read-options.ts';
export type { ReadField } from './read-options.ts';
export { readRequestInfo } from './request-info.ts';
export type { PathRequest, RequestInfo, RequestVerb, ResourceRequest } from './request-info.ts';
export { age, humanDuration, plainLayout } from './table.ts';
export type { Cell, TableColumn, TableLayout } from './table.ts';
