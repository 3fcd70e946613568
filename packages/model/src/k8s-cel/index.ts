// CEL, the expression language of Kubernetes: rules of custom resources, match conditions and admission policies.
//
//     const env = (await loadCel()).open().registerVariable('object', 'dyn');
//     const compiled = compile(env, 'object.spec.replicas <= 5', ['bool'], 'must evaluate to a bool');
export { loadCel } from './cel-environment.ts';
export type { Cel } from './cel-environment.ts';
export { compile } from './expression.ts';
export type { Compiled, Evaluated, Expression } from './expression.ts';
export { Meter } from './meter.ts';
export { compileSchemaRules, hasRules } from './schema-rules.ts';
export type { CompiledSchema, SchemaRules } from './schema-rules.ts';
export { toDynamic } from './values.ts';
export { checkRules } from './validate-rules.ts';
