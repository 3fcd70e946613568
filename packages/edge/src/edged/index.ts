// Runs the pods of this node on any container runtime, as the kubelet does: images, sandboxes, containers, volumes,
// probes, statuses; and reports the node. Wanted pods come from a store on the node, so everything works without the
// cloud. Purely event-driven: the runtime, the store and time put pod uids in a queue, and one reconciler looks at each.
//
//     const edged = createEdged({ clock, log, random, config, cri, files, mounts, cgroups, host, network,
//       pods: meta.pods, store: meta.store, objects: meta.objects, tokens: meta.tokens, outbox, asks, link });
export { createEdged } from './edged.ts';
export type { EdgedDeps } from './edged-deps.ts';
export type { EdgedConfig } from './config.ts';
export { edgedErrors } from './errors.ts';
export type { Asks, DesiredPods, DesiredStore, Link, Objects, Outbox, TokenRequest, Tokens } from './ports.ts';
