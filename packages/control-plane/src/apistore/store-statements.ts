// Every SQL statement of the object store, prepared once.
import type { Database } from '@kedge/core/ports';
import type { Stored } from './stored.ts';

interface HistoryRow {
  readonly revision: number;
  readonly namespace: string;
  readonly name: string;
  readonly before: string | null;
}

const columns = 'namespace, name, revision, body';

/**
 * A page at an older revision: objects untouched since, and for the others what the first later write replaced.
 * Both halves come in key order, so SQLite merges them without sorting.
 */
const pageAt = (inRange: string): string => `
  select ${columns} from objects where resource = ?1 and ${inRange} and revision <= ?4
  union all
  select namespace, name, before_revision as revision, before as body from history as h
  where resource = ?1 and ${inRange} and revision > ?4 and before is not null
    and not exists (select 1 from history as earlier where earlier.resource = h.resource and earlier.namespace = h.namespace
      and earlier.name = h.name and earlier.revision > ?4 and earlier.revision < h.revision)
  order by namespace, name limit ?5`;

const everywhere = '(namespace, name) > (?2, ?3)';
const inNamespace = 'namespace = ?2 and name > ?3';

// oxlint-disable-next-line typescript/explicit-function-return-type -- the statements below are the type
export function openStatements(database: Database) {
  return {
    get: database.statement<Stored>(`select ${columns} from objects where resource = ? and namespace = ? and name = ?`),
    insert: database.statement(
      'insert into objects (resource, namespace, name, revision, body) values (?, ?, ?, ?, ?)',
    ),
    update: database.statement(
      'update objects set revision = ?, body = ? where resource = ? and namespace = ? and name = ?',
    ),
    remove: database.statement('delete from objects where resource = ? and namespace = ? and name = ?'),
    remember: database.statement(
      'insert into history (revision, at, resource, namespace, name, before_revision, before) values (?, ?, ?, ?, ?, ?, ?)',
    ),
    pageAll: database.statement<Stored>(
      `select ${columns} from objects where resource = ?1 and ${everywhere} order by namespace, name limit ?4`,
    ),
    pageOne: database.statement<Stored>(
      `select ${columns} from objects where resource = ?1 and ${inNamespace} order by name limit ?4`,
    ),
    pageAllAt: database.statement<Stored>(pageAt(everywhere)),
    pageOneAt: database.statement<Stored>(pageAt(inNamespace)),
    countAll: database.statement<{ count: number }>(
      `select count(*) as count from objects where resource = ?1 and ${everywhere}`,
    ),
    countOne: database.statement<{ count: number }>(
      `select count(*) as count from objects where resource = ?1 and ${inNamespace}`,
    ),
    historySince: database.statement<HistoryRow>(
      'select revision, namespace, name, before from history where resource = ? and revision > ? order by revision limit ?',
    ),
    historyNext: database.statement<{ before: string | null }>(
      `select before from history where resource = ? and namespace = ? and name = ? and revision > ?
       order by revision limit 1`,
    ),
    newestRevision: database.statement<{ revision: number | null }>('select max(revision) as revision from history'),
    oldestSince: database.statement<{ revision: number }>(
      'select revision from history where at >= ? order by revision limit 1',
    ),
    forget: database.statement('delete from history where revision <= ?'),
    compactedRevision: database.statement<{ revision: number }>('select revision from compaction'),
    setCompacted: database.statement('update compaction set revision = ?'),
  };
}
