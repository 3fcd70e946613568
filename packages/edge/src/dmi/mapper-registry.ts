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

/** What is known of a mapper beside its name. */
export interface MapperMemory {
  readonly handed: Handed;
  /** Devices that went offline with their mapper, as `<namespace>/<name>`: the first report brings them back. */
  readonly offline: ReadonlySet<string>;
}

export interface MapperRegistry {
  load(): { readonly mapper: Mapper; readonly memory: MapperMemory }[];
  /** One mapper per protocol: the later one takes over. */
  save(mapper: Mapper, memory: MapperMemory): Promise<void>;
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
        const row = JSON.parse(value) as Mapper & { handed: [string, string][]; offline: string[] };
        const { handed, offline, ...mapper } = row;
        return { mapper, memory: { handed: new Map(handed), offline: new Set(offline) } };
      }),
    async save(mapper, { handed, offline }) {
      const value = JSON.stringify({ ...mapper, handed: [...handed], offline: [...offline] });
      await db.write(() => upsert.run(prefix + mapper.protocol, value));
    },
  };
}
