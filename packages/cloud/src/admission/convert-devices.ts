// Devices and models between v1alpha2 and v1beta1, in both directions. Neither version can say all that the other says, so
// what a conversion cannot carry rides along in an annotation, and counts as long as nothing it stands for was changed.
import type { KubeObject } from '@kedge/model/k8s';
import {
  type Device,
  type DeviceModel,
  type DeviceProperty,
  devicesGroup,
  type ModelProperty,
  readDevice,
  readDeviceModel,
  type TwinStatus,
} from '@kedge/model/kubeedge';
import { isEqual } from './verdict.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What an object was before it was converted. */
const keptAnnotation = 'devices.kedge.io/converted-from';
const newest = `${devicesGroup}/v1beta1`;
const oldest = `${devicesGroup}/v1alpha2`;

/** Undefined when there is no such version. */
export function convert(object: KubeObject, desired: string): KubeObject | undefined {
  if (object.apiVersion === desired) return object;
  if (desired !== newest && desired !== oldest) return undefined;
  const change = changes[object.kind ?? '']?.[desired];
  if (!change) return { ...object, apiVersion: desired };
  const kept = readKept(object, desired);
  const plain = withoutKept(object);
  // Whoever wrote this version left alone what came of the other one.
  const back = kept && changes[object.kind ?? '']![reverseOf(desired)](kept);
  if (kept && isEqual(back?.['spec'], plain['spec']) && isEqual(desiredOf(back), desiredOf(plain))) {
    return { ...change(plain), apiVersion: desired, spec: kept['spec'], metadata: plain.metadata };
  }
  return keep({ ...change(plain), apiVersion: desired }, plain);
}

type Version = typeof newest | typeof oldest;
const reverseOf = (version: Version): Version => (version === newest ? oldest : newest);

const changes: Readonly<Record<string, Readonly<Record<Version, (object: KubeObject) => KubeObject>>>> = {
  Device: { [newest]: deviceUp, [oldest]: deviceDown },
  DeviceModel: { [newest]: (object) => readDeviceModel(object) as KubeObject, [oldest]: modelDown },
};

function readKept(object: KubeObject, version: string): KubeObject | undefined {
  const text = object.metadata.annotations?.[keptAnnotation];
  if (text === undefined) return undefined;
  try {
    const kept = JSON.parse(text) as KubeObject | null;
    if (typeof kept !== 'object' || kept?.apiVersion !== version) return undefined;
    return { ...kept, metadata: object.metadata, ...(object.kind === undefined ? {} : { kind: object.kind }) };
  } catch {
    return undefined;
  }
}

function withoutKept(object: KubeObject): KubeObject {
  const { annotations, ...metadata } = object.metadata;
  const { [keptAnnotation]: _, ...others } = annotations ?? {};
  return { ...object, metadata: { ...metadata, ...(Object.keys(others).length > 0 ? { annotations: others } : {}) } };
}

function keep(converted: KubeObject, from: KubeObject): KubeObject {
  const kept = JSON.stringify({ apiVersion: from.apiVersion, spec: from['spec'], status: from['status'] });
  const annotations = { ...converted.metadata.annotations, [keptAnnotation]: kept };
  return { ...converted, metadata: { ...converted.metadata, annotations } };
}

/** What v1alpha2 has in the status. */
const desiredOf = (object: KubeObject | undefined): unknown =>
  listOf((object?.['status'] as Fields | undefined)?.['twins'])
    .filter(({ desired }) => desired !== undefined)
    .map(({ propertyName, desired }) => [propertyName, desired]);

const listOf = (value: unknown): readonly Fields[] => (Array.isArray(value) ? (value as Fields[]) : []);

