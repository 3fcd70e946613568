// A private containerd: configuration, start, first images, and an end that leaves nothing behind. Everything follows
// from one directory, so several sites live on one host.
//
//     const site = containerdSite('/var/lib/kedge/containerd');
//     await writeContainerdConfig(site);
//     await startContainerd(site);
//     await importBaseImages(site, [await busyboxImageSpec({ reference: 'docker.io/library/hello:1' })]);
//     ...
//     await stopContainerd(site);      // pods end, the host is as before; images stay for the next start
export { busyboxImage, busyboxImageSpec, pauseImage, pauseImageSpec } from './busybox-images.ts';
export type { BusyboxOptions } from './busybox-images.ts';
export { removeContainerd, stopContainerd } from './clean.ts';
export { clearHost, mountsBelow } from './clear-host.ts';
export type { HostPlace } from './clear-host.ts';
export type { ContainerdOptions, PodNetwork } from './config.ts';
export {
  containerdErrors,
  containerdPid,
  importBaseImages,
  importImages,
  isOverlay,
  startContainerd,
  stopContainerdDaemon,
  writeContainerdConfig,
  writePodNetwork,
} from './daemon.ts';
export { layOutImages, writeImageArchive } from './image.ts';
export type { Descriptor, ImageBlobs, ImageSpec } from './image.ts';
export { listProcesses, readProcess, signal, waitUntil } from './processes.ts';
export type { ProcessFacts } from './processes.ts';
export { containerdSite } from './site.ts';
export type { ContainerdSite } from './site.ts';
export { stopSandboxes } from './stop-sandboxes.ts';
export { encodeTar, tarDirectory, tarText } from './tar.ts';
export type { TarEntry } from './tar.ts';
