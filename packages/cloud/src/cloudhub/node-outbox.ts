// What waits for one node: the newest version of every object, in the order in which the objects came up. It outlives
// the connection. Several incarnations of one name (deleted and made anew) keep their order, so an edge never sees the
// deletion of the old one after the new one.
import { compareVersions, type NodeName, type Uid } from '@kedge/model/k8s';
import { type Downstream, type MessageId, messageId, type ObjectRef } from '@kedge/model/messages';
import { type Delete, type Push, type Put, slotOf, uidOf } from './push.ts';

/** What the outbox asks and tells about deliveries. */
export interface Deliveries {
  /** The newest version the node is known to have; undefined when it was never sent the object. */
  versionOf(node: NodeName, uid: Uid): string | undefined;
  /** Resolves once it is on record that the node may have the object. */
  intend(node: NodeName, push: Push): Promise<void>;
  /** The node has `push`, which is as good as `version`. */
  acknowledged(node: NodeName, push: Push, version: string | undefined): void;
  /** Who has `from` needs no copy of `to`. */
  advance(node: NodeName, uid: Uid, from: string, to: string): void;
}

export interface NodeOutbox {
  /** False when the node has this version already, or a newer one is waiting. */
  put(push: Put): boolean;
  delete(push: Delete): boolean;
  /** The object went from one version to another in a way the node need not hear of. */
  unchanged(ref: ObjectRef, uid: Uid, from: string, to: string): void;
  take(busy: (slot: string) => boolean): OutboxItem | undefined;
  settle(item: OutboxItem): void;
  /** Objects waiting. */
  readonly size: number;
}

export interface OutboxItem {
  readonly key: string;
  readonly id: MessageId;
  message(): Promise<Downstream>;
}

interface Entry extends OutboxItem {
  readonly uid: Uid;
  readonly push: Push;
  /** The version that an acknowledgement stands for. */
  standsFor: string | undefined;
  /** The node may have got this or an earlier version. */
  wasSent: boolean;
}

export interface NodeOutboxDeps {
  readonly node: NodeName;
  readonly deliveries: Deliveries;
  readonly now: () => number;
  readonly uuid: () => string;
  readonly limit: number;
}

/** Taken from a node when no pod there uses it any more, and wanted again by the next one. All else is gone for good. */
const mayComeBack = ({ type }: ObjectRef): boolean => type === 'configmap' || type === 'secret';

export function createNodeOutbox({ node, deliveries, now, uuid, limit }: NodeOutboxDeps): NodeOutbox {
  /** Per name its incarnations, oldest first; nearly always one. */
  const slots = new Map<string, Entry[]>();
  let count = 0;

  function entryOf(push: Push, wasSent = false): Entry {
    const id = messageId(uuid());
    return {
      key: slotOf(push.ref),
      id,
      uid: uidOf(push),
      push,
      standsFor: push.version,
      wasSent,
      async message() {
        await deliveries.intend(node, push);
        return { ...push, id, at: now() };
      },
    };
  }

  function append(push: Push): boolean {
    // Dropped, but not lost: the next comparison of ledger and API finds it again.
    if (count >= limit) return false;
    const slot = slotOf(push.ref);
    const waiting = slots.get(slot);
    if (waiting) waiting.push(entryOf(push));
    else slots.set(slot, [entryOf(push)]);
    count++;
    return true;
  }

  function remove(slot: string, entry: Entry): void {
    const waiting = slots.get(slot);
    const at = waiting?.indexOf(entry) ?? -1;
    if (!waiting || at < 0) return;
    waiting.splice(at, 1);
    count--;
    slots.delete(slot);
    // What is left for this name goes to the end: other names have waited longer.
    if (waiting.length > 0) slots.set(slot, waiting);
  }

  /** By another cloudcore, which served the node meanwhile. */
  const isDelivered = ({ push, uid }: Entry): boolean =>
    push.kind === 'object.put' && compareVersions(deliveries.versionOf(node, uid), push.version) >= 0;

  const newest = (push: Push): Entry | undefined => {
    const last = slots.get(slotOf(push.ref))?.at(-1);
    return last?.uid === uidOf(push) ? last : undefined;
  };

  function replace(old: Entry, push: Push): boolean {
    const waiting = slots.get(old.key)!;
    waiting[waiting.indexOf(old)] = entryOf(push, old.wasSent);
    return true;
  }

  return {
    get size() {
      return count;
    },
    put(push) {
      const waiting = newest(push);
      if (waiting) {
        if (waiting.push.kind === 'object.delete') return mayComeBack(push.ref) && append(push);
        return compareVersions(waiting.push.version, push.version) < 0 && replace(waiting, push);
      }
      if (compareVersions(deliveries.versionOf(node, uidOf(push)), push.version) >= 0) return false;
      return append(push);
    },
    delete(push) {
      const waiting = newest(push);
      if (!waiting) return append(push);
      if (waiting.push.kind === 'object.delete') return false;
      const neverSent = !waiting.wasSent && deliveries.versionOf(node, push.uid) === undefined;
      if (!neverSent) return replace(waiting, push);
      remove(waiting.key, waiting);
      return false;
    },
    unchanged(ref, uid, from, to) {
      const waiting = slots.get(slotOf(ref))?.find((entry) => entry.uid === uid);
      if (!waiting) deliveries.advance(node, uid, from, to);
      else if (waiting.standsFor === from) waiting.standsFor = to;
    },
    take(busy) {
      for (const [slot, [first]] of slots) {
        if (!first || busy(slot)) continue;
        if (isDelivered(first)) {
          remove(slot, first);
          continue;
        }
        first.wasSent = true;
        return first;
      }
      return undefined;
    },
    settle(item) {
      const entry = item as Entry;
      deliveries.acknowledged(node, entry.push, entry.standsFor);
      remove(entry.key, entry);
    },
  };
}
