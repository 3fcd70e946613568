// From layers to a checked document: defaults, then the file, then the environment, then flags.
import { defineErrors } from '../errors/index.ts';
import { checkLayer, type Problem } from './check.ts';
import { fromEnvironment, fromSettings } from './layers.ts';
import { overlay } from './overlay.ts';
import type { Schema } from './schema.ts';

export const configErrors = defineErrors('CONFIG', {
  INVALID: {
    retry: 'never',
    say: (d: { problems: readonly (Problem & { readonly from: string })[] }) =>
      `the configuration cannot be used:${d.problems.map(toLine).join('')}`,
  },
});

const toLine = ({ from, path, say }: Problem & { readonly from: string }): string =>
  `\n  ${from}: ${path ? `${path} ` : ''}${say}`;

export interface ConfigSources {
  /** What the file holds, read as YAML; absent when there is no file. */
  readonly file?: { readonly path: string; readonly content: unknown };
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** `path=value`, as given to `--set`; later ones win. */
  readonly settings?: readonly string[];
}

export interface ConfigOf<T> {
  readonly document: T;
  /** Sentences for the log: keys without effect, keys with odd capitals. */
  readonly warnings: readonly string[];
}

/**
 * Throws CONFIG_INVALID with everything that is wrong at once. `crossCheck` sees a document in which each value by
 * itself is right.
 */
export function readConfig<T>(
  schema: Schema<T>,
  defaults: T,
  sources: ConfigSources,
  crossCheck: (document: T) => readonly Problem[],
): ConfigOf<T> {
  const { file = { path: 'configuration', content: {} }, environment = {}, settings = [] } = sources;
  const layers = [
    { from: file.path, problems: [], value: file.content },
    { from: 'environment', ...fromEnvironment(schema, environment) },
    { from: '--set', ...fromSettings(schema, settings) },
  ];
  const problems: (Problem & { from: string })[] = [];
  const warnings: string[] = [];
  let document: unknown = defaults;
  for (const layer of layers) {
    const { from } = layer;
    const checked = checkLayer(schema, layer.value);
    problems.push(...[...layer.problems, ...checked.problems].map((problem) => ({ from, ...problem })));
    if (checked.unused.length > 0) warnings.push(`${from}: has no effect here: ${checked.unused.join(', ')}`);
    if (checked.respelled.length > 0)
      warnings.push(`${from}: read in spite of other capitals: ${checked.respelled.join(', ')}`);
    document = overlay(schema, document, checked.value);
  }
  if (problems.length === 0) {
    problems.push(...crossCheck(document as T).map((problem) => ({ from: file.path, ...problem })));
  }
  if (problems.length > 0) throw configErrors.INVALID({ problems });
  return { document: deepFreeze(document) as T, warnings };
}

function deepFreeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
