// The edge's memory on SQLite: desired objects, cached tokens, and the outbox of what the cloud still has to learn.
//
//     const meta = createMetaManager({ db, clock, log, random, node });
//     meta.pods.listen({ onPut: (pod) => queue(pod.metadata.uid), onDelete: (pod) => queue(pod.metadata.uid) });
//     await meta.outbox.podStatus({ ref, uid, status });          // on disk; it leaves when the link is up
//     const secret = await meta.objects.get('secret', 'default', 'db-password', signal);
export { isUnreachable } from './asks.ts';
export type { Asks } from './asks.ts';
export { edgeMigrations } from './edge-schema.ts';
export { createMetaManager } from './meta-manager.ts';
export type { Completeness, MetaManager, MetaManagerDeps } from './meta-manager.ts';
export type { FetchedType, Objects } from './objects.ts';
export type { Outbox, OutboxItem, OutboxSource } from './outbox.ts';
export type { Services } from './services.ts';
export type { IssuedToken, TokenRequest, Tokens } from './tokens.ts';
