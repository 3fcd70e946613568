// The newest events in memory, so that watchers which keep up never touch the disk. Bounded in bytes over all
// collections; for each collection it knows the newest event it had to let go.
import type { StoreEvent } from './stored.ts';

const sizeOf = (event: StoreEvent): number => 200 + (event.before?.length ?? 0) + (event.after?.length ?? 0);

export class RecentEvents {
  readonly #limitBytes: number;
  readonly #byResource = new Map<string, StoreEvent[]>();
  readonly #evicted = new Map<string, number>();
  #order: StoreEvent[] = [];
  #head = 0;
  #bytes = 0;
  /** Events up to here happened before this process started. */
  readonly #startedAt: number;

  constructor(limitBytes: number, startedAt: number) {
    this.#limitBytes = limitBytes;
    this.#startedAt = startedAt;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(event: StoreEvent): void {
    const events = this.#byResource.get(event.resource);
    if (events) events.push(event);
    else this.#byResource.set(event.resource, [event]);
    this.#order.push(event);
    this.#bytes += sizeOf(event);
    while (this.#bytes > this.#limitBytes && this.#head < this.#order.length) this.#evictOldest();
  }

  /** Up to `limit` events of a collection after `revision`, oldest first; undefined when some of them are gone. */
  since(resource: string, revision: number, limit: number): readonly StoreEvent[] | undefined {
    if (revision < (this.#evicted.get(resource) ?? this.#startedAt)) return undefined;
    const events = this.#byResource.get(resource);
    if (!events) return [];
    let from = events.length;
    while (from > 0 && events[from - 1]!.revision > revision) from--;
    return events.slice(from, from + limit);
  }

  #evictOldest(): void {
    const oldest = this.#order[this.#head]!;
    this.#bytes -= sizeOf(oldest);
    this.#evicted.set(oldest.resource, oldest.revision);
    const events = this.#byResource.get(oldest.resource)!;
    events.shift();
    if (events.length === 0) this.#byResource.delete(oldest.resource);
    this.#head++;
    if (this.#head > 1_024 && this.#head * 2 > this.#order.length) {
      this.#order = this.#order.slice(this.#head);
      this.#head = 0;
    }
  }
}
