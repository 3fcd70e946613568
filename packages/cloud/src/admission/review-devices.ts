// Devices and their models. What existing files may contain is let pass with a warning; what could never work is refused,
// and a value that is wrong is refused when somebody sets it, not when something else about the device changes.
import {
  checkDevice,
  checkDeviceModel,
  type Device,
  type DeviceFault,
  type DeviceModel,
  type DeviceProblem,
  deviceRulesAnnotation,
  readDevice,
  readDeviceModel,
} from '@kedge/model/kubeedge';
import { allow, allowWith, denyAll, isEqual, isSpecChanged, type Review, type Reviewer } from './verdict.ts';

export type FindModel = (namespace: string, name: string, signal: AbortSignal) => Promise<DeviceModel | undefined>;

/**
 * `deny`: always; `whenSet`: when the value is new, and when the device is; `whenChanged`: when a value is changed;
 * `warn`: upstream lets it pass, and so it stands in files. The device's condition says so, too.
 */
const weights: Readonly<Record<DeviceFault, 'deny' | 'whenSet' | 'whenChanged' | 'warn'>> = {
  DuplicateProperty: 'deny',
  BadModel: 'deny',
  NoModelReference: 'whenSet',
  WrongType: 'whenSet',
  OutOfRange: 'whenSet',
  ReadOnly: 'whenChanged',
  ModelNotFound: 'warn',
  PropertyNotInModel: 'warn',
  UnknownProperty: 'warn',
};

export const reviewDevice =
  (findModel: FindModel): Reviewer =>
  async (review, signal) => {
    const { object, before, operation } = review;
    if (!object || (operation !== 'CREATE' && operation !== 'UPDATE')) return allow;
    if (operation === 'UPDATE' && !isSpecChanged(review)) return allow;
    const device = withNamespace(readDevice(object), review);
    const name = device.spec?.deviceModelRef?.name;
    const model = name ? await findModel(review.namespace, name, signal) : undefined;
    const old = before && readDevice(before);
    const [refused, warned]: [string[], string[]] = [[], []];
    for (const problem of checkDevice(device, model)) {
      const said = `${problem.path}: ${problem.say}`;
      (isRefused(problem, device, old) ? refused : warned).push(said);
    }
    return refused.length > 0 ? denyAll(refused) : allowWith(warned);
  };

const withNamespace = (device: Device, { namespace }: Review): Device =>
  device.metadata.namespace === undefined ? { ...device, metadata: { ...device.metadata, namespace } } : device;

function isRefused({ fault, path }: DeviceProblem, device: Device, old: Device | undefined): boolean {
  switch (weights[fault]) {
    case 'deny':
      return true;
    case 'warn':
      return false;
    case 'whenSet':
      return old === undefined || isNew(path, device, old);
    case 'whenChanged':
      return old !== undefined && isNew(path, device, old);
  }
}

/** Whether what `path` points at is other than it was. */
function isNew(path: string, device: Device, old: Device): boolean {
  const index = /^spec\.properties\[(\d+)\]/.exec(path)?.[1];
  if (index === undefined) return !isEqual(device.spec?.deviceModelRef, old.spec?.deviceModelRef);
  const property = device.spec?.properties?.[Number(index)];
  const before = old.spec?.properties?.find(({ name }) => name === property?.name);
  return (before?.desired?.value ?? '') !== (property?.desired?.value ?? '');
}

const areRulesChanged = ({ object, before }: Review): boolean =>
  object?.metadata.annotations?.[deviceRulesAnnotation] !== before?.metadata.annotations?.[deviceRulesAnnotation];

export const reviewDeviceModel: Reviewer = async (review) => {
  const { object, operation } = review;
  if (!object || (operation !== 'CREATE' && operation !== 'UPDATE')) return allow;
  if (operation === 'UPDATE' && !isSpecChanged(review) && !areRulesChanged(review)) return allow;
  const refused = checkDeviceModel(readDeviceModel(object)).map(({ path, say }) => `${path}: ${say}`);
  return refused.length > 0 ? denyAll(refused) : allow;
};
