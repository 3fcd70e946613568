// Both services of DMI, each as typed calls over any transport and as handlers around an implementation.
import type { RpcHandlers, RpcTransport } from '../rpc/index.ts';
import * as dmi from './dmi.generated.ts';
import { type Client, createClient, method, serve, type Service } from './typed-calls.ts';

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
