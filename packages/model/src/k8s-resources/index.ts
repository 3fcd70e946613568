// The built-in resources of the Kubernetes API: plural, kind, scope, verbs, subresources and the names kubectl knows.
// Small enough for the edge, which maps kinds to resources with it; the schemas are in k8s-schema.
export { builtinResources } from './builtin-resources.ts';
export { findResource, findResourceOfKind } from './find-resource.ts';
export type { ResourceInfo, SubresourceInfo, Verb } from './resource-info.ts';
