// What the cloud still has to learn, on disk until it has confirmed it. Of each kind only the newest entry per object
// counts, so an edge that is offline for a month holds one row per pod, one for its node, and some events.
import type { Log } from '@kedge/core/log';
import type { Database } from '@kedge/core/ports';
import type { KubeObject, Status, Uid } from '@kedge/model/k8s';
import type { PodStatus } from '@kedge/model/k8s-types';
import type { ObjectRef, Outcome, QuestionBody } from '@kedge/model/messages';
import { isUnreachable } from './asks.ts';
import type { DesiredObjects } from './desired-objects.ts';
import { podStatusPatch } from './pod-status-patch.ts';

type Entry =
  | { readonly kind: 'pod.status'; readonly ref: ObjectRef; readonly uid: string; readonly status: PodStatus }
  | { readonly kind: 'pod.delete'; readonly ref: ObjectRef; readonly uid: string }
  | {
      readonly kind: 'event';
      readonly ref: ObjectRef;
      readonly event: KubeObject;
      readonly change: 'insert' | 'update';
    };

/** What the producers see: a promise resolves when the report is on disk, not when it is delivered. */
export interface Outbox {
  podStatus(report: { readonly ref: ObjectRef; readonly uid: string; readonly status: PodStatus }): Promise<void>;
  /** The containers are gone, the cloud may remove the pod. */
  podDelete(pod: { readonly ref: ObjectRef; readonly uid: string }): Promise<void>;
  /**
   * `patch` replaces an unsent earlier one, so it has to be complete: relative to what the cloud has confirmed. Not kept
   * over a restart, after which it would be out of date anyway.
   */
  nodeStatus(report: { readonly ref: ObjectRef; readonly patch: string }): void;
  /** Kept up to a bound, the oldest are dropped first; the cloud does not confirm events. */
  event(report: { readonly ref: ObjectRef; readonly event: KubeObject; readonly change: 'insert' | 'update' }): void;
}

/** One entry on its way. Entries of one key go one after the other. */
export interface OutboxItem {
  readonly key: string;
  /** `tell`: the cloud never answers. */
  readonly send:
    | { readonly as: 'question'; readonly body: QuestionBody }
    | {
        readonly as: 'tell';
        readonly ref: ObjectRef;
        readonly event: KubeObject;
        readonly change: 'insert' | 'update';
      };
  /** Which entry it was, so that a newer one of the same object stays. */
  readonly seq: number;
  /** Of a pod, as reported. */
  readonly status?: PodStatus;
}

/** What the one who runs the link sees. */
export interface OutboxSource {
  /** The oldest entry whose key is not `busy`; it stays until it is settled. */
  take(isBusy: (key: string) => boolean): OutboxItem | undefined;
  /** `later`: the entry is still there and worth another try after a while. */
  settle(item: OutboxItem, outcome: Outcome<unknown>): Promise<'done' | 'later'>;
  /** Told when there is something new. */
  listen(listener: () => void): () => void;
}

export interface OutboxDeps {
  readonly db: Database;
  readonly log: Log;
  readonly objects: Pick<DesiredObjects, 'put' | 'pods' | 'noteStatus'>;
}

const maxEvents = 256;

interface Row {
  readonly kind: Entry['kind'];
  readonly subject: string;
  readonly seq: number;
  readonly body: string;
}

