// Layered configuration: schemas that give types, defaults and checks; layers laid over each other; documents written.
// Pure: no host lookups, no files. What the machine is comes in as HostFacts.
export { checkLayer } from './check.ts';
export type { Checked, Problem } from './check.ts';
export { splitHostPort } from './formats.ts';
export type { HostFacts } from '../ports/index.ts';
export { listKeys } from './list-keys.ts';
export type { Key } from './list-keys.ts';
export { configErrors, readConfig } from './read-config.ts';
export type { ConfigOf, ConfigSources } from './read-config.ts';
export { choice, decimal, defaultsOf, flag, integer, listOf, mapOf, object, optional, text, unused } from './schema.ts';
export type { DocumentOf, Format, Schema } from './schema.ts';
export { writeDocument } from './write-document.ts';
