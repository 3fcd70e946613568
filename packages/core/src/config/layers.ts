// Layers of a configuration from the environment and from flags.
import type { Problem } from './check.ts';
import { overlay } from './overlay.ts';
import type { Schema } from './schema.ts';

export interface Layer {
  readonly value: unknown;
  readonly problems: readonly Problem[];
}

/** `KEDGE_MODULES__CLOUDHUB__NODELIMIT=1000`: the path in capitals, two underscores between its parts. */
export function fromEnvironment(schema: Schema, environment: Readonly<Record<string, string | undefined>>): Layer {
  const settings = Object.entries(environment).flatMap(([name, value]) =>
    // Other variables of ours have no group in their names.
    value !== undefined && name.startsWith('KEDGE_') && name.includes('__')
      ? [{ path: name.slice('KEDGE_'.length).split('__'), value, shown: name }]
      : [],
  );
  return fromTexts(schema, settings);
}

/** `modules.cloudHub.nodeLimit=1000`, as given to `--set`. */
export function fromSettings(schema: Schema, settings: readonly string[]): Layer {
  return fromTexts(
    schema,
    settings.map((setting) => {
      const [, path = setting, value = ''] = /^([^=]*)=(.*)$/s.exec(setting) ?? [];
      return { path: path.split('.'), value, shown: path };
    }),
  );
}

interface TextSetting {
  readonly path: readonly string[];
  readonly value: string;
  readonly shown: string;
}

function fromTexts(schema: Schema, settings: readonly TextSetting[]): Layer {
  const problems: Problem[] = [];
  let layer: unknown;
  for (const { path, value, shown } of settings) {
    const found = find(schema, path);
    if (!found) problems.push({ path: shown, say: 'is not a known key' });
    else layer = overlay(schema, layer, nest(found.names, fromText(found.schema, value)));
  }
  return { value: layer, problems };
}

function find(schema: Schema, path: readonly string[]): { schema: Schema; names: string[] } | undefined {
  const names: string[] = [];
  let at = schema;
  for (const [n, part] of path.entries()) {
    const name = Object.keys(at.properties ?? {}).find((key) => key.toLowerCase() === part.toLowerCase());
    if (name === undefined) {
      // The rest names a key of the user's choice, which may have dots in it.
      const values = at.properties ? undefined : at.additionalProperties;
      return values ? { schema: values, names: [...names, path.slice(n).join('.')] } : undefined;
    }
    names.push(name);
    at = at.properties![name]!;
  }
  return at.properties ? undefined : { schema: at, names };
}

const nest = (names: readonly string[], value: unknown): unknown =>
  names.reduceRight<unknown>((inner, name) => ({ [name]: inner }), value);

/** A text as the schema wants it; what does not fit stays a text, and the check says so. */
function fromText(schema: Schema, value: string): unknown {
  switch (schema.type) {
    case 'boolean':
      return value === 'true' ? true : value === 'false' ? false : value;
    case 'integer':
    case 'number':
      return value.trim() !== '' && Number.isFinite(Number(value)) ? Number(value) : value;
    case 'array':
      return value === '' ? [] : value.split(',').map((item) => fromText(schema.items!, item.trim()));
    default:
      return value;
  }
}
