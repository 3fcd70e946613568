// Desired values that an application at the edge has set: they stand in for the cloud's until the cloud asks for something
// else, so that a mapper gets them also when nobody can be asked. Pure.
import type { Device, DeviceModel } from '@kedge/model/kubeedge';

export interface Wish {
  readonly value: string;
  /** What the cloud wanted when it was made; the cloud's next change wins. */
  readonly over: string;
}
/** By property. */
export type Wishes = ReadonlyMap<string, Wish>;

/** What the cloud wants of a property; undefined: the device has no such property. */
export function desiredOf({ spec }: Device, property: string): string | undefined {
  const found = spec?.properties?.find(({ name }) => name === property);
  return found && (found.desired?.value ?? '');
}

/** Whether a mapper could do anything with it. */
export function canBeSet(device: Device, model: DeviceModel | undefined, property: string): boolean {
  if (desiredOf(device, property) === undefined) return false;
  return model?.spec?.properties?.find(({ name }) => name === property)?.accessMode !== 'ReadOnly';
}

/** Those that the cloud has overruled, and those of properties that are no more. */
export const overruled = (device: Device, wishes: Wishes): string[] =>
  [...wishes].filter(([property, { over }]) => desiredOf(device, property) !== over).map(([property]) => property);

export function overlayDesired(device: Device, wishes: Wishes | undefined): Device {
  if (!wishes || wishes.size === 0) return device;
  const properties = device.spec?.properties?.map((property) => {
    const wish = wishes.get(property.name ?? '');
    return wish ? { ...property, desired: { ...property.desired, value: wish.value } } : property;
  });
  return { ...device, spec: { ...device.spec, ...(properties ? { properties } : {}) } };
}
