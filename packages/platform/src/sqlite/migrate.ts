// Brings a schema up to date: the steps that a file has not seen, in order, all or none.
import type { DatabaseSync } from 'node:sqlite';
import { databaseErrors, type Migration } from '@kedge/core/ports';

export function migrate(db: DatabaseSync, path: string, migrations: readonly Migration[]): void {
  db.exec('BEGIN EXCLUSIVE');
  try {
    db.exec('CREATE TABLE IF NOT EXISTS migrations (position INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT');
    const applied = db.prepare('SELECT name FROM migrations ORDER BY position').all() as { name: string }[];
    for (const [position, { name }] of applied.entries()) {
      if (migrations[position]?.name !== name) throw databaseErrors.NEWER_SCHEMA({ path, step: name });
    }
    const note = db.prepare('INSERT INTO migrations (position, name) VALUES (?, ?)');
    for (const [position, { name, sql }] of migrations.entries()) {
      if (position < applied.length) continue;
      db.exec(sql);
      note.run(position, name);
    }
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
