// Schemas of Kubernetes objects: the built-in kinds and CustomResourceDefinitions in one vocabulary.
export { loadBuiltinSchemas } from './builtin-schemas.ts';
export type { BuiltinSchemas } from './builtin-schemas.ts';
export { linkDefinitions } from './link-definitions.ts';
export type { DefinitionTable, JsonType, Schema, StoredSchema, ValidationRule } from './schema.ts';
export { shapeOf } from './shape.ts';
