// Which mappers have registered and what each has been handed, on disk: a restarted edgecore goes on with running mappers
// and tells them only what has changed meanwhile.
import type { Database } from '@kedge/core/ports';
import type { DmiVersion } from './mapper-calls.ts';

export interface Mapper {
  readonly name: string;
  readonly version: string;
  readonly protocol: string;
  /** Path of its socket. */
  readonly address: string;
  readonly api: DmiVersion;
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
        // Before there was a second version, the first one was not written down.
        const row = JSON.parse(value) as Omit<Mapper, 'api'> & {
          api?: DmiVersion;
          handed: [string, string][];
          offline: string[];
        };
        const { handed, offline, api = 'v1beta1', ...mapper } = row;
        return { mapper: { ...mapper, api }, memory: { handed: new Map(handed), offline: new Set(offline) } };
      }),
    async save(mapper, { handed, offline }) {
      const value = JSON.stringify({ ...mapper, handed: [...handed], offline: [...offline] });
      await db.write(() => upsert.run(prefix + mapper.protocol, value));
    },
  };
}
