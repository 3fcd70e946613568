// Both services of DMI, each as typed calls over any transport and as handlers around an implementation.
import type { CallOptions, RpcHandlers, RpcTransport } from '../rpc/index.ts';
import { rpcFailure } from '../rpc/index.ts';
import * as dmi from './dmi.generated.ts';

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}
interface Method<Request, Response> {
  readonly path: string;
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
}
// oxlint-disable-next-line typescript/no-explicit-any -- tables of methods; the types are recovered per entry below
type Methods = Readonly<Record<string, Method<any, any>>>;

const method = <Request, Response>(
  path: string,
  request: Codec<Request>,
  response: Codec<Response>,
): Method<Request, Response> => ({ path, request, response });

const manager = {
  mapperRegister: method(
    '/v1beta1.DeviceManagerService/MapperRegister',
    dmi.MapperRegisterRequest,
    dmi.MapperRegisterResponse,
  ),
  reportDeviceStatus: method(
    '/v1beta1.DeviceManagerService/ReportDeviceStatus',
    dmi.ReportDeviceStatusRequest,
    dmi.ReportDeviceStatusResponse,
  ),
  reportDeviceStates: method(
    '/v1beta1.DeviceManagerService/ReportDeviceStates',
    dmi.ReportDeviceStatesRequest,
    dmi.ReportDeviceStatesResponse,
  ),
} as const;

const mapper = {
  registerDevice: method(
    '/v1beta1.DeviceMapperService/RegisterDevice',
    dmi.RegisterDeviceRequest,
    dmi.RegisterDeviceResponse,
  ),
  updateDevice: method('/v1beta1.DeviceMapperService/UpdateDevice', dmi.UpdateDeviceRequest, dmi.UpdateDeviceResponse),
  removeDevice: method('/v1beta1.DeviceMapperService/RemoveDevice', dmi.RemoveDeviceRequest, dmi.RemoveDeviceResponse),
  createDeviceModel: method(
    '/v1beta1.DeviceMapperService/CreateDeviceModel',
    dmi.CreateDeviceModelRequest,
    dmi.CreateDeviceModelResponse,
  ),
  updateDeviceModel: method(
    '/v1beta1.DeviceMapperService/UpdateDeviceModel',
    dmi.UpdateDeviceModelRequest,
    dmi.UpdateDeviceModelResponse,
  ),
  removeDeviceModel: method(
    '/v1beta1.DeviceMapperService/RemoveDeviceModel',
    dmi.RemoveDeviceModelRequest,
    dmi.RemoveDeviceModelResponse,
  ),
  /** For mappers to answer; KubeEdge's framework crashes when it is asked, so edgecore never does. */
  getDevice: method('/v1beta1.DeviceMapperService/GetDevice', dmi.GetDeviceRequest, dmi.GetDeviceResponse),
} as const;

type Client<T extends Methods> = {
  readonly [K in keyof T]: T[K] extends Method<infer Request, infer Response>
    ? (request: Request, options?: CallOptions) => Promise<Response>
    : never;
};
type Service<T extends Methods> = {
  readonly [K in keyof T]: T[K] extends Method<infer Request, infer Response>
    ? (request: Request, signal: AbortSignal) => Promise<Response>
    : never;
};

/** What edgecore answers. Failures are errors of `rpcErrors`. */
export type DeviceManager = Client<typeof manager>;
/** What a mapper answers. */
export type DeviceMapper = Client<typeof mapper>;
export type DeviceManagerService = Service<typeof manager>;
export type DeviceMapperService = Service<typeof mapper>;

export const createDeviceManager = (rpc: RpcTransport): DeviceManager => createClient(manager, rpc);
export const createDeviceMapper = (rpc: RpcTransport): DeviceMapper => createClient(mapper, rpc);
export const serveDeviceManager = (service: DeviceManagerService): RpcHandlers => serve(manager, service);
export const serveDeviceMapper = (service: DeviceMapperService): RpcHandlers => serve(mapper, service);

function createClient<T extends Methods>(methods: T, rpc: RpcTransport): Client<T> {
  const calls = Object.entries(methods).map(([name, { path, request, response }]) => [
    name,
    async (message: unknown, options?: CallOptions) =>
      response.decode(await rpc.call(path, request.encode(message).finish(), options)) as unknown,
  ]);
  return Object.fromEntries(calls) as Client<T>;
}

function serve<T extends Methods>(methods: T, service: Service<T>): RpcHandlers {
  return Object.fromEntries(
    Object.entries(methods).map(([name, { path, request, response }]) => [
      path,
      async (bytes: Uint8Array, { signal }: { readonly signal: AbortSignal }) => {
        const answer = service[name as keyof T] as (message: unknown, signal: AbortSignal) => Promise<unknown>;
        return response.encode(await answer(decode(request, bytes), signal)).finish();
      },
    ]),
  );
}

function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  try {
    return codec.decode(bytes);
  } catch (error) {
    throw rpcFailure('INVALID_ARGUMENT', `not a message of this method: ${(error as Error).message}`);
  }
}
