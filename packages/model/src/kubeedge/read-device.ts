// Reading Devices and DeviceModels leniently. A cluster may still hold objects that were written as v1alpha2; the API
// server changes only their apiVersion, so the old fields may turn up in what calls itself v1beta1. What can be said in
// v1beta1 is converted, and one odd object never costs the others their place in a list.
import {
  type AccessMode,
  type ConfigData,
  type Device,
  type DeviceModel,
  type DeviceProperty,
  devicesApiVersion,
  type ModelProperty,
  type PropertyType,
  propertyTypes,
  type ProtocolConfig,
  type TwinProperty,
  type TwinStatus,
} from './devices.ts';
import type { KubeObject } from '../k8s/index.ts';

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const fieldsOf = (value: unknown): Fields => (isFields(value) ? value : {});
const listOf = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.filter(isFields) : []);
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
/** Leaves out what is undefined. */
const present = <T extends Fields>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;

/** The same object when there is nothing old about it. */
export function readDevice(object: KubeObject): Device {
  const spec = fieldsOf(object['spec']);
  const isOld = 'propertyVisitors' in spec || 'nodeSelector' in spec || isOldProtocol(spec['protocol']);
  if (!isOld && hasLists(spec, 'properties', 'methods')) return object as Device;
  const wanted = desiredValues(object);
  const converted: Device = {
    ...object,
    apiVersion: devicesApiVersion,
    kind: 'Device',
    spec: present({
      deviceModelRef: isFields(spec['deviceModelRef'])
        ? { name: textOf(spec['deviceModelRef']['name']) ?? '' }
        : undefined,
      nodeName: textOf(spec['nodeName']) ?? selectedNode(spec['nodeSelector']),
      protocol: isOldProtocol(spec['protocol'])
        ? readOldProtocol(spec['protocol'])
        : (spec['protocol'] as ProtocolConfig),
      properties:
        'propertyVisitors' in spec
          ? listOf(spec['propertyVisitors']).map((visitor) => readVisitor(visitor, wanted))
          : (listOf(spec['properties']) as DeviceProperty[]),
      methods: Array.isArray(spec['methods']) ? (spec['methods'] as never) : undefined,
    }),
  };
  return converted;
}

export function readDeviceModel(object: KubeObject): DeviceModel {
  const spec = fieldsOf(object['spec']);
  const properties = listOf(spec['properties']);
  const isNew = hasLists(spec, 'properties') && properties.every((property) => !isFields(property['type']));
  if (isNew) return object as DeviceModel;
  return {
    ...object,
    apiVersion: devicesApiVersion,
    kind: 'DeviceModel',
    spec: present({ ...spec, properties: properties.map(readModelProperty) }),
  };
}

/** Absent is fine; what is there has to be a list of objects. */
const hasLists = (spec: Fields, ...names: string[]): boolean =>
  names.every((name) => spec[name] === undefined || (Array.isArray(spec[name]) && spec[name].every(isFields)));

const oldProtocols = ['opcua', 'modbus', 'bluetooth', 'common', 'customizedProtocol'] as const;

const isOldProtocol = (protocol: unknown): protocol is Fields =>
  isFields(protocol) && oldProtocols.some((name) => name in protocol);

/** Connection parameters of `common` and those of the protocol itself become one flat document, with the keys of today. */
function readOldProtocol(protocol: Fields): ProtocolConfig {
  const custom = fieldsOf(protocol['customizedProtocol']);
  const { com, tcp, customizedValues, ...common } = fieldsOf(protocol['common']);
  const name = (['modbus', 'opcua', 'bluetooth'] as const).find((known) => isFields(protocol[known]));
  const line: ConfigData = isFields(com)
    ? { communicateMode: 'RTU', ...com }
    : isFields(tcp)
      ? { communicateMode: 'TCP', ...tcp }
      : {};
  const configData: ConfigData = {
    ...common,
    ...(name === 'modbus' || name === undefined ? line : { ...fieldsOf(com), ...fieldsOf(tcp) }),
    ...fieldsOf(customizedValues),
    ...fieldsOf(name && protocol[name]),
    ...fieldsOf(custom['configData']),
  };
  return present({ protocolName: name ?? textOf(custom['protocolName']), configData });
}

function readVisitor(visitor: Fields, wanted: ReadonlyMap<string, TwinProperty>): DeviceProperty {
  const name = textOf(visitor['propertyName']);
  const protocol = (['modbus', 'opcua', 'bluetooth'] as const).find((known) => isFields(visitor[known]));
  const custom = fieldsOf(visitor['customizedProtocol']);
  return present({
    name,
    desired: name === undefined ? undefined : wanted.get(name),
    reportCycle: numberOf(visitor['reportCycle']),
    collectCycle: numberOf(visitor['collectCycle']),
    // Every property was reported in those days.
    reportToCloud: true,
    visitors: present({
      protocolName: protocol ?? textOf(custom['protocolName']),
      configData: {
        ...fieldsOf(visitor['customizedValues']),
        ...fieldsOf(protocol && visitor[protocol]),
        ...fieldsOf(custom['configData']),
      },
    }),
  });
}

const numberOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);

/** Desired values used to stand in the status. */
function desiredValues(object: KubeObject): Map<string, TwinProperty> {
  const twins = listOf(fieldsOf(object['status'])['twins']) as (TwinStatus & { desired?: TwinProperty })[];
  return new Map(
    twins.flatMap(({ propertyName, desired }) =>
      propertyName !== undefined && desired !== undefined ? [[propertyName, desired] as const] : [],
    ),
  );
}

/** The one node a selector names; undefined when it could be another one. */
function selectedNode(selector: unknown): string | undefined {
  const [term, more] = listOf(fieldsOf(selector)['nodeSelectorTerms']);
  if (!term || more) return undefined;
  const requirements = [...listOf(term['matchExpressions']), ...listOf(term['matchFields'])];
  for (const { key, operator, values } of requirements) {
    const isName = key === '' || key === undefined || key === 'kubernetes.io/hostname' || key === 'metadata.name';
    if (isName && operator === 'In' && Array.isArray(values) && values.length === 1) return textOf(values[0]);
  }
  return undefined;
}

function readModelProperty(property: Fields): ModelProperty {
  if (!isFields(property['type'])) return property as ModelProperty;
  const [word, facts] = Object.entries(property['type'])[0] ?? [];
  const type = propertyTypes.find((known): known is PropertyType => known === word?.toUpperCase());
  const { accessMode, minimum, maximum, unit } = fieldsOf(facts);
  return present({
    name: textOf(property['name']),
    description: textOf(property['description']),
    type,
    accessMode: textOf(accessMode) as AccessMode | undefined,
    minimum: boundOf(minimum),
    maximum: boundOf(maximum),
    unit: textOf(unit),
  });
}

/** Zero was how "no bound" used to be written. */
const boundOf = (value: unknown): string | undefined =>
  typeof value === 'number' && value !== 0 ? String(value) : undefined;
