// Decides what a mapper still has to be told, from what it should have and what it was handed. Pure.
import type { Device, DeviceModel } from '@kedge/model/kubeedge';
import type { DeviceName } from '@kedge/model/messages';
import { type DmiDevice, type DmiModel, toDmiDevice, toDmiModel } from '@kedge/wire/dmi';
import type { DmiDevices } from './ports.ts';
import type { DmiVersion } from './mapper-calls.ts';
import type { Handed } from './mapper-registry.ts';

/** Everything a protocol's mapper should have, each with a digest of its content; messages are made when they are sent. */
export interface Wanted {
  readonly devices: ReadonlyMap<string, WantedDevice>;
  readonly models: ReadonlyMap<string, { readonly digest: string; readonly make: () => DmiModel }>;
  /** What keeps a device from being handed over, or parts of it, by device. */
  readonly faults: readonly { readonly name: DeviceName; readonly reason: string; readonly message: string }[];
}

export interface WantedDevice {
  readonly name: DeviceName;
  readonly digest: string;
  /** With the model that describes it. */
  readonly make: () => { readonly device: DmiDevice; readonly model: DmiModel };
}

/** What was worked out of objects, for as long as they are the same ones: a mapper is looked after often. */
export interface Memo {
  readonly devices: WeakMap<Device, Described>;
  readonly models: WeakMap<DeviceModel, string>;
}
interface Described {
  readonly by: DeviceModel;
  readonly api: DmiVersion;
  readonly digest: string;
  /** What could not be taken over. */
  readonly left: readonly string[];
}
export const createMemo = (): Memo => ({ devices: new WeakMap(), models: new WeakMap() });

export type Step =
  | {
      readonly do: 'put model';
      readonly key: string;
      readonly digest: string;
      readonly make: () => DmiModel;
      readonly known: boolean;
    }
  | {
      readonly do: 'put device';
      readonly key: string;
      readonly digest: string;
      readonly make: WantedDevice['make'];
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

export function wantedBy(
  { protocol, api }: { readonly protocol: string; readonly api: DmiVersion },
  { list, model }: DmiDevices,
  memo: Memo,
): Wanted {
  const devices = new Map<string, WantedDevice>();
  const models = new Map<string, { digest: string; make: () => DmiModel }>();
  const faults: { name: DeviceName; reason: string; message: string }[] = [];
  const names = createNames(api);
  const ours = [...list()].filter((device) => protocolOf(device) === protocol);
  for (const device of api === 'v1alpha1' ? ours.toSorted(byNamespace) : ours) {
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
    const taken = names.take('device', name) ?? names.take('model', reference);
    if (taken !== undefined) {
      const message = `its mapper knows no namespaces, and has "${taken}": give one of them another name`;
      faults.push({ name, reason: 'NameTaken', message });
      continue;
    }
    const { digest, left } = describe(device, described, api, memo);
    if (left.length > 0) faults.push({ name, reason: 'BadConfiguration', message: left.join('; ') });
    const make = () => ({ device: toDmiDevice(device, described).device, model: toDmiModel(described) });
    devices.set(deviceKey(name), { name, digest, make });
    models.set(modelKey(reference), { digest: digestOfModel(described, memo), make: () => toDmiModel(described) });
  }
  return { devices, models, faults };
}

function describe(device: Device, model: DeviceModel, api: DmiVersion, memo: Memo): Described {
  const known = memo.devices.get(device);
  if (known?.by === model && known.api === api) return known;
  const { device: message, left } = toDmiDevice(device, model);
  const described: Described =
    api === 'v1alpha1'
      ? {
          by: model,
          api,
          // There, types of the model stand in the device.
          digest: digestOf([message, toDmiModel(model)]),
          left: [...left, ...unknownStreams(device, model)],
        }
      : { by: model, api, digest: digestOf(message), left };
  memo.devices.set(device, described);
  return described;
}

function digestOfModel(model: DeviceModel, memo: Memo): string {
  const digest = memo.models.get(model) ?? digestOf(toDmiModel(model));
  memo.models.set(model, digest);
  return digest;
}

const byNamespace = (a: Device, b: Device): number =>
  (a.metadata.namespace ?? '') < (b.metadata.namespace ?? '') ? -1 : 1;

/** In v1alpha1 a name is all there is: the first one has it, and the others are told. */
function createNames(api: DmiVersion) {
  const owners = new Map<string, string>();
  return {
    /** Whose the name is, when it is another one's. */
    take(kind: 'device' | 'model', { namespace, name }: DeviceName): string | undefined {
      if (api === 'v1beta1') return undefined;
      const owner = owners.get(`${kind}/${name}`) ?? namespace;
      owners.set(`${kind}/${name}`, owner);
      return owner === namespace ? undefined : `${owner}/${name}`;
    },
  };
}

/** Names of the properties that are streams. */
export function streamsOf(model: DeviceModel | undefined): ReadonlySet<string | undefined> {
  return new Set((model?.spec?.properties ?? []).filter(({ type }) => type === 'STREAM').map(({ name }) => name));
}

function unknownStreams({ spec }: Device, model: DeviceModel): string[] {
  const streams = streamsOf(model);
  return (spec?.properties ?? [])
    .filter(({ name }) => streams.has(name))
    .map(({ name }) => `property "${name}" is a stream, which its mapper (DMI v1alpha1) does not know`);
}

export const protocolOf = (device: Device): string => device.spec?.protocol?.protocolName ?? '';

/** Models before the devices that need them, and gone after them. `isUnsure`: the mapper may have more than is known here. */
export function planHandOver(wanted: Wanted, handed: Handed, isUnsure: boolean): Step[] {
  const steps: Step[] = [];
  for (const [key, { make, digest }] of wanted.models) {
    if (handed.get(key) !== digest)
      steps.push({ do: 'put model', key, digest, make, known: isUnsure || handed.has(key) });
  }
  for (const [key, { make, name, digest }] of wanted.devices) {
    if (handed.get(key) === digest) continue;
    steps.push({ do: 'put device', key, digest, make, name, known: isUnsure || handed.has(key) });
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
