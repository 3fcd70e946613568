// devices.kubeedge.io: v1beta1 as KubeEdge v1.22 stores it, with what v1.23 added and a few status fields of ours beside;
// v1alpha2 is served so that old files can be read and applied, and converted by whoever reads them (`readDevice`).
import { propertyTypes } from '../kubeedge/index.ts';
import {
  anything,
  type Column,
  definition,
  flag,
  int,
  kindOf,
  labelSelector,
  list,
  number,
  object,
  text,
  textMap,
} from './schema-parts.ts';

const group = 'devices.kubeedge.io';
const int64 = (description?: string) => int('int64', description);
const accessMode = text('Whether the property can be set.', { enum: ['ReadWrite', 'ReadOnly'] });
const atomicList = { 'x-kubernetes-list-type': 'atomic' } as const;
const atomicMap = { 'x-kubernetes-map-type': 'atomic' } as const;

const twinProperty = (description: string) =>
  object(
    {
      value: text('The value as text.'),
      metadata: textMap({ description: 'Conventional keys: timestamp (ms), type.' }),
    },
    { required: ['value'], description },
  );

const configured = (description: string) =>
  object({ protocolName: text(), configData: anything('Whatever the protocol needs.') }, { description });

const pushMethod = object({
  http: object({ hostName: text(), port: int64(), requestPath: text(), timeout: int64() }),
  mqtt: object({ address: text(), topic: text(), qos: int('int32'), retained: flag() }),
  otel: object({ endpointURL: text() }),
  dbMethod: object({
    influxdb2: object({
      influxdb2ClientConfig: object({ url: text(), org: text(), bucket: text() }),
      influxdb2DataConfig: object({ measurement: text(), tag: textMap(), fieldKey: text() }),
    }),
    redis: object({ redisClientConfig: object({ addr: text(), db: int(), poolsize: int(), minIdleConns: int() }) }),
    TDEngine: object({ TDEngineClientConfig: object({ addr: text(), dbName: text() }) }),
    mysql: object({ mysqlClientConfig: object({ addr: text(), database: text(), userName: text() }) }),
  }),
  anomalyDetection: anything('Since v1.23.'),
});

const stateReport = {
  reportToCloud: flag('Whether the mapper reports the state.'),
  reportCycle: int64('Milliseconds.'),
};

const modelReference = object(
  { name: text('A DeviceModel in the namespace of the device.', { default: '' }) },
  atomicMap,
);

const deviceSpec = object(
  {
    deviceModelRef: modelReference,
    nodeName: text('The node that the device is connected to.'),
    properties: list(
      object({
        name: text('One of the properties of the model; unique.'),
        desired: twinProperty('What the property is to be.'),
        visitors: configured('How the mapper reaches the property.'),
        reportCycle: int64('Milliseconds between pushes.'),
        collectCycle: int64('Milliseconds between readings.'),
        reportToCloud: flag('Whether the value is reported to the cloud.'),
        pushMethod,
      }),
    ),
    protocol: configured('How the mapper reaches the device; protocolName chooses the mapper.'),
    methods: list(object({ name: text(), description: text(), propertyNames: list(text()) })),
    stateReport: object(stateReport, { description: 'Since v1.23; before, these stand in the status.' }),
  },
  { description: 'What the device is and how it is reached.' },
);

const conditions = list(
  object(
    {
      type: text(),
      status: text(undefined, { enum: ['True', 'False', 'Unknown'] }),
      reason: text(),
      message: text(),
      lastTransitionTime: text(undefined, { format: 'date-time' }),
    },
    { required: ['type', 'status'] },
  ),
  { description: 'What is as it should be about the device, and what is not.' },
);

const statusFields = {
  twins: list(
    object({
      propertyName: text(),
      reported: twinProperty('What the device says.'),
      observedDesired: twinProperty('The desired value that the mapper has seen.'),
    }),
  ),
  state: text('As the mapper reports it: online, offline, ok, unknown, unhealthy.'),
  lastOnlineTime: text('RFC 3339.'),
};

const deviceStatus = object(
  {
    ...statusFields,
    ...stateReport,
    conditions,
    summary: text('The first reported values, in a line.'),
    lastReportTime: text('When the device last reported something.', { format: 'date-time' }),
    reportedBy: text('The node that reported.'),
    edgeVersions: textMap({ description: 'By property, how many changes of its two values the edge had counted.' }),
  },
  { description: 'What the edge reports of the device.' },
);

const deviceColumns: readonly Column[] = [
  { name: 'Node', type: 'string', jsonPath: '.spec.nodeName' },
  { name: 'Protocol', type: 'string', jsonPath: '.spec.protocol.protocolName' },
  { name: 'State', type: 'string', jsonPath: '.status.state' },
  { name: 'Values', type: 'string', jsonPath: '.status.summary' },
  { name: 'Last-Seen', type: 'date', jsonPath: '.status.lastReportTime' },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  { name: 'Model', type: 'string', jsonPath: '.spec.deviceModelRef.name', priority: 1 },
  { name: 'Valid', type: 'string', jsonPath: '.status.conditions[?(@.type=="Valid")].reason', priority: 1 },
];

const oldNodeSelector = object(
  {
    nodeSelectorTerms: list(
      object(
        {
          matchExpressions: labelSelector.properties!['matchExpressions']!,
          matchFields: labelSelector.properties!['matchExpressions']!,
        },
        atomicMap,
      ),
      atomicList,
    ),
  },
  { required: ['nodeSelectorTerms'], ...atomicMap },
);

