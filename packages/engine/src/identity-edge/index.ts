// The edge's certificate: asked for with a join token, kept in files, renewed in time.
//
//     const identity = createEdgeIdentity({ clock, log, random, files, keys, openHttpClient: createHttpClient }, config);
//     host.start([identity, edgeHub]);         // identity.current(), identity.listen(reconnect)
export { createEdgeIdentity } from './edge-identity.ts';
export type { EdgeIdentity, EdgeIdentityConfig, EdgeIdentityDeps } from './edge-identity.ts';
export { edgeIdentityErrors } from './edge-identity-errors.ts';
export type { IdentityPaths } from './identity-files.ts';
export { readJoinToken } from './join-token.ts';
export type { JoinToken } from './join-token.ts';
