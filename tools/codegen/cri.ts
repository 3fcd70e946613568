// Generates packages/wire/src/cri/cri.generated.ts from cri.proto.
// Run it after every change of the .proto file and commit both: `node tools/codegen/cri.ts`.
import { generate, withoutDepthGuard } from './proto.ts';

// The generator writes for all protos; what follows makes use of what is so in this one. A bundle at the edge is a third
// smaller for it, and its text stays in memory for as long as the process runs.

/** All maps are from text to text: one entry does for all of them. */
function shareMapEntries(code: string): string {
  const names = new Set([...code.matchAll(/^export interface (\w+_\w+Entry) \{/gm)].map(([, name]) => name ?? ''));
  const [first = '', ...others] = names;
  let shared = code;
  for (const name of others) {
    shared = shared
      .replace(new RegExp(`^export interface ${name} \\{[^]*?^\\}\\n\\n`, 'm'), '')
      .replace(new RegExp(`^function createBase${name}\\(\\)[^]*?^\\}\\n\\n`, 'm'), '')
      .replace(new RegExp(`^export const ${name}: MessageFns[^]*?^\\};\\n\\n`, 'm'), '');
  }
  return shared.replace(new RegExp(`\\b(createBase)?(?:${[first, ...others].join('|')})\\b`, 'g'), '$1TextEntry');
}

generate('cri', 'cri', (code) => shareMapEntries(withoutDepthGuard(code)));
