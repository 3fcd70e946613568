// Writes events in the background. Recording never waits and never fails: events are news, not state.
import { BoundedQueue, whenAborted } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import { type Clock, type Instant, seconds, toTime } from '@kedge/core/time';
import { collections, type KubeApi } from '@kedge/engine/kube-client';
import { isStatus, type ObjectMeta } from '@kedge/model/k8s';
import type { Event, ObjectReference } from '@kedge/model/k8s-types';
import { EventLedger, type Occurrence } from './event-ledger.ts';

/** An object that events can be about; `fieldPath` names a part of it, such as a container. */
export interface EventSubject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
  readonly fieldPath?: string;
}

export interface EventRecorder {
  normal(about: EventSubject, reason: string, message: string): void;
  warning(about: EventSubject, reason: string, message: string): void;
}

export interface EventSink extends Module {
  /** The recorder of one component, as it is shown in the events' source: `deployment-controller`. */
  from(component: string): EventRecorder;
}

export interface EventSinkOptions {
  readonly api: Pick<KubeApi, 'create' | 'patch'>;
  readonly clock: Clock;
  readonly log: Log;
  /** The node this process speaks for, if any. */
  readonly host?: string;
}

interface Entry extends Occurrence {
  readonly component: string;
  readonly subject: ObjectReference;
  readonly at: Instant;
}

const queueLimit = 1_000;
const messageLimit = 1_024;
const maxTries = 5;

/** The module that sends events, and the recorders that feed it; what is recorded before the start is sent after it. */
export function createEventSink({ api, clock, log, host }: EventSinkOptions): EventSink {
  const queue = new BoundedQueue<Entry>('events', queueLimit);
  const ledger = new EventLedger();
  let named = 0;

  function recorder(component: string): EventRecorder {
    const record = (subject: EventSubject, type: Occurrence['type'], reason: string, message: string): void => {
      if (queue.size >= queueLimit) return log.debug('event dropped, too many are waiting', { component, reason });
      const text = message.length > messageLimit ? `${message.slice(0, messageLimit - 3)}...` : message;
      const reference = referenceTo(subject);
      const about = `${component} ${identityOf(reference)}`;
      queue.push({ component, about, type, reason, message: text, subject: reference, at: clock.now() });
    };
    return {
      normal: (about, reason, message) => record(about, 'Normal', reason, message),
      warning: (about, reason, message) => record(about, 'Warning', reason, message),
    };
  }

  async function send(entry: Entry, signal: AbortSignal): Promise<void> {
    const verdict = ledger.judge(entry, entry.at);
    if (verdict.do === 'drop') return;
    if (verdict.do === 'count') {
      const { name, count } = verdict;
      const target = { namespace: entry.subject.namespace ?? 'default', name };
      const patch = JSON.stringify({ count, lastTimestamp: toTime(entry.at), message: entry.message });
      try {
        await api.patch(collections.events, target, 'merge', patch, { signal });
        return;
      } catch (error) {
        if (!isStatus(error, 'NotFound')) throw error;
        ledger.forget(entry);
      }
    }
    const event = newEvent(entry, uniqueName(entry), host);
    await api.create(collections.events, event.metadata.namespace, event, { signal });
    ledger.written(entry, event.metadata.name!, entry.at);
  }

  /** Names sort by time and never collide: nanoseconds, of which we count the last digits ourselves. */
  function uniqueName({ subject, at }: Entry): string {
    named = (named + 1) % 1_000_000;
    return `${subject.name}.${(BigInt(at) * 1_000_000n + BigInt(named)).toString(16)}`;
  }

  async function sendWithPatience(entry: Entry, signal: AbortSignal): Promise<void> {
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        return await send(entry, signal);
      } catch (error) {
        if (signal.aborted) return;
        // An answer is final; silence may pass.
        if (error instanceof Error && isStatus(error) && !isStatus(error, 'Timeout')) {
          return log.debug('event refused', { component: entry.component, reason: entry.reason, err: error });
        }
        if (attempt >= maxTries)
          return log.debug('event given up', { component: entry.component, reason: entry.reason, err: error });
        await clock.sleep('event to be sent again', seconds(2 * attempt), signal).catch(() => undefined);
      }
    }
  }

  return {
    name: 'events',
    from: recorder,
    async start(scope) {
      scope.spawn('events', async (signal) => {
        void whenAborted(signal).then(() => queue.close());
        for await (const entry of queue) await sendWithPatience(entry, signal);
      });
    },
  };
}

function referenceTo({ apiVersion, kind, metadata, fieldPath }: EventSubject): ObjectReference {
  const { namespace, name, uid, resourceVersion } = metadata;
  const all = { apiVersion, kind, namespace, name, uid, resourceVersion, fieldPath };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** The same for every version of an object. */
const identityOf = ({ kind, namespace = '', name, uid, fieldPath = '' }: ObjectReference): string =>
  [kind, namespace, name, uid, fieldPath].join('/');

function newEvent(entry: Entry, name: string, host: string | undefined): Event {
  const { component, subject, type, reason, message, at } = entry;
  const time = toTime(at);
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace: subject.namespace ?? 'default' },
    involvedObject: subject,
    reason,
    message,
    type,
    count: 1,
    firstTimestamp: time,
    lastTimestamp: time,
    source: host === undefined ? { component } : { component, host },
    reportingComponent: component,
    reportingInstance: host ?? '',
  };
}
