// The Kubernetes container runtime interface (CRI v1): messages generated from cri.proto, and a client over any
// transport (see `@kedge/wire/rpc`).
//
//     const cri = createCri(transport);
//     const { podSandboxId } = await cri.runPodSandbox({ config });
export { createCri } from './client.ts';
export type { Cri } from './client.ts';
export { decodeContainerStates, decodeSandboxStates } from './states.ts';
export type { ContainerStates, SandboxStates } from './states.ts';
export type { Whole } from '../protobuf/index.ts';
export {
  CgroupDriver,
  ContainerEventType,
  ContainerState,
  MountPropagation,
  NamespaceMode,
  PodSandboxState,
  Protocol,
  SecurityProfile_ProfileType,
  SupplementalGroupsPolicy,
} from './cri.generated.ts';
export type {
  AuthConfig,
  Container,
  ContainerConfig,
  ContainerEventResponse,
  ContainerStats,
  ContainerStatus,
  Device,
  ImageSpec,
  Image,
  KeyValue,
  LinuxContainerResources,
  LinuxContainerSecurityContext,
  Mount,
  NamespaceOption,
  PodSandbox,
  PodSandboxConfig,
  PodSandboxStatus,
  PortMapping,
  SecurityProfile,
} from './cri.generated.ts';
