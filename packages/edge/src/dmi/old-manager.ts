// The DMI server for mappers of v1alpha1: the same work behind the messages of KubeEdge before v1.15.
import { deviceId } from '@kedge/model/kubeedge';
import type { DeviceName } from '@kedge/model/messages';
import type { MapperInfo } from '@kedge/wire/dmi';
import { rpcFailure, type RpcHandlers } from '@kedge/wire/rpc';
import type { DmiVersion } from './mapper-calls.ts';
import type { Wanted } from './plan-hand-over.ts';
import type { MapperReport } from './ports.ts';

/** What mappers ask of edgecore. */
export interface DmiManager {
  /** What it is told with the answer; nothing when it did not want to be told, or is told by calls. */
  register(mapper: MapperInfo, api: DmiVersion, withData: boolean): Promise<Wanted>;
  report(device: DeviceName, reports: readonly MapperReport[]): Promise<void>;
  state(device: DeviceName, state: string): Promise<void>;
}

/** Devices have no namespace there: it is the one of the device that the mapper was handed. */
export type FindOldDevice = (name: string) => DeviceName;

/** Handlers that load what they need when they are called first. */
export function serveOldMappers(manager: DmiManager, find: FindOldDevice): RpcHandlers {
  let loaded: Promise<RpcHandlers> | undefined;
  return Object.fromEntries(
    ['MapperRegister', 'ReportDeviceStatus'].map((method) => {
      const path = `/v1alpha1.DeviceManagerService/${method}`;
      return [path, async (bytes, call) => (await (loaded ??= load(manager, find)))[path]!(bytes, call)];
    }),
  );
}

const manyStates = 10_000;

/** What KubeEdge's mappers of that time called what others call online and offline. */
const plainStates: Readonly<Record<string, string>> = { OK: 'online', DISCONNECTED: 'offline' };

async function load(manager: DmiManager, find: FindOldDevice): Promise<RpcHandlers> {
  const { serveOldDeviceManager } = await import('@kedge/wire/dmi/v1alpha1');
  const states = new Map<string, string>();
  return serveOldDeviceManager({
    async mapperRegister({ withData = false, mapper }) {
      await manager.register(mapper ?? {}, 'v1alpha1', withData);
      return {};
    },
    async reportDeviceStatus({ deviceName = '', reportedDevice: { twins = [], state = '' } = {} }) {
      if (deviceName === '' || (twins.length === 0 && state === '')) {
        throw rpcFailure('INVALID_ARGUMENT', 'deviceName, and twins or a state, are needed');
      }
      const name = find(deviceName);
      if (twins.length > 0) await manager.report(name, twins.flatMap(readOldTwin));
      // It comes with every report.
      const id = deviceId(name);
      if (state === '' || states.get(id) === state) return {};
      await manager.state(name, plainStates[state.toUpperCase()] ?? state.toLowerCase());
      if (states.size >= manyStates) states.clear();
      states.set(id, state);
      return {};
    },
  });
}

interface OldTwin {
  readonly propertyName?: string | undefined;
  readonly desired?: { readonly value?: string | undefined } | undefined;
  readonly reported?:
    | { readonly value?: string | undefined; readonly metadata?: { [key: string]: string } | undefined }
    | undefined;
}

function readOldTwin({ propertyName = '', reported, desired }: OldTwin): MapperReport[] {
  if (propertyName === '') return [];
  return [
    {
      property: propertyName,
      ...(reported?.value === undefined ? {} : { reported: reported.value }),
      ...(desired?.value ? { observedDesired: desired.value } : {}),
      duplicate: false,
    },
  ];
}
