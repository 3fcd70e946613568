// What Kubernetes says about its kinds and fields, read from files when an OpenAPI document is asked for. Half a megabyte of
// text that hardly anybody wants to see is not kept in memory.
import type { Files } from '@kedge/core/ports';
import type { Prose, ReadProse } from '@kedge/engine/kube-api';

/** Reads from `directory`; where a file is missing, nothing is said. */
export function createProseReader(files: Pick<Files, 'readText'>, directory: string): ReadProse {
  return async (names) => {
    const found: Record<string, Prose> = {};
    for (const file of new Set(names.flatMap((name) => fileOf(name) ?? []))) {
      const text = (await files.readText(`${directory}/${file}`)) ?? '{}';
      const all = JSON.parse(text) as Readonly<Record<string, Prose>>;
      for (const name of names) if (Object.hasOwn(all, name)) found[name] = all[name]!;
    }
    return found;
  };
}

/** One file for each group and version: `io.k8s.api.apps.v1.Deployment` is in `apps-v1.generated.json`. */
const fileOf = (name: string): string | undefined =>
  name.startsWith('io.k8s.') ? `${name.split('.').slice(-3, -1).join('-')}.generated.json` : undefined;