/** Desired values move from the status into the spec. */
function deviceUp(object: KubeObject): KubeObject {
  const device = readDevice(object) as Device & KubeObject;
  const twins = listOf((object['status'] as Fields | undefined)?.['twins']) as (TwinStatus & { desired?: unknown })[];
  const reported = twins
    .filter((twin) => twin.reported !== undefined)
    .map(({ propertyName, reported: side }) => ({ propertyName, reported: side }));
  const { status: _, ...rest } = device;
  return { ...rest, ...(reported.length > 0 ? { status: { twins: reported } } : {}) } as KubeObject;
}

function deviceDown(object: KubeObject): KubeObject {
  const { spec = {}, status = {}, ...rest } = object as Device & KubeObject;
  const { deviceModelRef, nodeName, protocol, properties = [] } = spec;
  const twins = properties.flatMap(({ name, desired }) => {
    const side = status.twins?.find(({ propertyName }) => propertyName === name)?.reported;
    if (!desired && !side) return [];
    return [{ propertyName: name, ...(desired ? { desired } : {}), ...(side ? { reported: side } : {}) }];
  });
  const terms = [{ matchExpressions: [{ key: '', operator: 'In', values: [nodeName] }] }];
  return {
    ...rest,
    spec: {
      ...(deviceModelRef ? { deviceModelRef } : {}),
      ...(nodeName ? { nodeSelector: { nodeSelectorTerms: terms } } : {}),
      ...(protocol ? { protocol: { customizedProtocol: protocol } } : {}),
      propertyVisitors: properties.map(visitorOf),
    },
    ...(twins.length > 0 ? { status: { twins } } : {}),
  } as KubeObject;
}

const visitorOf = ({ name, reportCycle, collectCycle, visitors }: DeviceProperty): Fields => ({
  propertyName: name,
  ...(reportCycle === undefined ? {} : { reportCycle }),
  ...(collectCycle === undefined ? {} : { collectCycle }),
  ...(visitors === undefined ? {} : { customizedProtocol: visitors }),
});

function modelDown(object: KubeObject): KubeObject {
  const { spec = {}, ...rest } = object as DeviceModel & KubeObject;
  return {
    ...rest,
    spec: {
      ...(spec.protocol === undefined ? {} : { protocol: spec.protocol }),
      properties: (spec.properties ?? []).map(oldProperty),
    },
  } as KubeObject;
}

function oldProperty({ name, description, type, accessMode, minimum, maximum, unit }: ModelProperty): Fields {
  const hasBounds = type === 'INT' || type === 'FLOAT' || type === 'DOUBLE';
  const facts = {
    ...(accessMode === undefined ? {} : { accessMode }),
    ...(hasBounds && minimum ? { minimum: Number(minimum) } : {}),
    ...(hasBounds && maximum ? { maximum: Number(maximum) } : {}),
    ...(hasBounds && unit !== undefined ? { unit } : {}),
  };
  return {
    name,
    ...(description === undefined ? {} : { description }),
    // There was no word for a stream yet.
    ...(type === undefined || type === 'STREAM' ? {} : { type: { [type.toLowerCase()]: facts } }),
  };
}

/** Reads an apiextensions.k8s.io/v1 ConversionReview and answers it; undefined when it is none. */
export function convertReview(text: string): string | undefined {
  const { uid, desiredAPIVersion: desired, objects } = requestOf(text);
  if (typeof uid !== 'string' || typeof desired !== 'string' || !Array.isArray(objects)) return undefined;
  const converted = (objects as KubeObject[]).map((object) => convert(object, desired));
  const isDone = converted.every((object) => object !== undefined);
  const result = isDone
    ? { status: 'Success' }
    : { status: 'Failure', message: `devices are not converted to ${desired}; there are ${oldest} and ${newest}` };
  const response = { uid, result, ...(isDone ? { convertedObjects: converted } : {}) };
  return JSON.stringify({ apiVersion: 'apiextensions.k8s.io/v1', kind: 'ConversionReview', response });
}

function requestOf(text: string): Fields {
  try {
    const { request } = JSON.parse(text) as { request?: unknown };
    return typeof request === 'object' && request !== null ? (request as Fields) : {};
  } catch {
    return {};
  }
}
