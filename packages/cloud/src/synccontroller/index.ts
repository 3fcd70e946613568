// SyncController: after a cut, a restart or a lost message, makes every node have again what the API has.
//
//     const sync = createSyncController({ ..., records: ledger, sink: outboxes, copies: { Pod: pods, Secret: secrets } });
//     events.connected = (node) => sync.check(node);
export { planSync } from './plan-sync.ts';
export type { Known, SyncStep } from './plan-sync.ts';
export { createSyncController } from './sync-controller.ts';
export type { SyncController, SyncControllerDeps, SyncRecord } from './sync-controller.ts';
