// The Node as this edge registers it, and the status it reports. Pure.
import type { Instant } from '@kedge/core/time';
import type { Node, NodeAddress, NodeCondition, NodeStatus, Taint } from '@kedge/model/k8s-types';
import { formatQuantity, quantityOfUnits } from '@kedge/model/k8s-quantity';
import type { EdgedConfig } from '../config.ts';
import { unitsOf } from '../eviction/thresholds.ts';
import { nodeConditions } from './node-conditions.ts';
import type { NodeFacts } from './node-facts.ts';

/** What pods may have of the machine: what is not reserved, nor has to stay free so that no pod is evicted. */
export function allocatableOf(
  { host, disk, extended }: Pick<NodeFacts, 'host' | 'disk' | 'extended'>,
  { reserved, eviction, maxPods }: Pick<EdgedConfig, 'reserved' | 'eviction' | 'maxPods'>,
): Readonly<Record<string, string>> {
  const hugePages = hugePageAmounts(host.hugePages);
  const keptFree = (signal: string, capacity: number): number =>
    eviction.thresholds
      .filter((threshold) => threshold.signal === signal && threshold.grace === 0)
      .reduce((most, { below }) => Math.max(most, unitsOf(below, capacity)), 0);
  const memory = host.memoryBytes - reserved.memoryBytes - keptFree('memory.available', host.memoryBytes);
  const storage = disk.totalBytes - reserved.diskBytes - keptFree('nodefs.available', disk.totalBytes);
  return {
    cpu: inCpus(host.cpus * 1_000 - reserved.cpuMillis),
    'ephemeral-storage': String(Math.max(0, Math.floor(storage))),
    // Memory that is kept as huge pages is no good for anything else.
    memory: inKibibytes(Math.max(0, memory - hugePages.bytes)),
    pods: String(maxPods),
    ...hugePages.amounts,
    ...Object.fromEntries([...extended].map(([name, { allocatable }]) => [name, String(allocatable)])),
  };
}

const inCpus = (millis: number): string => (millis % 1_000 === 0 ? String(millis / 1_000) : `${Math.max(0, millis)}m`);

/** The labels by which schedulers and KubeEdge's controllers know an edge. */
export function nodeLabels({ host }: NodeFacts, config: EdgedConfig): Record<string, string> {
  return {
    'beta.kubernetes.io/arch': host.architecture,
    'beta.kubernetes.io/os': 'linux',
    'kubernetes.io/arch': host.architecture,
    'kubernetes.io/hostname': config.node,
    'kubernetes.io/os': 'linux',
    'node-role.kubernetes.io/agent': '',
    'node-role.kubernetes.io/edge': '',
    ...config.nodeLabels,
  };
}

export function nodeObject(facts: NodeFacts, config: EdgedConfig, now: Instant): Node {
  const unschedulable: Taint[] = config.registerSchedulable
    ? []
    : [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }];
  const taints = [...config.nodeTaints.map((taint) => ({ ...taint })), ...unschedulable];
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: config.node,
      labels: nodeLabels(facts, config),
      annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' },
    },
    spec: {
      ...(taints.length > 0 ? { taints } : {}),
      ...(config.registerSchedulable ? {} : { unschedulable: true }),
    },
    status: nodeStatus(facts, config, [], now),
  };
}

export function nodeStatus(
  facts: NodeFacts,
  config: EdgedConfig,
  previous: readonly NodeCondition[],
  now: Instant,
): NodeStatus {
  const { host, disk } = facts;
  const pods = String(config.maxPods);
  const memory = host.memoryBytes;
  const address = config.nodeIp ?? host.addresses[0];
  const addresses: NodeAddress[] = [
    ...(address === undefined ? [] : [{ type: 'InternalIP', address }]),
    { type: 'Hostname', address: config.node },
  ];
  const hugePages = hugePageAmounts(host.hugePages);
  return {
    capacity: {
      cpu: String(host.cpus),
      'ephemeral-storage': inKibibytes(disk.totalBytes),
      memory: inKibibytes(memory),
      pods,
      ...hugePages.amounts,
      ...Object.fromEntries([...facts.extended].map(([name, { capacity }]) => [name, String(capacity)])),
    },
    allocatable: allocatableOf(facts, config),
    conditions: nodeConditions(facts, previous, now),
    addresses,
    ...(config.server ? { daemonEndpoints: { kubeletEndpoint: { Port: config.server.port } } } : {}),
    ...(facts.images.length > 0 ? { images: [...facts.images] } : {}),
    nodeInfo: {
      architecture: host.architecture,
      bootID: host.bootId,
      containerRuntimeVersion: facts.runtimeVersion,
      kernelVersion: host.kernelVersion,
      kubeProxyVersion: config.version,
      kubeletVersion: config.version,
      machineID: host.machineId,
      operatingSystem: 'linux',
      osImage: host.osImage,
      systemUUID: host.systemUuid,
    },
  };
}

/** Every size the kernel has, also those of which there are none: pods may count on the name. */
function hugePageAmounts(pages: NodeFacts['host']['hugePages']): { amounts: Record<string, string>; bytes: number } {
  const amounts: Record<string, string> = {};
  let bytes = 0;
  for (const [size, count] of pages) {
    const total = size * count;
    bytes += total;
    amounts[`hugepages-${formatQuantity(quantityOfUnits(size, 'binarySI'))}`] = formatQuantity(
      quantityOfUnits(total, 'binarySI'),
    );
  }
  return { amounts, bytes };
}

const inKibibytes = (bytes: number): string => `${Math.floor(bytes / 1_024)}Ki`;

/** What two statuses have to agree in to count as unchanged: all but the heartbeats. */
export const statusEssence = ({ conditions = [], ...rest }: NodeStatus): string =>
  JSON.stringify({ ...rest, conditions: conditions.map((condition) => ({ ...condition, lastHeartbeatTime: '' })) });

/** A strategic merge patch that leaves the Node with this status, whatever it had. */
export function statusPatch(status: NodeStatus, labels: Record<string, string> | undefined): string {
  const { addresses = [], ...rest } = status;
  return JSON.stringify({
    ...(labels ? { metadata: { labels } } : {}),
    // Addresses would be merged by type, and one that changed its kind would stay.
    status: { ...rest, addresses: [{ $patch: 'replace' }, ...addresses] },
  });
}
