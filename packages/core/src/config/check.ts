// Checks one layer of a configuration against a schema. A layer may leave out anything; what it has must be right.
import { forms } from './formats.ts';
import { nearestKey } from './nearest-key.ts';
import { overlay } from './overlay.ts';
import { defaultsOf, type Schema } from './schema.ts';

export interface Problem {
  /** `modules.cloudHub.nodeLimit`; empty for the document as a whole. */
  readonly path: string;
  /** Completes a sentence that begins with the path. */
  readonly say: string;
}

export interface Checked {
  /** The layer with its keys spelled as in the schema, and without keys that are null. */
  readonly value: unknown;
  readonly problems: readonly Problem[];
  /** Keys that were taken although their capitals were not as in the schema. */
  readonly respelled: readonly string[];
  /** Keys that are known but without effect, where they say something other than the default. */
  readonly unused: readonly string[];
}

export function checkLayer(schema: Schema, layer: unknown): Checked {
  const found = { problems: [] as Problem[], respelled: [] as string[], unused: [] as string[] };
  const at: Place = { path: [], root: schema, unused: false, found };
  return { value: checkValue(schema, layer, at), ...found };
}

interface Place {
  readonly path: readonly string[];
  readonly root: Schema;
  readonly unused: boolean;
  readonly found: { problems: Problem[]; respelled: string[]; unused: string[] };
}

const below = (at: Place, key: string): Place => ({ ...at, path: [...at.path, key] });

function complain(at: Place, say: string): undefined {
  at.found.problems.push({ path: at.path.join('.'), say });
  return undefined;
}

function checkValue(schema: Schema, value: unknown, outer: Place): unknown {
  const at = schema['x-unused'] ? { ...outer, unused: true } : outer;
  if (value === null || value === undefined) return undefined;
  if (schema.properties) return checkObject(schema, value, at);
  const checked = checkLeaf(schema, value, at);
  if (at.unused && checked !== undefined && !sameValue(checked, schema.default))
    at.found.unused.push(at.path.join('.'));
  return checked;
}

function checkLeaf(schema: Schema, value: unknown, at: Place): unknown {
  switch (schema.type) {
    case 'object':
      return checkMap(schema, value, at);
    case 'array':
      return checkList(schema.items!, value, at);
    case 'string':
      return checkText(schema, value, at);
    case 'boolean':
      return typeof value === 'boolean' ? value : complain(at, `is ${show(value)}, needs true or false`);
    default:
      return checkNumber(schema, value, at);
  }
}

/** Lists are not joined with those of other layers, so the items get their defaults here. */
function checkList(items: Schema, value: unknown, at: Place): unknown {
  if (!Array.isArray(value)) return complain(at, `is ${show(value)}, needs a list`);
  return value
    .map((item, n) => checkValue(items, item, { ...below(at, String(n)), unused: false }))
    .filter((item) => item !== undefined)
    .map((item) => overlay(items, items.properties && defaultsOf(items), item));
}

function checkObject(schema: Schema, value: unknown, outer: Place): unknown {
  if (!isRecord(value)) return complain(outer, `is ${show(value)}, needs keys and values`);
  // What is switched off was not meant to have an effect: nothing to tell.
  const at = value['enable'] === false ? { ...outer, unused: false } : outer;
  const checked: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(value)) {
    const name = nameOf(key, schema, at);
    if (name === undefined) continue;
    const result = checkValue(schema.properties![name]!, inner, below(at, name));
    if (result !== undefined) checked[name] = result;
  }
  return checked;
}

/** KubeEdge reads keys without regard to capitals, so files with other capitals are in use. */
function nameOf(key: string, schema: Schema, at: Place): string | undefined {
  const names = Object.keys(schema.properties!);
  if (names.includes(key)) return key;
  const alike = names.filter((name) => name.toLowerCase() === key.toLowerCase());
  if (alike.length === 1) {
    at.found.respelled.push([...at.path, alike[0]!].join('.'));
    return alike[0];
  }
  const meant = nearestKey(key, names, at.root);
  return complain(below(at, key), `is not a known key${meant === undefined ? '' : `; did you mean "${meant}"?`}`);
}

function checkMap(schema: Schema, value: unknown, at: Place): unknown {
  if (!isRecord(value)) return complain(at, `is ${show(value)}, needs keys and values`);
  const values = schema.additionalProperties as Schema;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, checkValue(values, inner, { ...below(at, key), unused: false })]),
  );
}

function checkText(schema: Schema, value: unknown, at: Place): unknown {
  if (typeof value !== 'string') return complain(at, `is ${show(value)}, needs a text`);
  if (schema.enum && !schema.enum.includes(value))
    return complain(at, `is ${show(value)}, needs ${oneOf(schema.enum)}`);
  const form = schema.format && forms[schema.format];
  return form && !form.is(value) ? complain(at, `is ${show(value)}, needs ${form.needs}`) : value;
}

function checkNumber(schema: Schema, value: unknown, at: Place): unknown {
  const { minimum = -Infinity, maximum = Infinity } = schema;
  const whole = schema.type === 'integer';
  if (typeof value !== 'number' || !(whole ? Number.isSafeInteger(value) : Number.isFinite(value))) {
    return complain(at, `is ${show(value)}, needs a ${whole ? 'whole ' : ''}number`);
  }
  if (schema.enum && !schema.enum.includes(value)) return complain(at, `is ${value}, needs ${oneOf(schema.enum)}`);
  if (value < minimum) return complain(at, `is ${value}, needs to be at least ${minimum}`);
  if (value > maximum) return complain(at, `is ${value}, needs to be at most ${maximum}`);
  return value;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const oneOf = (choices: readonly unknown[]): string => `one of ${choices.map(show).join(', ')}`;

function show(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (isRecord(value)) return 'a group of keys';
  const json = JSON.stringify(value) ?? String(value);
  return json.length > 60 ? `${json.slice(0, 60)}...` : json;
}

/** Whether two plain values say the same, whatever the order of their keys. */
function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, n) => sameValue(item, b[n]));
  if (!isRecord(a) || !isRecord(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => key in b && sameValue(a[key], b[key]));
}
