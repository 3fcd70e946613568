// Events about objects, as `kubectl describe` shows them: repeats become a count, floods are cut.
//
//     const sink = createEventSink({ api, clock, log });
//     const events = sink.from('default-scheduler');
//     events.normal(pod, 'Scheduled', 'Successfully assigned default/web-0 to edge-1');
export { createEventSink } from './event-recorder.ts';
export type { EventRecorder, EventSink, EventSinkOptions, EventSubject } from './event-recorder.ts';
