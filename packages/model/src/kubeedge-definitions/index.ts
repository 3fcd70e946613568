// The CustomResourceDefinitions of KubeEdge's kinds. Only cloudcore needs them; the types are in `kubeedge`.
export { deviceDefinitions } from './device-definitions.ts';
export { operationDefinitions } from './operation-definitions.ts';
export { ruleDefinitions } from './rule-definitions.ts';
export { definitionRevision } from './schema-parts.ts';
export type { Column, Defined, DefinedVersion } from './schema-parts.ts';
