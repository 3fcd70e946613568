// Gives pods their nodes: filters say where a pod cannot run, scores where it runs best, and the queue brings back pods
// that fit nowhere as soon as something changes that could help them.
//
//     await host.start([informers, events, createScheduler({ api, informers, events, clock, log, random })], signal);
export { createScheduler } from './create-scheduler.ts';
export type { SchedulerOptions } from './create-scheduler.ts';
