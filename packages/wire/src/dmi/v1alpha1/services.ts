// Both services of DMI v1alpha1.
import type { RpcHandlers, RpcTransport } from '../../rpc/index.ts';
import { type Client, createClient, method, serve, type Service } from '../typed-calls.ts';
import * as dmi from './dmi-v1alpha1.generated.ts';

const manager = {
  mapperRegister: method(
    '/v1alpha1.DeviceManagerService/MapperRegister',
    dmi.MapperRegisterRequest,
    dmi.MapperRegisterResponse,
  ),
  reportDeviceStatus: method(
    '/v1alpha1.DeviceManagerService/ReportDeviceStatus',
    dmi.ReportDeviceStatusRequest,
    dmi.ReportDeviceStatusResponse,
  ),
} as const;

/** KubeEdge's edgecore never called `UpdateDeviceStatus` and `GetDevice`, so mappers were never tried with them. */
const mapper = {
  registerDevice: method(
    '/v1alpha1.DeviceMapperService/RegisterDevice',
    dmi.RegisterDeviceRequest,
    dmi.RegisterDeviceResponse,
  ),
  updateDevice: method('/v1alpha1.DeviceMapperService/UpdateDevice', dmi.UpdateDeviceRequest, dmi.UpdateDeviceResponse),
  removeDevice: method('/v1alpha1.DeviceMapperService/RemoveDevice', dmi.RemoveDeviceRequest, dmi.RemoveDeviceResponse),
  createDeviceModel: method(
    '/v1alpha1.DeviceMapperService/CreateDeviceModel',
    dmi.CreateDeviceModelRequest,
    dmi.CreateDeviceModelResponse,
  ),
  updateDeviceModel: method(
    '/v1alpha1.DeviceMapperService/UpdateDeviceModel',
    dmi.UpdateDeviceModelRequest,
    dmi.UpdateDeviceModelResponse,
  ),
  removeDeviceModel: method(
    '/v1alpha1.DeviceMapperService/RemoveDeviceModel',
    dmi.RemoveDeviceModelRequest,
    dmi.RemoveDeviceModelResponse,
  ),
} as const;

export type OldDeviceManager = Client<typeof manager>;
export type OldDeviceMapper = Client<typeof mapper>;
export type OldDeviceManagerService = Service<typeof manager>;
export type OldDeviceMapperService = Service<typeof mapper>;

export const createOldDeviceManager = (rpc: RpcTransport): OldDeviceManager => createClient(manager, rpc);
export const createOldDeviceMapper = (rpc: RpcTransport): OldDeviceMapper => createClient(mapper, rpc);
export const serveOldDeviceManager = (service: OldDeviceManagerService): RpcHandlers => serve(manager, service);
export const serveOldDeviceMapper = (service: OldDeviceMapperService): RpcHandlers => serve(mapper, service);
