// Schemas as OpenAPI documents publish them, by name.

/** A definition as published, with `$ref` to other definitions by bare name. */
export type Definition = Readonly<Record<string, unknown>>;

export interface Definitions {
  /** Grows with every change. */
  readonly generation: number;
  /** The name of the definition of a kind. */
  nameOf(apiVersion: string, kind: string): string | undefined;
  get(name: string): Definition | undefined;
}
