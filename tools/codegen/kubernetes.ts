// Generates the Kubernetes model from the published OpenAPI (version 2) document: TypeScript types, compact schemas
// and the table of resources. Only shapes are taken; the document and its prose stay out of the repository.
//
//     node tools/codegen/kubernetes.ts path/to/swagger.json && oxfmt --write packages/model/src
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { modelGroups } from './kubernetes-facts.ts';
import { collectResources, writeResources } from './kubernetes-resources.ts';
import { selectDefinitions, writeSchemas } from './kubernetes-schemas.ts';
import { writeIndex, writeTypes } from './kubernetes-types.ts';
import type { OpenApiDocument } from './kubernetes-schemas.ts';

const input = process.argv[2];
if (!input) throw new Error('usage: node tools/codegen/kubernetes.ts <swagger.json>');
const document = JSON.parse(readFileSync(input, 'utf8')) as OpenApiDocument;
const model = join(import.meta.dirname, '../../packages/model/src');

function write(folder: string, file: string, text: string): void {
  mkdirSync(join(model, folder), { recursive: true });
  writeFileSync(join(model, folder, file), text);
}

const definitions = selectDefinitions(document);
for (const group of modelGroups) write('k8s-types', `${group.file}.ts`, writeTypes(group, definitions));
write('k8s-types', 'index.ts', writeIndex(definitions));
write('k8s-schema', 'builtin-definitions.ts', writeSchemas(definitions));
write('k8s-resources', 'builtin-resources.ts', writeResources(collectResources(document)));
