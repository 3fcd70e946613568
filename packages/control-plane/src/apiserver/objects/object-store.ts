// What the API server needs of the store behind it; `apistore` satisfies it.

export interface StoreKey {
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
}

export interface StoredObject {
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  readonly body: string;
}

export interface StoreChange {
  readonly revision: number;
  readonly namespace: string;
  readonly name: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

export interface StoreWatcher {
  next(): { readonly events: readonly StoreChange[]; readonly revision: number };
  wait(signal: AbortSignal): Promise<void>;
  close(): void;
}

interface StoreRange {
  readonly resource: string;
  readonly namespace?: string | undefined;
}

interface StorePosition {
  readonly namespace: string;
  readonly name: string;
}

export interface ObjectStore {
  readonly revision: number;
  /** Another number whenever reads of the collection may give something else than before. */
  generation(resource: string): number;
  get(key: StoreKey): StoredObject | undefined;
  page(
    request: StoreRange & {
      readonly after?: StorePosition | undefined;
      readonly limit: number;
      readonly revision: number;
    },
  ): readonly StoredObject[];
  count(range: StoreRange & { readonly after?: StorePosition | undefined }): number;
  write(
    key: StoreKey,
    expected: number,
    body: ((revision: number) => string) | undefined,
  ): Promise<
    | { readonly ok: true; readonly revision: number }
    | { readonly ok: false; readonly current: StoredObject | undefined }
  >;
  watch(range: StoreRange, revision: number): StoreWatcher;
  compact(): Promise<void>;
}
