// Which mappers have registered and what each has been handed, on disk: a restarted edgecore goes on with running mappers
// and tells them only what has changed meanwhile.
import type { Database } from '@kedge/core/ports';

export interface Mapper {
  readonly name: string;
  readonly version: string;
  readonly protocol: string;
  /** Path of its socket. */
  readonly address: string;
}

/** Digests of what the mapper has, by `device/<namespace>/<name>` or `model/...`. */
export type Handed = ReadonlyMap<string, string>;

export interface MapperRegistry {
  load(): { readonly mapper: Mapper; readonly handed: Handed }[];
  /** One mapper per protocol: the later one takes over. */
  save(mapper: Mapper, handed: Handed): Promise<void>;
}

const prefix = 'dmi/mapper/';

export function createMapperRegistry(db: Database): MapperRegistry {
  const select = db.statement<{ name: string; value: string }>(
    `SELECT name, value FROM fact WHERE name >= '${prefix}' AND name < 'dmi/mapper0'`,
  );
  const upsert = db.statement('INSERT OR REPLACE INTO fact VALUES (?, ?)');
  return {
    load: () =>
      select.all().map(({ value }) => {
        const { handed, ...mapper } = JSON.parse(value) as Mapper & { handed: [string, string][] };
        return { mapper, handed: new Map(handed) };
      }),
    async save(mapper, handed) {
      const value = JSON.stringify({ ...mapper, handed: [...handed] });
      await db.write(() => upsert.run(prefix + mapper.protocol, value));
    },
  };
}
