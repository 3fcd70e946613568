// Talking to a Kubernetes API: the interface controllers use, its implementation over HTTP, and local copies of
// collections fed from it.
//
//     const config = await loadKubeconfig(files, '/etc/kubeedge/kubeconfig');
//     const api = createKubeClient({ http, server: config.server, credentials: { by: 'connection' }, userAgent, clock, random });
//     const pods = createInformer({ ..., source: informerSource(api, { group: '', version: 'v1', resource: 'pods' }) });
export type { Credentials } from './api-calls.ts';
export { collections } from './collections.ts';
export type { Collection } from './collections.ts';
export { discoverResources } from './discovery.ts';
export type { Discovered, DiscoveredResource } from './discovery.ts';
export { createKubeClient } from './http-kube-api.ts';
export type { KubeClientOptions } from './http-kube-api.ts';
export { informerSource, onlyMetadata, withoutManagedFields } from './informer-source.ts';
export type { Trim } from './informer-source.ts';
export { patchMediaTypes } from './kube-api.ts';
export type { CallOptions, DeleteOptions, KubeApi, PatchOptions, PatchType, Selection, Target } from './kube-api.ts';
export { kubeClientErrors } from './kube-client-errors.ts';
export { loadKubeconfig, parseKubeconfig } from './kubeconfig.ts';
export type { Kubeconfig, LoadedKubeconfig, PemSource } from './kubeconfig.ts';
export { collectionPath, objectPath } from './request-paths.ts';
export { createSharedInformers } from './shared-informers.ts';
export type { SharedInformers, SharedInformersOptions } from './shared-informers.ts';