export function createOutbox({ db, log, objects }: OutboxDeps): Outbox & OutboxSource {
  const inOrder = db.statement<Row>('SELECT kind, subject, seq, body FROM outbox ORDER BY seq');
  const put = db.statement('INSERT OR REPLACE INTO outbox (kind, subject, seq, body) VALUES (?, ?, ?, ?)');
  const removeOne = db.statement('DELETE FROM outbox WHERE seq = ?');
  const newest = db.statement<{ seq: number | null }>('SELECT max(seq) AS seq FROM outbox');
  const eventSeqs = db.statement<{ seq: number }>("SELECT seq FROM outbox WHERE kind = 'event' ORDER BY seq DESC");
  const listeners = new Set<() => void>();
  const nodeReports = new Map<string, OutboxItem>();
  let seq = newest.get()?.seq ?? 0;
  const announce = (): void => {
    for (const listener of listeners) listener();
  };

  async function add(subject: string, entry: Entry): Promise<void> {
    await db.write(() => {
      put.run(entry.kind, subject, ++seq, JSON.stringify(entry));
      if (entry.kind === 'event') for (const old of eventSeqs.all().slice(maxEvents)) removeOne.run(old.seq);
    });
    announce();
  }

  async function remove(item: OutboxItem): Promise<void> {
    if (nodeReports.get(item.key)?.seq === item.seq) nodeReports.delete(item.key);
    else await db.write(() => removeOne.run(item.seq));
  }

  /** Undefined when there is nothing left to say. */
  function toSend(entry: Entry): OutboxItem['send'] | undefined {
    const { ref } = entry;
    if (entry.kind === 'event') return { as: 'tell', ref, event: entry.event, change: entry.change };
    if (entry.kind === 'pod.delete') {
      return { as: 'question', body: { kind: entry.kind, ref, uid: entry.uid as Uid, gracePeriodSeconds: 0 } };
    }
    const patch = podStatusPatch(entry.uid, objects.pods.get(entry.uid)?.status, entry.status);
    return patch === undefined ? undefined : { as: 'question', body: { kind: entry.kind, ref, patch } };
  }

  return {
    podStatus: ({ ref, uid, status }) => add(uid, { kind: 'pod.status', ref, uid, status }),
    podDelete: ({ ref, uid }) => add(uid, { kind: 'pod.delete', ref, uid }),
    nodeStatus({ ref, patch }) {
      const key = `node/${ref.name}`;
      nodeReports.set(key, { key, seq: ++seq, send: { as: 'question', body: { kind: 'node.status', ref, patch } } });
      announce();
    },
    event({ ref, event, change }) {
      void add(`${ref.namespace}/${ref.name}`, { kind: 'event', ref, event, change }).catch((error: unknown) =>
        log.warn('event not kept', { namespace: ref.namespace, name: ref.name, err: error }),
      );
    },
    take(isBusy) {
      for (const item of nodeReports.values()) if (!isBusy(item.key)) return item;
      for (const row of inOrder.iterate()) {
        if (isBusy(keyOf(row))) continue;
        const entry = JSON.parse(row.body) as Entry;
        const send = toSend(entry);
        const status = entry.kind === 'pod.status' ? { status: entry.status } : {};
        if (send) return { key: keyOf(row), seq: row.seq, send, ...status };
        // Should this fail, the entry is found idle again next time.
        void db.write(() => removeOne.run(row.seq)).catch(() => undefined);
      }
      return undefined;
    },
    async settle(item, outcome) {
      if (!outcome.ok && isWorthRetrying(outcome.status)) return 'later';
      if (!outcome.ok) log.warn('the cloud did not take a report', { key: item.key, reason: outcome.status.message });
      await keepAnswer(item, outcome);
      await remove(item);
      return 'done';
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };

  /**
   * An upstream cloud answers a status with the whole object as it is now, which is as good as a push. Our own answers
   * with its identity. That says nothing about the spec, so the stored version stays: a push under way must not look old.
   */
  async function keepAnswer({ send, status }: OutboxItem, outcome: Outcome<unknown>): Promise<void> {
    const object = outcome.ok ? (outcome.value as KubeObject | undefined) : undefined;
    const { uid } = object?.metadata ?? {};
    if (!object || !uid || send.as !== 'question' || !('ref' in send.body)) return;
    // A deleted pod must not come back by a late answer: only what is still here is brought up to date.
    if (status && !objects.pods.get(uid)) return;
    if (object['status'] !== undefined) await objects.put(send.body.ref, object);
    else if (status) await objects.noteStatus(send.body.ref, uid, status);
  }
}

/** Status and deletion of one pod share a key, so that they arrive in the order they were made. */
const keyOf = ({ kind, subject }: Row): string => `${kind.split('.')[0]}/${subject}`;

/** Gone, replaced by another incarnation, or refused for good: saying it again would change nothing. */
const hopeless = new Set(['NotFound', 'Conflict', 'Invalid', 'BadRequest', 'Gone', 'MethodNotAllowed']);

const isWorthRetrying = (status: Status): boolean => isUnreachable(status) || !hopeless.has(status.reason ?? '');
