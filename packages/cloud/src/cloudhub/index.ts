// CloudHub: the cloud's end of every link. Controllers put objects into `outboxes`; the hub delivers them in order and
// until acknowledged, keeps the ledger of what each node has, and hands what edges ask to `handlers`.
//
//     const ledger = createLedger({ clock, log, kube, syncs, clusterSyncs });
//     const outboxes = createOutboxes({ clock, log, random, deliveries: ledger });
//     const hub = createCloudHub({ ..., outboxes, ledger, handlers, belongings, events }, config);
export { admitUpgrade, isNodeName } from './admit.ts';
export type { Admission, UpgradeFacts } from './admit.ts';
export { authorize, mayRead } from './authorize.ts';
export type { Belongings, Verdict } from './authorize.ts';
export { createBootstrapApi } from './bootstrap-api.ts';
export type { BootstrapApi, BootstrapApiDeps } from './bootstrap-api.ts';
export { cloudHubErrors } from './cloud-hub-errors.ts';
export { createCloudHub } from './cloud-hub.ts';
export type { CloudHub, CloudHubConfig, CloudHubDeps, LinkEvents } from './cloud-hub.ts';
export type { Answer, EdgeHandlers } from './handlers.ts';
export { createLedger } from './ledger.ts';
export type { Ledger, LedgerDeps, LedgerEntry } from './ledger.ts';
export type { Authorization, Told } from './session.ts';
export { upstreamCodec } from './link-codec.ts';
export type { LinkCodec, Negotiated } from './link-codec.ts';
export { createNodeOutbox } from './node-outbox.ts';
export type { Deliveries, NodeOutbox, OutboxItem } from './node-outbox.ts';
export { createOutboxes } from './outboxes.ts';
export type { Outboxes } from './outboxes.ts';
export type { Delete, Push, Put } from './push.ts';
