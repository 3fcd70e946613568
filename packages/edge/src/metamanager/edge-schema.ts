// The tables of the edge database. Steps run once, in order; a step that has shipped is never edited.
import type { Migration } from '@kedge/core/ports';

export const edgeMigrations: readonly Migration[] = [
  {
    name: '1 objects, tokens, outbox, facts',
    sql: `
      CREATE TABLE object (
        type TEXT NOT NULL,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        uid TEXT NOT NULL,
        version TEXT NOT NULL,
        created TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (type, namespace, name)
      ) WITHOUT ROWID;
      CREATE TABLE token (
        key TEXT NOT NULL PRIMARY KEY,
        pod_uid TEXT NOT NULL,
        token TEXT NOT NULL,
        issued INTEGER NOT NULL,
        expires INTEGER NOT NULL
      ) WITHOUT ROWID;
      CREATE TABLE outbox (
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        seq INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (kind, subject)
      ) WITHOUT ROWID;
      CREATE INDEX outbox_by_age ON outbox (seq);
      CREATE TABLE fact (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
      INSERT INTO fact VALUES ('store', 'empty');`,
  },
];
