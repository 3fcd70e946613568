// What is wrong with a device, judged by its model: pure, for the admission webhook, the conditions of a Device, and
// whoever takes values at the edge. Every finding says where, what and what to do.
import { readDeviceRules } from './device-rules.ts';
import type { Device, DeviceModel, DeviceProperty, ModelProperty } from './devices.ts';

export type DeviceFault =
  | 'NoModelReference'
  | 'ModelNotFound'
  | 'DuplicateProperty'
  | 'PropertyNotInModel'
  | 'WrongType'
  | 'OutOfRange'
  | 'ReadOnly'
  | 'UnknownProperty'
  | 'BadModel';

export interface DeviceProblem {
  readonly fault: DeviceFault;
  /** As `kubectl explain` spells it. */
  readonly path: string;
  readonly say: string;
}

/** `model`: the one that the device refers to; undefined when there is none. */
export function checkDevice(device: Device, model: DeviceModel | undefined): DeviceProblem[] {
  const { deviceModelRef, properties = [], methods = [] } = device.spec ?? {};
  const problems: DeviceProblem[] = [];
  const add = (fault: DeviceFault, path: string, say: string): void => void problems.push({ fault, path, say });
  for (const [i, name] of duplicates(properties)) {
    add('DuplicateProperty', `spec.properties[${i}].name`, `"${name}" is there twice: property names must be unique.`);
  }
  const names = new Set(properties.map(({ name }) => name));
  methods.forEach(({ propertyNames = [] }, i) =>
    propertyNames.forEach((name, j) => {
      if (names.has(name)) return;
      const path = `spec.methods[${i}].propertyNames[${j}]`;
      add(
        'UnknownProperty',
        path,
        `"${name}" is no property of the device: add it to spec.properties, or remove it here`,
      );
    }),
  );
  if (!deviceModelRef?.name) {
    add('NoModelReference', 'spec.deviceModelRef.name', 'is not set: name the DeviceModel that describes the device');
    return problems;
  }
  if (!model) {
    const { namespace = '' } = device.metadata;
    const say = `DeviceModel "${deviceModelRef.name}" is not there: create it in namespace "${namespace}", or name another`;
    add('ModelNotFound', 'spec.deviceModelRef.name', say);
    return problems;
  }
  const described = new Map((model.spec?.properties ?? []).map((property) => [property.name, property]));
  properties.forEach((property, i) => {
    const known = described.get(property.name);
    if (known) problems.push(...checkDesired(property, known, `spec.properties[${i}]`));
    else {
      const say = `"${property.name ?? ''}" is not in DeviceModel "${deviceModelRef.name}": add it there, or correct the name`;
      add('PropertyNotInModel', `spec.properties[${i}].name`, say);
    }
  });
  return problems;
}

function checkDesired({ desired }: DeviceProperty, known: ModelProperty, path: string): DeviceProblem[] {
  // A Go encoder writes an absent desired value as an empty one.
  if (desired?.value === undefined || desired.value === '') return [];
  if (known.accessMode === 'ReadOnly') {
    const say = `the model says that "${known.name ?? ''}" is ReadOnly: remove the desired value, or change accessMode in the model`;
    return [{ fault: 'ReadOnly', path: `${path}.desired.value`, say }];
  }
  const problem = checkValue(desired.value, known);
  return problem ? [{ ...problem, path: `${path}.desired.value` }] : [];
}

/** Undefined when the model has nothing against the value. */
export function checkValue(value: string, known: ModelProperty): Omit<DeviceProblem, 'path'> | undefined {
  switch (known.type) {
    case 'INT':
      return isInteger(value) ? checkRange(value, known) : wrong(value, 'an INT, such as 42');
    case 'FLOAT':
    case 'DOUBLE':
      return isNumber(value) ? checkRange(value, known) : wrong(value, `a ${known.type}, such as 21.5`);
    case 'BOOLEAN':
      return value === 'true' || value === 'false' ? undefined : wrong(value, 'a BOOLEAN: true or false');
    case 'STREAM':
      return wrong(value, 'of use to a STREAM: its mapper passes it on by itself, and it has no value');
    default:
      return undefined;
  }
}

export function checkDeviceModel(model: DeviceModel): DeviceProblem[] {
  const properties = model.spec?.properties ?? [];
  const problems: DeviceProblem[] = duplicates(properties).map(([i, name]) => ({
    fault: 'DuplicateProperty',
    path: `spec.properties[${i}].name`,
    say: `"${name}" is there twice: property names must be unique.`,
  }));
  properties.forEach(({ type, minimum, maximum }, i) => {
    if (type !== 'INT' && type !== 'FLOAT' && type !== 'DOUBLE') return;
    for (const [field, bound] of [['minimum', minimum] as const, ['maximum', maximum] as const]) {
      if (bound === undefined || bound === '' || isNumber(bound)) continue;
      const say = `"${bound}" is no number: write one, such as "100", or leave it out`;
      problems.push({ fault: 'BadModel', path: `spec.properties[${i}].${field}`, say });
    }
    if (isBound(minimum) && isBound(maximum) && Number(minimum) > Number(maximum)) {
      const say = `"${minimum}" is above the maximum of "${maximum}": no value would ever fit`;
      problems.push({ fault: 'BadModel', path: `spec.properties[${i}].minimum`, say });
    }
  });
  for (const { path, say } of readDeviceRules(model).problems) problems.push({ fault: 'BadModel', path, say });
  return problems;
}

const isBound = (bound: string | undefined): bound is string => bound !== undefined && bound !== '' && isNumber(bound);

function checkRange(value: string, { minimum, maximum }: ModelProperty): Omit<DeviceProblem, 'path'> | undefined {
  if (isBound(minimum) && Number(value) < Number(minimum)) {
    return { fault: 'OutOfRange', say: `"${brief(value)}" is below the minimum of ${minimum} that the model allows` };
  }
  if (isBound(maximum) && Number(value) > Number(maximum)) {
    return { fault: 'OutOfRange', say: `"${brief(value)}" is above the maximum of ${maximum} that the model allows` };
  }
  return undefined;
}

const wrong = (value: string, expected: string): Omit<DeviceProblem, 'path'> => ({
  fault: 'WrongType',
  say: `"${brief(value)}" is not ${expected}`,
});

const brief = (value: string): string => (value.length > 40 ? `${value.slice(0, 40)}...` : value);

const isInteger = (value: string): boolean => /^[+-]?\d{1,20}$/.test(value);
const isNumber = (value: string): boolean =>
  /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(value) && Number.isFinite(Number(value));

function duplicates(named: readonly { name?: string }[]): [index: number, name: string][] {
  const seen = new Set<string>();
  return named.flatMap(({ name = '' }, i): [number, string][] => {
    if (seen.has(name)) return [[i, name]];
    seen.add(name);
    return [];
  });
}
