// The container runtime interface as typed calls over any transport. Whatever a runtime of CRI v1 answers is accepted;
// nothing here is special to containerd.
import type { CallOptions, RpcTransport } from '../rpc/index.ts';
import { rpcErrors } from '../rpc/index.ts';
import * as cri from './cri.generated.ts';
import { type ContainerStates, decodeContainerStates, decodeSandboxStates, type SandboxStates } from './states.ts';
import type { Whole } from '../protobuf/index.ts';

type Call<Request, Response> = (request: Request, options?: CallOptions) => Promise<Whole<Response>>;

/** Failures are errors of `rpcErrors`; a missing container or sandbox is REFUSED with NOT_FOUND. */
export interface Cri {
  readonly version: Call<cri.VersionRequest, cri.VersionResponse>;
  readonly status: Call<cri.StatusRequest, cri.StatusResponse>;
  readonly runtimeConfig: Call<cri.RuntimeConfigRequest, cri.RuntimeConfigResponse>;
  readonly updateRuntimeConfig: Call<cri.UpdateRuntimeConfigRequest, cri.UpdateRuntimeConfigResponse>;

  readonly runPodSandbox: Call<cri.RunPodSandboxRequest, cri.RunPodSandboxResponse>;
  readonly stopPodSandbox: Call<cri.StopPodSandboxRequest, cri.StopPodSandboxResponse>;
  readonly removePodSandbox: Call<cri.RemovePodSandboxRequest, cri.RemovePodSandboxResponse>;
  readonly podSandboxStatus: Call<cri.PodSandboxStatusRequest, cri.PodSandboxStatusResponse>;
  readonly listPodSandbox: Call<cri.ListPodSandboxRequest, cri.ListPodSandboxResponse>;

  readonly createContainer: Call<cri.CreateContainerRequest, cri.CreateContainerResponse>;
  readonly startContainer: Call<cri.StartContainerRequest, cri.StartContainerResponse>;
  readonly stopContainer: Call<cri.StopContainerRequest, cri.StopContainerResponse>;
  readonly removeContainer: Call<cri.RemoveContainerRequest, cri.RemoveContainerResponse>;
  readonly listContainers: Call<cri.ListContainersRequest, cri.ListContainersResponse>;
  readonly containerStatus: Call<cri.ContainerStatusRequest, cri.ContainerStatusResponse>;
  readonly updateContainerResources: Call<cri.UpdateContainerResourcesRequest, cri.UpdateContainerResourcesResponse>;
  readonly reopenContainerLog: Call<cri.ReopenContainerLogRequest, cri.ReopenContainerLogResponse>;

  readonly execSync: Call<cri.ExecSyncRequest, cri.ExecSyncResponse>;
  readonly exec: Call<cri.ExecRequest, cri.ExecResponse>;
  readonly attach: Call<cri.AttachRequest, cri.AttachResponse>;
  readonly portForward: Call<cri.PortForwardRequest, cri.PortForwardResponse>;

  readonly containerStats: Call<cri.ContainerStatsRequest, cri.ContainerStatsResponse>;
  readonly listContainerStats: Call<cri.ListContainerStatsRequest, cri.ListContainerStatsResponse>;
  readonly podSandboxStats: Call<cri.PodSandboxStatsRequest, cri.PodSandboxStatsResponse>;
  readonly listPodSandboxStats: Call<cri.ListPodSandboxStatsRequest, cri.ListPodSandboxStatsResponse>;

  readonly listImages: Call<cri.ListImagesRequest, cri.ListImagesResponse>;
  readonly imageStatus: Call<cri.ImageStatusRequest, cri.ImageStatusResponse>;
  readonly pullImage: Call<cri.PullImageRequest, cri.PullImageResponse>;
  readonly removeImage: Call<cri.RemoveImageRequest, cri.RemoveImageResponse>;
  readonly imageFsInfo: Call<cri.ImageFsInfoRequest, cri.ImageFsInfoResponse>;

  /** Ends when the runtime closes the stream; throws REFUSED with UNIMPLEMENTED where the runtime has no events. */
  containerEvents(options?: CallOptions): AsyncIterable<Whole<cri.ContainerEventResponse>>;
  /** Ids and states of all containers and nothing else: cheap enough to ask several times a second. */
  containerStates(options?: CallOptions): Promise<ContainerStates>;
  sandboxStates(options?: CallOptions): Promise<SandboxStates>;
}

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

