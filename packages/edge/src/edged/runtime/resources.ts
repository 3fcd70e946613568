// CPU and memory of a container as the kernel is told, and the cgroup a pod lives in.
import { quantity, quantityMillis, quantityUnits } from '@kedge/model/k8s-quantity';
import type { Container, Pod, ResourceRequirements } from '@kedge/model/k8s-types';
import type { LinuxContainerResources } from '@kedge/wire/cri';
import { type QosClass, qosClassOf, uidOf } from '../pod/pod-spec.ts';

/** Microseconds. */
const cpuPeriod = 100_000;
const minShares = 2;
const maxShares = 262_144;
const minQuota = 1_000;

const milliCpu = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(quantityMillis(quantity(text)));
const bytesOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(quantityUnits(quantity(text)));

export function linuxResources(
  container: Container,
  { pod, memoryCapacity }: { pod: Pod; memoryCapacity: number },
): LinuxContainerResources {
  const { limits, requests } = container.resources ?? {};
  const cpuLimit = milliCpu(limits?.['cpu']);
  const cpuRequest = milliCpu(requests?.['cpu']) ?? cpuLimit ?? 0;
  const memoryLimit = bytesOf(limits?.['memory']);
  return {
    cpuPeriod: BigInt(cpuPeriod),
    cpuQuota: BigInt(cpuLimit ? cpuQuota(cpuLimit) : 0),
    cpuShares: BigInt(cpuShares(cpuRequest)),
    memoryLimitInBytes: BigInt(memoryLimit ?? 0),
    oomScoreAdj: BigInt(oomScoreAdjust(qosClassOf(pod), container.resources, memoryCapacity)),
    ...hugePageLimits(limits),
  };
}

/** Microseconds in each period of `cpuPeriod`. */
export const cpuQuota = (millis: number): number => Math.max(minQuota, Math.floor((millis * cpuPeriod) / 1_000));
export const cpuShares = (millis: number): number =>
  Math.min(maxShares, Math.max(minShares, Math.floor((millis * 1_024) / 1_000)));

const hugePages = 'hugepages-';
export const isHugePages = (resource: string): boolean => resource.startsWith(hugePages);

/** `vendor.example/thing`; names without a domain, and of Kubernetes' own, are not for plugins. */
export const isExtendedResource = (name: string): boolean =>
  name.length <= 253 + 1 + 63 &&
  /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?\/[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(name) &&
  !/(^|\.)kubernetes\.io\//.test(name) &&
  !name.startsWith('requests.');

/** The kernel writes sizes as `2MB` and `1GB`. */
function hugePageLimits(
  limits: Readonly<Record<string, string>> = {},
): Pick<LinuxContainerResources, 'hugepageLimits'> {
  const names = Object.keys(limits).filter(isHugePages);
  if (names.length === 0) return {};
  const hugepageLimits = names.map((name) => ({
    pageSize: kernelPageSize(bytesOf(name.slice(hugePages.length)) ?? 0),
    limit: BigInt(bytesOf(limits[name]) ?? 0),
  }));
  return { hugepageLimits };
}

export function kernelPageSize(bytes: number): string {
  const units = ['KB', 'MB', 'GB'];
  let size = bytes / 1_024;
  while (size >= 1_024 && units.length > 1) {
    size /= 1_024;
    units.shift();
  }
  return `${size}${units[0]}`;
}

/** Who goes first when memory runs out: the less a burstable container asked for, the sooner. */
function oomScoreAdjust(qos: QosClass, resources: ResourceRequirements | undefined, capacity: number): number {
  if (qos === 'Guaranteed') return -997;
  if (qos === 'BestEffort') return 1_000;
  const requested = bytesOf(resources?.requests?.['memory']) ?? 0;
  return Math.min(999, Math.max(3, 1_000 - Math.floor((1_000 * requested) / Math.max(1, capacity))));
}

/** `/kubepods/burstable/pod<uid>`, or a systemd slice that nests the same way. */
export const podCgroup = (pod: Pod, settings: CgroupSettings): string =>
  cgroupPath([...levelOf(qosClassOf(pod)), `pod${uidOf(pod)}`], settings);

/** Of all pods of a class; for guaranteed ones it is the root of all. */
export const qosCgroup = (qos: QosClass, settings: CgroupSettings): string => cgroupPath(levelOf(qos), settings);

const levelOf = (qos: QosClass): string[] => (qos === 'Guaranteed' ? [] : [qos.toLowerCase()]);

function cgroupPath(names: readonly string[], { cgroupRoot, cgroupDriver }: CgroupSettings): string {
  if (cgroupDriver === 'cgroupfs') return [cgroupRoot, ...names].join('/');
  const path = [...cgroupRoot.split('/').filter((part) => part !== ''), ...names];
  return `${path.map((name) => name.replaceAll('-', '_')).join('-')}.slice`;
}

export interface CgroupSettings {
  readonly cgroupRoot: string;
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
}
