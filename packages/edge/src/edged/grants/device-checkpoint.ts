// Which devices were given to which container, on disk, in the layout of the kubelet's own file: tools on the node read it
// to tell whose a device is. Its checksum is of Go's making and left out.
import type { Files } from '@kedge/core/ports';
import { ContainerAllocateResponse } from '@kedge/wire/deviceplugin';
import { decodeBytes } from '../env/environment.ts';

export interface DeviceEntry {
  readonly uid: string;
  readonly container: string;
  readonly resource: string;
  readonly ids: readonly string[];
  readonly response: ContainerAllocateResponse;
}

interface Document {
  readonly Data?: {
    readonly PodDeviceEntries?: readonly {
      readonly PodUID: string;
      readonly ContainerName: string;
      readonly ResourceName: string;
      /** By NUMA node; -1 where it does not matter. */
      readonly DeviceIDs: Readonly<Record<string, readonly string[]>>;
      readonly AllocResp: string;
    }[];
    readonly RegisteredDevices?: Readonly<Record<string, readonly string[]>>;
  };
}

export function createDeviceCheckpoint(files: Files, path: string) {
  return {
    /** A file that cannot be read is as good as none: plugins will register again. */
    async read(): Promise<{ entries: DeviceEntry[]; registered: string[] }> {
      try {
        const { Data = {} } = JSON.parse((await files.readText(path)) ?? '{}') as Document;
        const entries = (Data.PodDeviceEntries ?? []).map((one) => ({
          uid: one.PodUID,
          container: one.ContainerName,
          resource: one.ResourceName,
          ids: Object.values(one.DeviceIDs).flat(),
          response: ContainerAllocateResponse.decode(decodeBytes(one.AllocResp)),
        }));
        return { entries, registered: Object.keys(Data.RegisteredDevices ?? {}) };
      } catch {
        return { entries: [], registered: [] };
      }
    },
    async write(entries: readonly DeviceEntry[], registered: ReadonlyMap<string, readonly string[]>): Promise<void> {
      const document: Document = {
        Data: {
          PodDeviceEntries: entries.map(({ uid, container, resource, ids, response }) => ({
            PodUID: uid,
            ContainerName: container,
            ResourceName: resource,
            DeviceIDs: { '-1': ids },
            AllocResp: encodeBytes(ContainerAllocateResponse.encode(response).finish()),
          })),
          RegisteredDevices: Object.fromEntries(registered),
        },
      };
      await files.writeAtomically(path, JSON.stringify(document), { mode: 0o600 });
    },
  };
}

const encodeBytes = (bytes: Uint8Array): string =>
  btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
