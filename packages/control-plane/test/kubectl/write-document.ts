// Writes the tested rows into docs/kubernetes-api.md.
import { readFile, writeFile } from 'node:fs/promises';
import { documentPath, withRows } from './document.ts';
import { sections } from './sections.ts';

await writeFile(documentPath, withRows(await readFile(documentPath, 'utf8'), sections));
