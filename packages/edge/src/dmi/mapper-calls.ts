// What a mapper is told, in the version of DMI that it speaks.
import type { DeviceName } from '@kedge/model/messages';
import { createDeviceMapper, type DmiDevice, type DmiModel } from '@kedge/wire/dmi';
import { type CallOptions, rpcErrors, type RpcTransport } from '@kedge/wire/rpc';
import type { Step } from './plan-hand-over.ts';

/** v1alpha1 is what mappers of KubeEdge before v1.15 speak. */
export type DmiVersion = 'v1beta1' | 'v1alpha1';

interface MapperCalls {
  putDevice(device: DmiDevice, model: DmiModel, isKnown: boolean, options: CallOptions): Promise<unknown>;
  putModel(model: DmiModel, isKnown: boolean, options: CallOptions): Promise<unknown>;
  removeDevice(name: DeviceName, options: CallOptions): Promise<unknown>;
  removeModel(name: DeviceName, options: CallOptions): Promise<unknown>;
}

const calls: Readonly<Record<DmiVersion, (rpc: RpcTransport, protocol: string) => Promise<MapperCalls>>> = {
  v1beta1: async (rpc) => {
    const mapper = createDeviceMapper(rpc);
    return {
      putDevice: (device, _, isKnown, options) =>
        isKnown ? mapper.updateDevice({ device }, options) : mapper.registerDevice({ device }, options),
      putModel: (model, isKnown, options) =>
        isKnown ? mapper.updateDeviceModel({ model }, options) : mapper.createDeviceModel({ model }, options),
      removeDevice: ({ namespace, name }, options) =>
        mapper.removeDevice({ deviceName: name, deviceNamespace: namespace }, options),
      removeModel: ({ namespace, name }, options) =>
        mapper.removeDeviceModel({ modelName: name, modelNamespace: namespace }, options),
    };
  },
  v1alpha1: async (rpc, protocol) => {
    const { createOldDeviceMapper, toOldDevice, toOldModel } = await import('@kedge/wire/dmi/v1alpha1');
    const mapper = createOldDeviceMapper(rpc);
    return {
      putDevice(described, its, isKnown, options) {
        const device = toOldDevice(described, its);
        return isKnown ? mapper.updateDevice({ device }, options) : mapper.registerDevice({ device }, options);
      },
      putModel(described, isKnown, options) {
        const model = toOldModel(described, protocol);
        return isKnown ? mapper.updateDeviceModel({ model }, options) : mapper.createDeviceModel({ model }, options);
      },
      removeDevice: ({ name }, options) => mapper.removeDevice({ deviceName: name }, options),
      removeModel: ({ name }, options) => mapper.removeDeviceModel({ modelName: name }, options),
    };
  },
};

/** Carries out steps at one mapper; rejects with an error of `rpcErrors`. */
export async function openMapper(rpc: RpcTransport, mapper: { readonly api: DmiVersion; readonly protocol: string }) {
  const api = await calls[mapper.api](rpc, mapper.protocol);
  return async (step: Step, options: CallOptions): Promise<void> => {
    switch (step.do) {
      case 'put model': {
        const model = step.make();
        return eitherWay(step.known, (isKnown) => api.putModel(model, isKnown, options));
      }
      case 'put device': {
        const { device, model } = step.make();
        return eitherWay(step.known, (isKnown) => api.putDevice(device, model, isKnown, options));
      }
      case 'remove device':
        await api.removeDevice(step.name, options);
        return;
      case 'remove model':
        await api.removeModel(step.name, options);
        return;
    }
  };
}

/** A call that was lost may have done its work, and a mapper may have forgotten: then the other call is the right one. */
async function eitherWay(isKnown: boolean, put: (isKnown: boolean) => Promise<unknown>): Promise<void> {
  try {
    await put(isKnown);
  } catch (error) {
    if (!rpcErrors.REFUSED.is(error)) throw error;
    await put(!isKnown).catch((again: unknown) => {
      throw rpcErrors.REFUSED.is(again) ? error : again;
    });
  }
}
