// The schemas of the built-in kinds, loaded on first use.
import { apiVersionOf } from '../k8s/index.ts';
import { linkDefinitions } from './link-definitions.ts';
import type { DefinitionTable, Schema } from './schema.ts';

export interface BuiltinSchemas {
  /** The definitions by full name (`io.k8s.api.core.v1.Pod`), as they are published. */
  readonly definitions: DefinitionTable;
  /** The schema of a kind; undefined for one that is not built in. */
  readonly ofKind: (apiVersion: string, kind: string) => Schema | undefined;
  readonly nameOfKind: (apiVersion: string, kind: string) => string | undefined;
}

/** Loads and links the table. Call once per process and hand the result around: it takes some milliseconds and 2 MB. */
export async function loadBuiltinSchemas(): Promise<BuiltinSchemas> {
  const { builtinDefinitions } = await import('./builtin-definitions.ts');
  const linked = linkDefinitions(builtinDefinitions);
  const names = new Map<string, string>();
  for (const [name, schema] of Object.entries(builtinDefinitions)) {
    for (const { group, version, kind } of schema['x-kubernetes-group-version-kind'] ?? []) {
      names.set(`${apiVersionOf(group, version)} ${kind}`, name);
    }
  }
  const nameOfKind = (apiVersion: string, kind: string) => names.get(`${apiVersion} ${kind}`);
  const ofKind = (apiVersion: string, kind: string) => linked.get(nameOfKind(apiVersion, kind) ?? '');
  return { definitions: builtinDefinitions, ofKind, nameOfKind };
}
