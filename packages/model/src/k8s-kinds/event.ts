// Events, of core/v1 and events.k8s.io/v1. They are two views of the same objects, and the older one is lenient.
import { invalidField, requiredField } from '../k8s/index.ts';
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
    ...(event.reportingInstance ? [] : [requiredField('reportingInstance')]),
    ...(event.action ? [] : [requiredField('action')]),
    ...(event.reason ? [] : [requiredField('reason')]),
    ...((event.note?.length ?? 0) > maxNote
      ? [invalidField('message', '', `can have at most ${maxNote} characters`)]
      : []),
    ...(event.type === 'Normal' || event.type === 'Warning'
      ? []
      : [invalidField('type', '', `has invalid value: ${event.type ?? ''}`)]),
  ],
  validateUpdate: (event, old) =>
    (
      ['regarding', 'reason', 'action', 'eventTime', 'reportingController', 'reportingInstance', 'type'] as const
    ).flatMap((field) => checkImmutable(event[field], old[field], field)),
});
