// Configuration schemas as JSON Schema values, written so that TypeScript reads the type of a document off them:
// one source for types, checks, defaults, documents and forms.

declare const documentType: unique symbol;

export type Format = 'duration' | 'ip' | 'host-port' | 'url' | 'path' | 'unix-url' | 'node-name' | 'dns-name';

export interface Schema<T = unknown> {
  readonly type: 'object' | 'string' | 'integer' | 'number' | 'boolean' | 'array';
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: false | Schema;
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly format?: Format;
  /** Known from KubeEdge, accepted, without effect here. */
  readonly 'x-unused'?: true;
  readonly [documentType]?: T;
}

export type DocumentOf<S> = S extends Schema<infer T> ? T : never;

type ObjectOf<P extends Readonly<Record<string, Schema>>> = { readonly [K in keyof P]: DocumentOf<P[K]> };

interface Text {
  readonly description?: string;
  readonly format?: Format;
}
interface Bounds {
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

export const object = <P extends Readonly<Record<string, Schema>>>(
  properties: P,
  more: { readonly description?: string } = {},
): Schema<ObjectOf<P>> => ({ type: 'object', properties, additionalProperties: false, ...more });

/** Keys of the user's choice. */
export const mapOf = <T>(
  values: Schema<T>,
  start: Readonly<Record<string, T>> = {},
  more: Text = {},
): Schema<Readonly<Record<string, T>>> => ({
  type: 'object',
  additionalProperties: values,
  default: start,
  ...more,
});

export const listOf = <T>(items: Schema<T>, start: readonly T[] = [], more: Text = {}): Schema<readonly T[]> => ({
  type: 'array',
  items,
  default: start,
  ...more,
});

export const text = (start: string, more: Text = {}): Schema<string> => ({ type: 'string', default: start, ...more });

export const integer = (start: number, more: Bounds = {}): Schema<number> => ({
  type: 'integer',
  default: start,
  ...more,
});

export const decimal = (start: number, more: Bounds = {}): Schema<number> => ({
  type: 'number',
  default: start,
  ...more,
});

export const flag = (start: boolean, more: { readonly description?: string } = {}): Schema<boolean> => ({
  type: 'boolean',
  default: start,
  ...more,
});

export const choice = <const C extends string | number>(
  start: C,
  choices: readonly C[],
  more: { readonly description?: string } = {},
): Schema<C> => ({
  type: typeof start === 'number' ? 'integer' : 'string',
  enum: choices,
  default: start,
  ...more,
});

/** A key without a default: undefined where nobody gives it. */
export function optional<T>(schema: Schema<T>): Schema<T | undefined> {
  const { default: _, ...rest } = schema;
  return rest as Schema<T | undefined>;
}

/** Marks a key, and everything below it, as known and without effect. */
export const unused = <T>(schema: Schema<T>): Schema<T> => ({ ...schema, 'x-unused': true });

/** The document of nobody having said anything. */
export function defaultsOf<T>(schema: Schema<T>): T {
  if (schema.properties === undefined) return structuredClone(schema.default) as T;
  const values: Record<string, unknown> = {};
  for (const [key, property] of Object.entries(schema.properties)) {
    const value = defaultsOf(property);
    if (value !== undefined) values[key] = value;
  }
  return values as T;
}
