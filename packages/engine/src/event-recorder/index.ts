// Events about objects, as `kubectl describe` shows them: repeats become a count, floods are cut.
//
//     const events = createEventRecorder({ api, clock, log, component: 'default-scheduler' });
//     events.normal(pod, 'Scheduled', 'Successfully assigned default/web-0 to edge-1');
export { createEventRecorder } from './event-recorder.ts';
export type { EventRecorder, EventRecorderOptions, EventSubject } from './event-recorder.ts';
