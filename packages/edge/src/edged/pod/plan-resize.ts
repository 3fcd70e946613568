// What to do when the resources that a pod wants are others than those it runs with. Pure. Source: "Resize CPU and Memory
// Resources assigned to Containers" in the Kubernetes documentation, version 1.32.
import type { Container, Pod, ResourceRequirements } from '@kedge/model/k8s-types';
import { initContainersOf, isSidecar, specOf } from './pod-spec.ts';

/** By container. */
export type Allocation = ReadonlyMap<string, ResourceRequirements>;

export interface Resize {
  readonly name: string;
  readonly to: ResourceRequirements;
  /** Of what has changed, something may only change with a new start. */
  readonly needsRestart: boolean;
}

/** Init containers run once, with what they were started with. */
const resizable = (pod: Pod): readonly Container[] => [
  ...initContainersOf(pod).filter(isSidecar),
  ...specOf(pod).containers,
];

/** What differs from what the pod runs with; a container that is not in `allocated` has what it wants. */
export function findResizes(pod: Pod, allocated: Allocation): Resize[] {
  return resizable(pod).flatMap(({ name, resources = {}, resizePolicy = [] }) => {
    const has = allocated.get(name);
    if (!has) return [];
    const changed = ['cpu', 'memory'].filter((resource) => essence(has, resource) !== essence(resources, resource));
    if (changed.length === 0) return [];
    const needsRestart = resizePolicy.some(
      ({ resourceName, restartPolicy }) => restartPolicy === 'RestartContainer' && changed.includes(resourceName),
    );
    return [{ name, to: resources, needsRestart }];
  });
}

const essence = ({ limits, requests }: ResourceRequirements, resource: string): string =>
  `${limits?.[resource] ?? ''}/${requests?.[resource] ?? limits?.[resource] ?? ''}`;

/** The pod as it runs: with what it was given, whatever it wants by now. */
export function withAllocation(pod: Pod, allocated: Allocation | undefined): Pod {
  if (!allocated || findResizes(pod, allocated).length === 0) return pod;
  const as = (container: Container): Container => {
    const resources = allocated.get(container.name);
    return resources ? { ...container, resources } : container;
  };
  const spec = specOf(pod);
  return {
    ...pod,
    spec: {
      ...spec,
      containers: spec.containers.map(as),
      ...(spec.initContainers ? { initContainers: spec.initContainers.map(as) } : {}),
    },
  };
}

export const allocationOf = (pod: Pod): Allocation =>
  new Map(resizable(pod).map(({ name, resources = {} }) => [name, resources]));
