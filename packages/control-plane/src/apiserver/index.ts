// The embedded Kubernetes API server: every kind on one generic path over a versioned store, with admission, RBAC, custom
// resources, tables and discovery as clients know them.
//
//     const server = await createApiServer(
//       { clock, log, random, files, keys, authorities, servers, openHttpClient, store },
//       config,
//     );
//     await host.start([server.module, ...], signal);
//     const api = server.localApi({ name: 'system:kube-scheduler', groups: ['system:masters'] });
export { createApiServer, systemUser } from './api-server.ts';
export type { ApiServer, ApiServerConfig, ApiServerDeps } from './api-server.ts';
export { auditErrors, defaultAuditPolicy, readAuditPolicy } from './audit/audit-policy.ts';
export type { AuditPolicy } from './audit/audit-policy.ts';
export { rangeErrors } from './admission/address-range.ts';
export type { ObjectStore } from './objects/object-store.ts';
export type { Pki } from './pki.ts';
