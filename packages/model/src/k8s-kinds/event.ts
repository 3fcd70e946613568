// Events, of core/v1 and events.k8s.io/v1. They are two views of the same objects, and the older one is lenient.
import { checkQualifiedName, invalidField, requiredField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import type { Event, EventsV1Event } from '../k8s-types/index.ts';
import { checkImmutable } from './checks.ts';
import { createRules } from './kind-rules.ts';

const mismatch = 'does not match event.namespace';

/** An event lives with the object it is about; those about cluster-scoped objects live in `default`. */
function checkPlace(namespace: string | undefined, about: string | undefined): FieldError[] {
  const isAtHome = about ? namespace === about : namespace === 'default' || namespace === 'kube-system' || !namespace;
  return isAtHome ? [] : [invalidField('involvedObject.namespace', about ?? '', mismatch)];
}

export const eventRules = createRules<Event>({
  validate: ({ metadata, involvedObject }) => checkPlace(metadata.namespace, involvedObject?.namespace),
});

const maxNote = 1_024;

export const eventsV1Rules = createRules<EventsV1Event>({
  validate: (event) => [
    ...checkPlace(event.metadata.namespace, event.regarding?.namespace),
    ...(event.eventTime ? [] : [requiredField('eventTime')]),
    ...(event.reportingController ? [] : [requiredField('reportingController')]),
    ...checkQualifiedName(event.reportingController ?? '').map((sentence) =>
      invalidField('reportingController', event.reportingController ?? '', sentence),
    ),
    ...(['reportingInstance', 'action', 'reason'] as const).flatMap((field) => checkWord(event[field], field)),
    ...checkSeries(event.series),
    ...((event.note?.length ?? 0) > maxNote
      ? [invalidField('message', '', `can have at most ${maxNote} characters`)]
      : []),
    ...(event.type === 'Normal' || event.type === 'Warning'
      ? []
      : [invalidField('type', '', `has invalid value: ${event.type ?? ''}`)]),
  ],
  validateUpdate: (event, old) =>
    (Object.keys(fixed) as (keyof typeof fixed)[]).flatMap((field) =>
      checkImmutable(event[field], old[field], fixed[field]),
    ),
});

/** What of an event may not change, and what errors call it. */
const fixed = {
  regarding: 'involvedObject',
  reason: 'reason',
  note: 'message',
  type: 'type',
  eventTime: 'eventTime',
  action: 'action',
  related: 'related',
  reportingController: 'reportingController',
  reportingInstance: 'reportingInstance',
} as const;

const maxWord = 128;

function checkWord(word: string | undefined, path: string): FieldError[] {
  if (!word) return [requiredField(path)];
  return word.length > maxWord ? [invalidField(path, '', `can have at most ${maxWord} characters`)] : [];
}

function checkSeries(series: EventsV1Event['series']): FieldError[] {
  return series
    ? [
        ...((series.count ?? 0) < 2 ? [invalidField('series.count', '', 'should be at least 2')] : []),
        ...(series.lastObservedTime ? [] : [requiredField('series.lastObservedTime')]),
      ]
    : [];
}
