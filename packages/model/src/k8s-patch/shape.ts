// What merging needs to know about a value. The schema folder makes shapes from schemas; tests write them by hand.

export interface Shape {
  /** Undefined where the schema does not say, as inside fields that keep unknown content. */
  readonly type: 'array' | 'map' | 'object' | 'scalar' | undefined;
  /** The shape of a named field of an object, or of any value of a map. */
  readonly field: (name: string) => Shape | undefined;
  readonly items: Shape | undefined;
  /** Strategic merge: `merge`, `replace`, `retainKeys`; several at once are possible. */
  readonly strategies: readonly string[];
  readonly mergeKey: string | undefined;
  /** Server-side apply: how list elements are told apart. */
  readonly list: 'atomic' | 'map' | 'set';
  readonly mapKeys: readonly string[];
  /** Server-side apply: an object or map that has one owner as a whole. */
  readonly atomic: boolean;
  readonly defaultValue: unknown;
}
