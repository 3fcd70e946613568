// Checks that the documents keep up with the code: every error code is in docs/errors.md and none that is gone, and
// every relative link leads somewhere. `--write` brings docs/errors.md up to date.
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

interface Code {
  readonly code: string;
  readonly retry: string;
  readonly text: string;
  readonly file: string;
}

const errorsDocument = 'docs/errors.md';

/** Reads the error tables out of the sources; a table is `defineErrors('AREA', { KEY: { retry, say } })`. */
function findCodes(): Code[] {
  const codes: Code[] = [];
  for (const file of globSync('{packages,apps}/**/src/**/*.ts').sort()) {
    if (/\.test\.ts$|\/(testing|build|node_modules)\//.test(file)) continue;
    const source = readFileSync(file, 'utf8');
    for (const table of source.matchAll(/defineErrors\(\s*'([A-Z0-9_]+)',\s*\{(.*?)\n\}\)/gs)) {
      const [, area, body] = table;
      for (const entry of body!.matchAll(
        /^ {2}([A-Z0-9_]+): \{\s*retry: '(\w+)',\s*say:(.*?)(?=^ {2}[A-Z0-9_]+: \{|$(?![\s\S]))/gms,
      )) {
        const [, key, retry, say] = entry;
        const text = /=>\s*([`'"])([\s\S]*?)\1/.exec(say!)?.[2] ?? '';
        codes.push({ code: `${area}_${key}`, retry: retry!, text: text.replace(/\s+/g, ' '), file });
      }
    }
  }
  return codes.sort((a, b) => (a.code < b.code ? -1 : 1));
}

function formatErrors(codes: readonly Code[]): string {
  const rows = codes.map(({ code, retry, text }) => {
    const shown = text.replace(/\$\{([^}]*)\}/g, '…').replaceAll('|', '\\|');
    return `| \`${code}\` | ${retry === 'never' ? 'no' : 'yes'} | ${shown} |`;
  });
  return `# Error codes

Every error that leaves a component has a code from this list; a code is never reused for something else. "Retried" says
whether kedge tries again by itself. This file is written by \`node tools/checks/documents.ts --write\`.

| code | retried | message |
|---|---|---|
${rows.join('\n')}
`;
}

function brokenLinks(): string[] {
  const broken: string[] = [];
  for (const file of globSync('{*.md,docs/**/*.md,packages/*/*.md,apps/*/*.md,tests/**/*.md}')) {
    for (const [, target] of readFileSync(file, 'utf8').matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:|^#/.test(target!)) continue;
      const path = join(dirname(file), target!.split('#')[0]!);
      if (!existsSync(path)) broken.push(`${file}: nothing at ${target}`);
    }
  }
  return broken;
}

const codes = findCodes();
const problems = brokenLinks();
const seen = new Set<string>();
for (const { code, file } of codes) {
  if (seen.has(code)) problems.push(`${file}: error code ${code} is defined twice`);
  seen.add(code);
}
const wanted = formatErrors(codes);
if (process.argv.includes('--write')) writeFileSync(errorsDocument, wanted);
else if (!existsSync(errorsDocument) || readFileSync(errorsDocument, 'utf8') !== wanted) {
  problems.push(`${errorsDocument} is out of date: run node tools/checks/documents.ts --write`);
}

for (const problem of problems) console.error(problem);
console.log(`${codes.length} error codes, ${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;
