// devices.kubeedge.io/v1beta1: the shapes of KubeEdge v1.22, and v1.23's DeviceStatus. Every field may be absent, whatever
// the controllers need: objects come from people, and an API server keeps what its schema lets pass.
import type { GroupVersionResource, ObjectMeta } from '../k8s/index.ts';

export const devicesGroup = 'devices.kubeedge.io';
export const devicesApiVersion = 'devices.kubeedge.io/v1beta1';

const resource = (plural: string): GroupVersionResource => ({
  group: devicesGroup,
  version: 'v1beta1',
  resource: plural,
});
export const devices = resource('devices');
export const deviceModels = resource('devicemodels');
/** New in v1.23: what was `status` of the Device is an object of its own, with the Device's name. */
export const deviceStatuses = resource('devicestatuses');

/** Whatever a protocol needs. */
export type ConfigData = { readonly [key: string]: unknown };

export type ProtocolConfig = { protocolName?: string; configData?: ConfigData };

export type TwinProperty = {
  value: string;
  /** By convention `timestamp` (Unix milliseconds as text) and `type`. */
  metadata?: { [key: string]: string };
};

export type PushMethod = {
  http?: { hostName?: string; port?: number; requestPath?: string; timeout?: number };
  mqtt?: { address?: string; topic?: string; qos?: number; retained?: boolean };
  otel?: { endpointURL?: string };
  dbMethod?: {
    influxdb2?: {
      influxdb2ClientConfig?: { url?: string; org?: string; bucket?: string };
      influxdb2DataConfig?: { measurement?: string; tag?: { [key: string]: string }; fieldKey?: string };
    };
    redis?: { redisClientConfig?: { addr?: string; db?: number; poolsize?: number; minIdleConns?: number } };
    TDEngine?: { TDEngineClientConfig?: { addr?: string; dbName?: string } };
    mysql?: { mysqlClientConfig?: { addr?: string; database?: string; userName?: string } };
  };
  /** v1.23. */
  anomalyDetection?: ConfigData;
};

export type DeviceProperty = {
  name?: string;
  desired?: TwinProperty;
  visitors?: ProtocolConfig;
  /** Milliseconds, like every cycle. */
  reportCycle?: number;
  collectCycle?: number;
  reportToCloud?: boolean;
  pushMethod?: PushMethod;
};

export type DeviceMethod = { name?: string; description?: string; propertyNames?: string[] };

/** How the mapper reports the state: v1.22 reads it from `status`, v1.23 from `spec.stateReport`. */
export type StateReport = { reportToCloud?: boolean; reportCycle?: number };

export type DeviceSpec = {
  deviceModelRef?: { name?: string };
  nodeName?: string;
  properties?: DeviceProperty[];
  protocol?: ProtocolConfig;
  methods?: DeviceMethod[];
  /** v1.23. */
  stateReport?: StateReport;
};

export type TwinStatus = {
  propertyName?: string;
  reported?: TwinProperty;
  observedDesired?: TwinProperty;
};

/** As in Kubernetes' own kinds. */
export type StatusCondition = {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
};

export type DeviceStatusFields = {
  twins?: TwinStatus[];
  /** online, offline, ok, unknown, unhealthy. */
  state?: string;
  /** RFC 3339. */
  lastOnlineTime?: string;
};

export type Device = {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec?: DeviceSpec;
  status?: DeviceStatusFields &
    StateReport & {
      /** Ours, down to the end: what is wrong with the device, its values in a line, when it last said something. */
      conditions?: StatusCondition[];
      summary?: string;
      lastReportTime?: string;
      /** By property, how many changes the edge had counted: of the reported and of the observed desired value. */
      edgeVersions?: { [property: string]: string };
      /** The node whose counts these are. */
      reportedBy?: string;
    };
};

/** `extensions` is free; ours keeps its conditions there. */
export type DeviceStatus = {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec?: { [key: string]: never };
  status?: DeviceStatusFields & { extensions?: { [key: string]: unknown } };
};

export const propertyTypes = ['INT', 'FLOAT', 'DOUBLE', 'STRING', 'BOOLEAN', 'BYTES', 'STREAM'] as const;
export type PropertyType = (typeof propertyTypes)[number];
export type AccessMode = 'ReadWrite' | 'ReadOnly';

export type ModelProperty = {
  name?: string;
  description?: string;
  type?: PropertyType;
  accessMode?: AccessMode;
  /** Decimal numbers as text. */
  minimum?: string;
  maximum?: string;
  unit?: string;
  visitors?: ProtocolConfig;
};

export type DeviceModel = {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec?: { protocol?: string; protocolConfigData?: ConfigData; properties?: ModelProperty[] };
};

/** On a Device: the properties of which every sample is delivered to the cloud, separated by commas; `*` is all of them. */
export const deliverSamplesAnnotation = 'devices.kedge.io/deliver-samples';

export function deliversSamples(device: Device, property: string): boolean {
  const marked = device.metadata.annotations?.[deliverSamplesAnnotation];
  if (marked === undefined) return false;
  return marked.split(',').some((name) => name.trim() === '*' || name.trim() === property);
}

/** A device as topics and edges call it. */
export const deviceId = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string =>
  `${namespace}/${name}`;

export function parseDeviceId(id: string): { namespace: string; name: string } | undefined {
  const [namespace, name, more] = id.split('/');
  return namespace && name && more === undefined ? { namespace, name } : undefined;
}

/** Whether and how often (milliseconds) the mapper reports the device's state, in either version's place. */
export function stateReportOf(device: Device): StateReport | undefined {
  const { reportToCloud, reportCycle } = device.status ?? {};
  if (device.spec?.stateReport) return device.spec.stateReport;
  if (reportToCloud === undefined && reportCycle === undefined) return undefined;
  return {
    ...(reportToCloud === undefined ? {} : { reportToCloud }),
    ...(reportCycle === undefined ? {} : { reportCycle }),
  };
}
