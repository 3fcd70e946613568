// Events are news, not state: an hour after the last time one happened, it goes.
import { type Clock, hours, minus, parseTime } from '@kedge/core/time';
import type { Event } from '@kedge/model/k8s-types';
import type { ObjectStore } from './objects/object-store.ts';

const keepFor = hours(1);
const pageRows = 100;

export async function expireEvents(store: ObjectStore, clock: Clock): Promise<void> {
  const oldest = minus(clock.now(), keepFor);
  let after: { namespace: string; name: string } | undefined;
  for (;;) {
    const rows = store.page({ resource: 'events', after, limit: pageRows, revision: store.revision });
    await Promise.all(
      rows
        .filter(({ body }) => lastHappened(JSON.parse(body) as Event) < oldest)
        // Whoever changed it meanwhile keeps it alive: the write is conditional.
        .map(({ namespace, name, revision }) =>
          store.write({ resource: 'events', namespace, name }, revision, undefined),
        ),
    );
    if (rows.length < pageRows) return;
    after = rows.at(-1);
  }
}

const lastHappened = ({ series, lastTimestamp, eventTime, metadata }: Event): number =>
  Math.max(
    ...[series?.lastObservedTime, lastTimestamp, eventTime, metadata?.creationTimestamp].map(
      (time) => parseTime(time) ?? 0,
    ),
  );
