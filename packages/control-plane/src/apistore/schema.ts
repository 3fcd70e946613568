// The tables of the object store: what is, and what was undone by it.
// `history.before` is the state that a write replaced, so any recent revision can be read back by undoing what came after it.
import type { Migration } from '@kedge/core/ports';

export const apiStoreMigrations: readonly Migration[] = [
  {
    name: '001-objects-and-history',
    sql: `
      create table objects (
        id integer primary key,
        resource text not null,
        namespace text not null,
        name text not null,
        revision integer not null,
        body text not null
      ) strict;
      create unique index objects_by_key on objects (resource, namespace, name);
      create table history (
        revision integer primary key,
        at integer not null,
        resource text not null,
        namespace text not null,
        name text not null,
        before_revision integer not null,
        before text
      ) strict;
      create index history_by_key on history (resource, namespace, name, revision);
      create table compaction (only_row integer primary key check (only_row = 1), revision integer not null) strict;
      insert into compaction values (1, 0);
    `,
  },
  {
    name: '002-versions-to-renew',
    // Set by a restore: objects get versions above this one when the server starts.
    sql: 'alter table compaction add column renew_from integer;',
  },
];
