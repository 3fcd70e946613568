// What a mapper knows about one device: DMI's messages, made plain, with cycles, conversion and targets of each property.
import { type Duration, milliseconds } from '@kedge/core/time';
import { type AccessMode, type PropertyType, propertyTypes } from '@kedge/model/kubeedge';
import { type CustomizedValue, type DmiDevice, type DmiModel, type DmiPushMethod, fromAny } from '@kedge/wire/dmi';
import { type ConfigData, keyIn } from './read-config.ts';

export interface PropertySettings {
  readonly name: string;
  readonly type: PropertyType;
  readonly access: AccessMode;
  readonly unit: string;
  readonly description: string;
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
  readonly visitor: ConfigData;
  /** Empty: nobody wants anything. */
  readonly desired: string;
  readonly reportToCloud: boolean;
  readonly collectCycle: Duration;
  readonly reportCycle: Duration;
  readonly push: DmiPushMethod | undefined;
  readonly conversion: Conversion;
}

/** Keys of the visitor that are the SDK's, unless the driver's schema has them. */
export interface Conversion {
  /** value = raw x scale + valueOffset */
  readonly scale: number;
  readonly valueOffset: number;
  /** Changes up to this are not reported; undefined: every reading is. */
  readonly deadband: number | undefined;
  readonly onChange: boolean;
  /** With `onChange`: an unchanged value is reported all the same after this. */
  readonly maxAge: Duration;
}

export interface DeviceSettings {
  readonly namespace: string;
  readonly name: string;
  readonly model: string;
  readonly protocolConfig: ConfigData;
  readonly properties: readonly PropertySettings[];
  readonly methods: readonly {
    readonly name: string;
    readonly description: string;
    readonly properties: readonly string[];
  }[];
  readonly reportState: boolean;
  readonly stateCycle: Duration;
}

export const deviceKey = (device: {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}): string => `${device.namespace || 'default'}/${device.name ?? ''}`;

/** `own`: keys of the visitor that the driver takes care of. */
export function readDevice(device: DmiDevice, model: DmiModel, own: Readonly<Record<string, unknown>>): DeviceSettings {
  const known = new Map((model.spec?.properties ?? []).map((property) => [property.name, property]));
  const properties = (device.spec?.properties ?? []).flatMap((property): PropertySettings[] => {
    const described = known.get(property.name);
    if (!described || !property.name) return [];
    const visitor = dataOf(property.visitors?.configData);
    return [
      {
        name: property.name,
        type: propertyTypes.find((type) => type === described.type?.toUpperCase()) ?? 'STRING',
        access: described.accessMode === 'ReadOnly' ? 'ReadOnly' : 'ReadWrite',
        unit: described.unit ?? '',
        description: described.description ?? '',
        minimum: bound(described.minimum),
        maximum: bound(described.maximum),
        visitor,
        desired: property.desired?.value ?? '',
        reportToCloud: property.reportToCloud ?? false,
        collectCycle: readCycle(property.collectCycle),
        reportCycle: readCycle(property.reportCycle),
        push: property.pushMethod,
        conversion: readConversion(visitor, own),
      },
    ];
  });
  return {
    namespace: device.namespace || 'default',
    name: device.name ?? '',
    model: device.spec?.deviceModelReference ?? '',
    protocolConfig: dataOf(device.spec?.protocol?.configData),
    properties,
    methods: (device.spec?.methods ?? []).map(({ name = '', description = '', propertyNames = [] }) => ({
      name,
      description,
      properties: propertyNames,
    })),
    reportState: device.status?.reportToCloud ?? false,
    stateCycle: readCycle(device.status?.reportCycle),
  };
}

function dataOf(values: CustomizedValue | undefined): ConfigData {
  const data: Record<string, unknown> = {};
  for (const [key, any] of Object.entries(values?.data ?? {})) {
    const value = fromAny(any);
    if (value !== undefined) data[key] = value;
  }
  return data;
}

const bound = (text: string | undefined): number | undefined =>
  text === undefined || text.trim() === '' || !Number.isFinite(Number(text)) ? undefined : Number(text);

/** Milliseconds; absent means a second. Samples of KubeEdge before v1.18 count nanoseconds, and no cycle is 11 days long. */
export function readCycle(cycle: bigint | undefined): Duration {
  const value = Number(cycle ?? 0n);
  if (value <= 0) return milliseconds(1_000);
  return milliseconds(Math.max(10, value >= 1e9 ? value / 1e6 : value));
}

function readConversion(visitor: ConfigData, own: Readonly<Record<string, unknown>>): Conversion {
  const number = (key: string): number | undefined => {
    if (keyIn(own, key) !== undefined) return undefined;
    const name = keyIn(visitor, key);
    const value = name === undefined ? Number.NaN : Number(visitor[name]);
    return Number.isFinite(value) ? value : undefined;
  };
  const onChange = String(visitor[keyIn(visitor, 'onChange') ?? ''] ?? '') === 'true';
  const deadband = number('deadband');
  return {
    scale: number('scale') || 1,
    valueOffset: number('valueOffset') ?? 0,
    deadband,
    onChange: onChange || deadband !== undefined,
    maxAge: milliseconds(number('maxAge') ?? 60_000),
  };
}

/** Whether a running device can take the new settings without being connected anew. */
export function onlyDesiredDiffers(a: DeviceSettings, b: DeviceSettings): boolean {
  const plain = (settings: DeviceSettings): string =>
    JSON.stringify(
      { ...settings, properties: settings.properties.map((property) => ({ ...property, desired: '' })) },
      (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value),
    );
  return plain(a) === plain(b);
}
