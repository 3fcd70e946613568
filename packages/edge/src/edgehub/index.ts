// The edge's end of the link to the cloud.
//
//     const link = createLinkStatus();
//     const hub = createEdgeHub({ clock, log, random, metrics, dialer, identity, link, config,
//       handlers: meta.handlers, asks: meta.asks, outbox: meta.outbox });
export { createEdgeHub, edgeHubDefaults } from './edge-hub.ts';
export type { EdgeHub, EdgeHubConfig, EdgeHubDeps } from './edge-hub.ts';
export { edgeHubErrors } from './edge-hub-errors.ts';
export type { Asks, Identity, Outbox, OutboxItem } from './ports.ts';
export { type AnyOutbox, joinOutboxes, toAnyOutbox } from './join-outboxes.ts';
