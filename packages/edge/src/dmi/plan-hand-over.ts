// Decides what a mapper still has to be told, from what it should have and what it was handed. Pure.
import type { Device, DeviceModel } from '@kedge/model/kubeedge';
import type { DeviceName } from '@kedge/model/messages';
import { type DmiDevice, type DmiModel, toDmiDevice, toDmiModel } from '@kedge/wire/dmi';
import type { DmiDevices } from './ports.ts';
import type { Handed } from './mapper-registry.ts';

/** Everything a protocol's mapper should have, each with a digest of its content. */
export interface Wanted {
  readonly devices: ReadonlyMap<
    string,
    { readonly device: DmiDevice; readonly name: DeviceName; readonly digest: string }
  >;
  readonly models: ReadonlyMap<string, { readonly model: DmiModel; readonly digest: string }>;
  /** What keeps a device from being handed over, or parts of it, by device. */
  readonly faults: readonly { readonly name: DeviceName; readonly reason: string; readonly message: string }[];
}

export type Step =
  | {
      readonly do: 'put model';
      readonly key: string;
      readonly digest: string;
      readonly model: DmiModel;
      readonly known: boolean;
    }
  | {
      readonly do: 'put device';
      readonly key: string;
      readonly digest: string;
      readonly device: DmiDevice;
      readonly name: DeviceName;
      readonly known: boolean;
    }
  | { readonly do: 'remove device' | 'remove model'; readonly key: string; readonly name: DeviceName };

export const deviceKey = ({ namespace, name }: DeviceName): string => `device/${namespace}/${name}`;
const modelKey = ({ namespace, name }: DeviceName): string => `model/${namespace}/${name}`;
const nameOf = ({ metadata }: Device | DeviceModel): DeviceName => ({
  namespace: metadata.namespace ?? '',
  name: metadata.name ?? '',
});

export function wantedBy(protocol: string, { list, model }: DmiDevices): Wanted {
  const devices = new Map<string, { device: DmiDevice; name: DeviceName; digest: string }>();
  const models = new Map<string, { model: DmiModel; digest: string }>();
  const faults: { name: DeviceName; reason: string; message: string }[] = [];
  for (const device of list()) {
    if (protocolOf(device) !== protocol) continue;
    const name = nameOf(device);
    const reference = { namespace: name.namespace, name: device.spec?.deviceModelRef?.name ?? '' };
    const described = model(reference);
    if (!described) {
      const message = reference.name
        ? `DeviceModel "${reference.name}" has not reached this node: create it in namespace "${name.namespace}"`
        : 'spec.deviceModelRef.name is not set: name the DeviceModel that describes the device';
      faults.push({ name, reason: 'ModelNotFound', message });
      continue;
    }
    const { device: message, left } = toDmiDevice(device, described);
    if (left.length > 0) faults.push({ name, reason: 'BadConfiguration', message: left.join('; ') });
    devices.set(deviceKey(name), { device: message, name, digest: digestOf(message) });
    const modelMessage = toDmiModel(described);
    models.set(modelKey(reference), { model: modelMessage, digest: digestOf(modelMessage) });
  }
  return { devices, models, faults };
}

export const protocolOf = (device: Device): string => device.spec?.protocol?.protocolName ?? '';

/** Models before the devices that need them, and gone after them. */
export function planHandOver(wanted: Wanted, handed: Handed): Step[] {
  const steps: Step[] = [];
  for (const [key, { model, digest }] of wanted.models) {
    if (handed.get(key) !== digest) steps.push({ do: 'put model', key, digest, model, known: handed.has(key) });
  }
  for (const [key, { device, name, digest }] of wanted.devices) {
    if (handed.get(key) !== digest) steps.push({ do: 'put device', key, digest, device, name, known: handed.has(key) });
  }
  const gone = [...handed.keys()].filter((key) => !wanted.devices.has(key) && !wanted.models.has(key));
  for (const kind of ['device', 'model'] as const) {
    for (const key of gone) {
      const [what, namespace = '', name = ''] = key.split('/');
      if (what === kind) steps.push({ do: `remove ${kind}`, key, name: { namespace, name } });
    }
  }
  return steps;
}

export function handedOf({ devices, models }: Wanted): Map<string, string> {
  const handed = new Map<string, string>();
  for (const [key, { digest }] of [...models, ...devices]) handed.set(key, digest);
  return handed;
}

/** FNV-1a over the content, 2 x 32 bits: enough to tell yesterday's configuration from today's. */
function digestOf(message: unknown): string {
  const text = JSON.stringify(message, (_, value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : value instanceof Uint8Array ? [...value] : value,
  );
  let a = 0x811c9dc5;
  let b = 0x9747b28c;
  for (let n = 0; n < text.length; n++) {
    const code = text.charCodeAt(n);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code ^ n, 0x01000193);
  }
  return (a >>> 0).toString(16).padStart(8, '0') + (b >>> 0).toString(16).padStart(8, '0');
}
