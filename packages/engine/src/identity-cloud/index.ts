// The cloud's identity and the certificates it gives to edges.
//
//     const identity = createCloudIdentity({ clock, log, kube, files, keys, authorities }, config);
//     host.start([identity, cloudHub]);        // identity.caPem, identity.serving, identity.joinToken
export { decodeBase64, encodeBase64 } from './base64.ts';
export { createCloudIdentity } from './cloud-identity.ts';
export type { CloudIdentity, CloudIdentityConfig, CloudIdentityDeps, EdgeRequest } from './cloud-identity.ts';
export { identityErrors } from './identity-errors.ts';
export { systemNamespace } from './identity-secrets.ts';
export { checkJoinToken, createJoinToken, expiryOf } from './join-token.ts';
