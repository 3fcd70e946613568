// Schemas of Kubernetes objects: the built-in kinds and CustomResourceDefinitions in one vocabulary, and what is done with
// them: reading, pruning, defaulting, validating.
//
//     const schemas = await loadBuiltinSchemas();
//     const { value, unknown } = readBuiltin<Pod>(body, schemas.ofKind('v1', 'Pod')!);
export { loadBuiltinSchemas } from './builtin-schemas.ts';
export type { BuiltinSchemas } from './builtin-schemas.ts';
export { customResourceSchema } from './custom-resource.ts';
export { isBase64, isCidr, isDate, isDateTime, isIPv4, isIPv6, isUuid } from './formats.ts';
export { compilePattern } from './pattern.ts';
export { pruneUnknown } from './prune-unknown.ts';
export type { Pruned } from './prune-unknown.ts';
export { readBuiltin } from './read-builtin.ts';
export type { DefinitionTable, JsonType, Schema, StoredSchema, ValidationRule } from './schema.ts';
export { applySchemaDefaults } from './schema-defaults.ts';
export { shapeOf } from './shape.ts';
export { checkStructuralSchema } from './structural-schema.ts';
export { validateValue } from './validate-value.ts';
