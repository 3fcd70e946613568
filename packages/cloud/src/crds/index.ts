// The resource definitions that cloudcore brings along.
//
//     host.start([createCrdInstaller({ clock, log, kube }), ...]);       // before anything that lists them
export { crdErrors, createCrdInstaller } from './install-crds.ts';
export type { CrdInstallerDeps } from './install-crds.ts';
export { reliableSyncDefinitions } from './reliablesyncs.ts';
