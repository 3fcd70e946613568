// The reliable link that both hubs are built on.
//
//     const lane = createAckedLane({ clock, log, source: outbox, send, window: 1 });
//     scope.spawn('push lane', (signal) => lane.run(signal));      // outbox.put(...); lane.wake();
export { countTraffic } from './count-traffic.ts';
export { createAckedLane, laneTiming } from './acked-lane.ts';
export type { AckedLane, AckedLaneOptions, LaneItem, LaneSource, LaneTiming } from './acked-lane.ts';
export { nextLinkState, redialPace } from './link-state.ts';
export type { LinkEvent, LinkState } from './link-state.ts';
export { createLinkStatus } from './link-status.ts';
export type { LinkStatus } from './link-status.ts';
