// After a restore every object gets a version of its own above all that the earlier server gave out. Whoever kept an
// object from before the restore then takes the restored one for the newer, as it is.
import type { Database } from '@kedge/core/ports';
import type { BodyCodec } from './body-codec.ts';

interface Row {
  readonly id: number;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly body: string;
}

/** One transaction: it happens as a whole or again at the next start. */
export function renewVersions(database: Database, bodies: BodyCodec): void {
  const pending = database.statement<{ renew_from: number | null }>('select renew_from from compaction').get();
  if (pending?.renew_from === null || pending?.renew_from === undefined) return;
  let revision = pending.renew_from;
  database.writeNow(() => {
    const update = database.statement('update objects set revision = ?, body = ? where id = ?');
    const rows = database
      .statement<Row>('select id, resource, namespace, name, body from objects order by revision')
      .all();
    for (const row of rows) {
      revision += 1;
      const object = JSON.parse(bodies.fromDisk(row, row.body)) as { metadata: { resourceVersion?: string } };
      object.metadata.resourceVersion = String(revision);
      update.run(revision, bodies.toDisk(row, JSON.stringify(object)), row.id);
    }
    database.statement('update compaction set revision = ?, renew_from = null').run(revision);
  });
}