const oldVisitor = object({
  propertyName: text(),
  reportCycle: int64(),
  collectCycle: int64(),
  customizedValues: anything(),
  opcua: object({ nodeID: text(), browseName: text() }),
  modbus: object({
    register: text(undefined, { enum: ['CoilRegister', 'DiscreteInputRegister', 'InputRegister', 'HoldingRegister'] }),
    offset: int64(),
    limit: int64(),
    scale: number(),
    isSwap: flag(),
    isRegisterSwap: flag(),
  }),
  bluetooth: object({
    characteristicUUID: text(),
    dataWrite: { type: 'object', additionalProperties: { type: 'string', format: 'byte' } },
    dataConverter: object({
      startIndex: int(),
      endIndex: int(),
      shiftLeft: int(),
      shiftRight: int(),
      orderOfOperations: list(object({ operationType: text(), operationValue: number() })),
    }),
  }),
  customizedProtocol: object({ protocolName: text(), configData: anything() }),
});

const baudRates = [
  115_200, 57_600, 38_400, 19_200, 9_600, 4_800, 2_400, 1_800, 1_200, 600, 300, 200, 150, 134, 110, 75, 50,
];

const oldProtocol = object({
  opcua: object({
    url: text(),
    userName: text(),
    password: text(),
    securityPolicy: text(),
    securityMode: text(),
    certificate: text(),
    privateKey: text(),
    timeout: int64(),
  }),
  modbus: object({ slaveID: int64() }),
  bluetooth: object({ macAddress: text() }),
  common: object({
    com: object({
      serialPort: text(),
      baudRate: int('int64', undefined, { enum: baudRates }),
      dataBits: int('int64', undefined, { enum: [8, 7, 6, 5] }),
      parity: text(undefined, { enum: ['none', 'even', 'odd'] }),
      stopBits: int('int64', undefined, { enum: [1, 2] }),
    }),
    tcp: object({ ip: text(), port: int64() }),
    commType: text(),
    reconnTimeout: int64(),
    reconnRetryTimes: int64(),
    collectTimeout: int64(),
    collectRetryTimes: int64(),
    collectType: text(undefined, { enum: ['sync', 'async'] }),
    customizedValues: anything(),
  }),
  customizedProtocol: object({ protocolName: text(), configData: anything() }),
});

const oldTwins = list(
  object({
    propertyName: text(),
    desired: twinProperty('What the property is to be.'),
    reported: twinProperty('What the device says.'),
  }),
);

const oldDevice = kindOf('A device, as KubeEdge up to v1.14 had it.', {
  spec: object({
    deviceModelRef: modelReference,
    nodeSelector: oldNodeSelector,
    protocol: oldProtocol,
    propertyVisitors: list(oldVisitor),
    data: object({
      dataProperties: list(object({ propertyName: text(), metadata: textMap() })),
      dataTopic: text(),
    }),
  }),
  status: object({ twins: oldTwins }),
});

const ranged = (value: typeof number) =>
  object({
    accessMode,
    defaultValue: value(),
    minimum: value(),
    maximum: value(),
    unit: text(),
  });

const oldModel = kindOf('A device model, as KubeEdge up to v1.14 had it.', {
  spec: object({
    protocol: text(),
    properties: list(
      object({
        name: text(),
        description: text(),
        type: object({
          int: ranged(() => int('int64')),
          string: object({ accessMode, defaultValue: text() }),
          double: ranged(number),
          float: ranged(number),
          boolean: object({ accessMode, defaultValue: flag() }),
          bytes: object({ accessMode }),
        }),
      }),
    ),
  }),
});

const model = kindOf('What devices of one make have in common.', {
  spec: object({
    protocol: text('The protocol that the mapper speaks.'),
    protocolConfigData: anything('Defaults for spec.protocol.configData of the devices.'),
    properties: list(
      object({
        name: text('Unique.'),
        description: text(),
        type: text(undefined, { enum: [...propertyTypes] }),
        accessMode,
        minimum: text('A number, as text.'),
        maximum: text('A number, as text.'),
        unit: text(),
        visitors: configured('Defaults for visitors of the devices.'),
      }),
    ),
  }),
});

export const deviceDefinitions = [
  definition({
    group,
    kind: 'DeviceModel',
    plural: 'devicemodels',
    scope: 'Namespaced',
    versions: [
      { name: 'v1alpha2', storage: false, schema: oldModel },
      {
        name: 'v1beta1',
        storage: true,
        schema: model,
        columns: [
          { name: 'Protocol', type: 'string', jsonPath: '.spec.protocol' },
          { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
        ],
      },
    ],
  }),
  definition({
    group,
    kind: 'Device',
    plural: 'devices',
    scope: 'Namespaced',
    versions: [
      { name: 'v1alpha2', storage: false, schema: oldDevice },
      {
        name: 'v1beta1',
        storage: true,
        schema: kindOf('A device at an edge node.', { spec: deviceSpec, status: deviceStatus }),
        columns: deviceColumns,
      },
    ],
  }),
  definition({
    group,
    kind: 'DeviceStatus',
    plural: 'devicestatuses',
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1alpha2',
        storage: false,
        schema: object({ twins: oldTwins }, { description: 'As upstream serves it; nothing writes it.' }),
      },
      {
        name: 'v1beta1',
        storage: true,
        schema: kindOf('What the edge reports of the device of the same name; since v1.23.', {
          spec: { type: 'object' },
          status: object({
            ...statusFields,
            extensions: anything('More about the device; ours keeps its conditions here.'),
          }),
        }),
        columns: [
          { name: 'State', type: 'string', jsonPath: '.status.state' },
          { name: 'Values', type: 'string', jsonPath: '.status.extensions.summary' },
          { name: 'Last-Seen', type: 'date', jsonPath: '.status.extensions.lastReportTime' },
        ],
      },
    ],
  }),
];
