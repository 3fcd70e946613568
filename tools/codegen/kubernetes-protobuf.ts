// Writes packages/wire/src/kube-protobuf/message-fields.ts: which field number of which Kubernetes message is which JSON
// field. The facts come from the struct tags of the Go API packages, given as a directory that holds `api`,
// `apimachinery` and `apiextensions-apiserver`:
//
//     node tools/codegen/kubernetes-protobuf.ts <path of k8s.io packages>
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [root = ''] = process.argv.slice(2);
const target = new URL('../../packages/wire/src/kube-protobuf/message-fields.ts', import.meta.url);

const packages: Readonly<Record<string, string>> = {
  core: 'api/core/v1',
  apps: 'api/apps/v1',
  batch: 'api/batch/v1',
  autoscaling1: 'api/autoscaling/v1',
  autoscaling2: 'api/autoscaling/v2',
  policy: 'api/policy/v1',
  networking: 'api/networking/v1',
  discovery: 'api/discovery/v1',
  coordination: 'api/coordination/v1',
  events: 'api/events/v1',
  rbac: 'api/rbac/v1',
  certificates: 'api/certificates/v1',
  storage: 'api/storage/v1',
  scheduling: 'api/scheduling/v1',
  node: 'api/node/v1',
  admissionregistration: 'api/admissionregistration/v1',
  authentication: 'api/authentication/v1',
  authorization: 'api/authorization/v1',
  apiextensions: 'apiextensions-apiserver/pkg/apis/apiextensions/v1',
  meta: 'apimachinery/pkg/apis/meta/v1',
  resource: 'apimachinery/pkg/api/resource',
  intstr: 'apimachinery/pkg/util/intstr',
  runtime: 'apimachinery/pkg/runtime',
  types: 'apimachinery/pkg/types',
};
const shortOf = new Map(Object.entries(packages).map(([short, path]) => [`k8s.io/${path}`, short]));
/** Messages whose JSON is not their fields; the decoder knows them by name. */
const special = new Set([
  'meta.Time',
  'meta.MicroTime',
  'meta.Duration',
  'meta.FieldsV1',
  'resource.Quantity',
  'intstr.IntOrString',
  'runtime.RawExtension',
  'apiextensions.JSON',
  'apiextensions.JSONSchemaPropsOrArray',
  'apiextensions.JSONSchemaPropsOrBool',
  'apiextensions.JSONSchemaPropsOrStringArray',
]);

interface Struct {
  readonly fields: readonly { readonly type: string; readonly json: string; readonly number: number }[];
}

const structs = new Map<string, Struct>();
const aliases = new Map<string, string>();

for (const [short, path] of Object.entries(packages)) {
  for (const file of readdirSync(join(root, path)).filter(
    (name) => name.endsWith('.go') && !/generated|_test/.test(name),
  )) {
    readFile(short, readFileSync(join(root, path, file), 'utf8'));
  }
}

/** Names of other packages become `<short>.<Name>`, and our own too. */
function readFile(own: string, source: string): void {
  const imports = new Map<string, string>();
  for (const [, alias, path] of source.matchAll(/^\s*(?:import\s+)?(\w+)?\s*"(k8s\.io\/[^"]+)"/gm)) {
    const short = shortOf.get(path!);
    if (short) imports.set(alias ?? path!.split('/').at(-1)!, short);
  }
  const qualify = (type: string): string =>
    type.replace(/([A-Za-z]\w*)(?:\.([A-Za-z]\w*))?/g, (whole, first: string, second?: string) => {
      if (second) return `${imports.get(first) ?? first}.${second}`;
      return /^(map|string|bool|byte|u?int\d*|float\d*|interface)$/.test(whole) ? whole : `${own}.${first}`;
    });
  for (const [, name, type] of source.matchAll(/^type (\w+) =? ?((?:\[\]|map\[|\*)?[\w.\][]+)$/gm)) {
    if (type !== 'struct') aliases.set(`${own}.${name}`, qualify(type!));
  }
  for (const [, name, body] of source.matchAll(/^type (\w+) struct ?\{(\}|\n[\s\S]*?^\})/gm)) {
    const fields = [];
    for (const line of body!.split('\n')) {
      const match =
        /^\s*(?:\w+\s+)?([*[\]\w.]+(?:\[[\w.]+\][\w.*[\]]+)?)\s+`json:"([^",]*)[^`]*protobuf:"\w+,(\d+)/.exec(line);
      if (match) fields.push({ type: qualify(match[1]!), json: match[2]!, number: Number(match[3]) });
    }
    structs.set(`${own}.${name}`, { fields });
  }
}

const scalars: Readonly<Record<string, string>> = {
  string: 's',
  bool: 'b',
  int: 'i',
  int32: 'i',
  int64: 'i',
  uint32: 'i',
  uint64: 'i',
  float32: 'f',
  float64: 'd',
};

const needed = new Set<string>();

/** `s`, `i`, a message name; `[]` in front of a list, `{}` of a map, `?` of what tells absent from zero. */
function codeOf(type: string): string {
  if (type.startsWith('*')) return `?${codeOf(type.slice(1)).replace(/^\?/, '')}`;
  if (type === '[]byte') return 'y';
  if (type.startsWith('[]')) return `[]${codeOf(type.slice(2)).replace(/^\?/, '')}`;
  const map = /^map\[[^\]]+\](.*)$/.exec(type);
  if (map) return `{}${codeOf(map[1]!)}`;
  const scalar = scalars[type];
  if (scalar) return scalar;
  const alias = aliases.get(type);
  // A named list is a message of its own with one field, a named map is not.
  if (alias?.startsWith('[]') && alias !== '[]byte') return `=${codeOf(alias.slice(2))}`;
  if (alias !== undefined) return codeOf(alias);
  needed.add(type);
  return type;
}

const roots = [...structs]
  .filter(([name]) => /^(?!meta|resource|intstr|runtime|types)/.test(name))
  .map(([name]) => name);
const lines = new Map<string, string>();
const pending = [...roots, 'meta.DeleteOptions', 'meta.Status', 'meta.PatchOptions'];
while (pending.length > 0) {
  const name = pending.pop()!;
  if (lines.has(name) || special.has(name)) continue;
  const struct = structs.get(name);
  if (!struct) throw new Error(`no struct ${name}`);
  needed.clear();
  const codes = struct.fields.map(({ number, json, type }) => `${number}:${json}:${codeOf(type)}`);
  lines.set(name, codes.join(' '));
  pending.push(...needed);
}

const body = [...lines]
  .filter(([, fields]) => fields !== '')
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([name, fields]) => `  '${name}': '${fields}',`)
  .join('\n');
writeFileSync(
  target,
  `// Generated by tools/codegen/kubernetes-protobuf.ts from the Go struct tags of Kubernetes; do not edit.
// \`number:name:type\` per field. Types: s string, b bool, i integer, y bytes, f d floats, or a message; in front of it
// [] a list, {} a map, ? a field that tells absent from zero, = a message that wraps a list. No name: the fields are inline.

// oxfmt-ignore
export const messageFields: Readonly<Record<string, string>> = {
${body}
};
`,
);
console.log(`${lines.size} messages`);
