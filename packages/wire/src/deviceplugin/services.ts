// Both services of the device plugin API: what a plugin answers, as typed calls and as handlers, and what the node does.
import type { Whole } from '../protobuf/index.ts';
import type { CallOptions, RpcHandlers, RpcTransport } from '../rpc/index.ts';
import { rpcFailure } from '../rpc/index.ts';
import * as api from './deviceplugin.generated.ts';

/** What the node asks of a plugin. Failures are errors of `rpcErrors`. */
export interface DevicePlugin {
  /** The whole list after every change, until the plugin ends. */
  listAndWatch(options?: CallOptions): AsyncIterable<Whole<api.ListAndWatchResponse>>;
  preferredAllocation(
    request: api.PreferredAllocationRequest,
    options?: CallOptions,
  ): Promise<Whole<api.PreferredAllocationResponse>>;
  allocate(request: api.AllocateRequest, options?: CallOptions): Promise<Whole<api.AllocateResponse>>;
  preStartContainer(request: api.PreStartContainerRequest, options?: CallOptions): Promise<void>;
}

const of = (method: string): string => `/v1beta1.DevicePlugin/${method}`;
const registerPath = '/v1beta1.Registration/Register';

/** A decoder fills in every field, which the generated types do not say. */
const whole = <T>(message: T): Whole<T> => message as Whole<T>;

export function createDevicePlugin(rpc: RpcTransport): DevicePlugin {
  return {
    async *listAndWatch(options) {
      for await (const bytes of rpc.stream(of('ListAndWatch'), new Uint8Array(0), options)) {
        yield whole(api.ListAndWatchResponse.decode(bytes));
      }
    },
    async preferredAllocation(request, options) {
      const message = api.PreferredAllocationRequest.encode(request).finish();
      return whole(
        api.PreferredAllocationResponse.decode(await rpc.call(of('GetPreferredAllocation'), message, options)),
      );
    },
    async allocate(request, options) {
      const message = api.AllocateRequest.encode(request).finish();
      return whole(api.AllocateResponse.decode(await rpc.call(of('Allocate'), message, options)));
    },
    async preStartContainer(request, options) {
      await rpc.call(of('PreStartContainer'), api.PreStartContainerRequest.encode(request).finish(), options);
    },
  };
}

/** What the node answers: a plugin says that it is there. */
export const serveRegistration = (
  register: (request: Whole<api.RegisterRequest>, signal: AbortSignal) => Promise<void>,
): RpcHandlers => ({
  [registerPath]: async (bytes, { signal }) => {
    let request: api.RegisterRequest;
    try {
      request = api.RegisterRequest.decode(bytes);
    } catch {
      throw rpcFailure('INVALID_ARGUMENT', 'not a registration');
    }
    await register(whole(request), signal);
    return new Uint8Array(0);
  },
});

/** For plugins, such as those in tests. */
export async function registerDevicePlugin(rpc: RpcTransport, request: api.RegisterRequest): Promise<void> {
  await rpc.call(registerPath, api.RegisterRequest.encode(request).finish());
}