export function createCri(transport: RpcTransport): Cri {
  const method =
    <Request, Response>(path: string, request: Codec<Request>, response: Codec<Response>): Call<Request, Response> =>
    async (message, options) =>
      read(path, whole(response), await transport.call(path, request.encode(message).finish(), options));
  const runtime = <Request, Response>(name: string, request: Codec<Request>, response: Codec<Response>) =>
    method(`/runtime.v1.RuntimeService/${name}`, request, response);
  const image = <Request, Response>(name: string, request: Codec<Request>, response: Codec<Response>) =>
    method(`/runtime.v1.ImageService/${name}`, request, response);
  const nothing = new Uint8Array(0);

  return {
    version: runtime('Version', cri.VersionRequest, cri.VersionResponse),
    status: runtime('Status', cri.StatusRequest, cri.StatusResponse),
    runtimeConfig: runtime('RuntimeConfig', cri.RuntimeConfigRequest, cri.RuntimeConfigResponse),
    updateRuntimeConfig: runtime(
      'UpdateRuntimeConfig',
      cri.UpdateRuntimeConfigRequest,
      cri.UpdateRuntimeConfigResponse,
    ),

    runPodSandbox: runtime('RunPodSandbox', cri.RunPodSandboxRequest, cri.RunPodSandboxResponse),
    stopPodSandbox: runtime('StopPodSandbox', cri.StopPodSandboxRequest, cri.StopPodSandboxResponse),
    removePodSandbox: runtime('RemovePodSandbox', cri.RemovePodSandboxRequest, cri.RemovePodSandboxResponse),
    podSandboxStatus: runtime('PodSandboxStatus', cri.PodSandboxStatusRequest, cri.PodSandboxStatusResponse),
    listPodSandbox: runtime('ListPodSandbox', cri.ListPodSandboxRequest, cri.ListPodSandboxResponse),

    createContainer: runtime('CreateContainer', cri.CreateContainerRequest, cri.CreateContainerResponse),
    startContainer: runtime('StartContainer', cri.StartContainerRequest, cri.StartContainerResponse),
    stopContainer: runtime('StopContainer', cri.StopContainerRequest, cri.StopContainerResponse),
    removeContainer: runtime('RemoveContainer', cri.RemoveContainerRequest, cri.RemoveContainerResponse),
    listContainers: runtime('ListContainers', cri.ListContainersRequest, cri.ListContainersResponse),
    containerStatus: runtime('ContainerStatus', cri.ContainerStatusRequest, cri.ContainerStatusResponse),
    updateContainerResources: runtime(
      'UpdateContainerResources',
      cri.UpdateContainerResourcesRequest,
      cri.UpdateContainerResourcesResponse,
    ),
    reopenContainerLog: runtime('ReopenContainerLog', cri.ReopenContainerLogRequest, cri.ReopenContainerLogResponse),

    execSync: runtime('ExecSync', cri.ExecSyncRequest, cri.ExecSyncResponse),
    exec: runtime('Exec', cri.ExecRequest, cri.ExecResponse),
    attach: runtime('Attach', cri.AttachRequest, cri.AttachResponse),
    portForward: runtime('PortForward', cri.PortForwardRequest, cri.PortForwardResponse),

    containerStats: runtime('ContainerStats', cri.ContainerStatsRequest, cri.ContainerStatsResponse),
    listContainerStats: runtime('ListContainerStats', cri.ListContainerStatsRequest, cri.ListContainerStatsResponse),
    podSandboxStats: runtime('PodSandboxStats', cri.PodSandboxStatsRequest, cri.PodSandboxStatsResponse),
    listPodSandboxStats: runtime(
      'ListPodSandboxStats',
      cri.ListPodSandboxStatsRequest,
      cri.ListPodSandboxStatsResponse,
    ),

    listImages: image('ListImages', cri.ListImagesRequest, cri.ListImagesResponse),
    imageStatus: image('ImageStatus', cri.ImageStatusRequest, cri.ImageStatusResponse),
    pullImage: image('PullImage', cri.PullImageRequest, cri.PullImageResponse),
    removeImage: image('RemoveImage', cri.RemoveImageRequest, cri.RemoveImageResponse),
    imageFsInfo: image('ImageFsInfo', cri.ImageFsInfoRequest, cri.ImageFsInfoResponse),

    async *containerEvents(options) {
      const path = '/runtime.v1.RuntimeService/GetContainerEvents';
      for await (const bytes of transport.stream(path, nothing, options)) {
        yield read(path, whole(cri.ContainerEventResponse), bytes);
      }
    },
    async containerStates(options) {
      const path = '/runtime.v1.RuntimeService/ListContainers';
      return read(path, decodeContainerStates, await transport.call(path, nothing, options));
    },
    async sandboxStates(options) {
      const path = '/runtime.v1.RuntimeService/ListPodSandbox';
      return read(path, decodeSandboxStates, await transport.call(path, nothing, options));
    },
  };
}

/** A decoder fills in every field, which the generated types do not say. */
const whole =
  <T>(codec: Codec<T>) =>
  (bytes: Uint8Array): Whole<T> =>
    codec.decode(bytes) as Whole<T>;

function read<T>(path: string, decode: (bytes: Uint8Array) => T, bytes: Uint8Array): T {
  try {
    return decode(bytes);
  } catch (cause) {
    throw rpcErrors.MALFORMED({ method: path, reason: 'the answer is not a valid message' }, cause);
  }
}
