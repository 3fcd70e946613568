// Devices and models of the API as DMI's messages, with the model's defaults merged in, and with everything present that
// mappers in Go take for granted.
import type {
  ConfigData,
  Device,
  DeviceModel,
  DeviceProperty,
  ProtocolConfig,
  PushMethod,
} from '@kedge/model/kubeedge';
import { stateReportOf } from '@kedge/model/kubeedge';
import { toAny } from './config-values.ts';
import type * as dmi from './dmi.generated.ts';

export interface ToDmi {
  readonly device: dmi.Device;
  /** What could not be taken over, as sentences; the device works without it. */
  readonly left: readonly string[];
}

/** Properties that the model does not have are left out: KubeEdge's mappers crash on them. */
export function toDmiDevice(device: Device, model: DeviceModel): ToDmi {
  const left: string[] = [];
  const { spec = {}, metadata } = device;
  const known = new Map((model.spec?.properties ?? []).map((property) => [property.name, property]));
  const properties = (spec.properties ?? []).flatMap((property) => {
    const described = known.get(property.name);
    if (!property.name || !described) {
      left.push(`property "${property.name ?? ''}" is not in DeviceModel "${model.metadata.name}"`);
      return [];
    }
    return [toProperty(property, described.visitors, left)];
  });
  const report = stateReportOf(device);
  const protocol = withDefaults(spec.protocol, { configData: model.spec?.protocolConfigData ?? {} });
  return {
    left,
    device: {
      name: metadata.name ?? '',
      namespace: metadata.namespace ?? '',
      spec: {
        deviceModelReference: spec.deviceModelRef?.name ?? '',
        protocol: toConfig(protocol, 'spec.protocol.configData', left),
        properties,
        methods: (spec.methods ?? []).map(({ name = '', description = '', propertyNames = [] }) => ({
          name,
          description,
          propertyNames,
        })),
      },
      status: {
        twins: [],
        reportToCloud: report?.reportToCloud ?? false,
        reportCycle: toLong(report?.reportCycle),
      },
    },
  };
}

export const toDmiModel = ({ metadata, spec }: DeviceModel): dmi.DeviceModel => ({
  name: metadata.name ?? '',
  namespace: metadata.namespace ?? '',
  spec: {
    properties: (spec?.properties ?? []).map((property) => ({
      name: property.name ?? '',
      description: property.description ?? '',
      type: property.type ?? 'STRING',
      accessMode: property.accessMode ?? 'ReadWrite',
      minimum: property.minimum ?? '',
      maximum: property.maximum ?? '',
      unit: property.unit ?? '',
    })),
    commands: [],
  },
});

function toProperty(
  property: DeviceProperty,
  defaults: ProtocolConfig | undefined,
  left: string[],
): dmi.DeviceProperty {
  const { name = '', desired, visitors, reportCycle, collectCycle, reportToCloud = false, pushMethod } = property;
  const merged = withDefaults(visitors, defaults);
  return {
    name,
    desired: { value: desired?.value ?? '', metadata: desired?.metadata ?? {} },
    visitors: toConfig(merged, `property "${name}": visitors.configData`, left),
    reportCycle: toLong(reportCycle),
    collectCycle: toLong(collectCycle),
    reportToCloud,
    ...(pushMethod && Object.keys(pushMethod).length > 0 ? { pushMethod: toPushMethod(pushMethod) } : {}),
  };
}

/** The instance's keys win; the model's protocol name does, where it has one. */
function withDefaults(config: ProtocolConfig = {}, defaults: ProtocolConfig | undefined): ProtocolConfig {
  if (!defaults) return config;
  const configData = { ...defaults.configData, ...config.configData };
  const protocolName = defaults.protocolName ?? config.protocolName;
  return { configData, ...(protocolName === undefined ? {} : { protocolName }) };
}

function toConfig({ protocolName = '', configData }: ProtocolConfig, where: string, left: string[]) {
  return { protocolName, configData: { data: toData(configData, where, left) } };
}

function toData(configData: ConfigData | undefined, where: string, left: string[]): { [key: string]: dmi.Any } {
  const data: { [key: string]: dmi.Any } = {};
  for (const [key, value] of Object.entries(configData ?? {})) {
    const any = toAny(value);
    if (any) data[key] = any;
    else if (value !== null && value !== undefined) {
      // No field of DMI holds it: as JSON text a mapper can at least read it.
      data[key] = toAny(JSON.stringify(value))!;
      left.push(`${where}.${key} is no plain value: it is handed to the mapper as JSON text`);
    }
  }
  return data;
}

const toLong = (value: number | undefined): bigint => BigInt(Number.isSafeInteger(value) ? value! : 0);

function toPushMethod({ http, mqtt, otel, dbMethod }: PushMethod): dmi.PushMethod {
  return {
    ...(http && {
      http: {
        hostname: http.hostName ?? '',
        port: toLong(http.port),
        requestpath: http.requestPath ?? '',
        timeout: toLong(http.timeout),
      },
    }),
    ...(mqtt && {
      mqtt: {
        address: mqtt.address ?? '',
        topic: mqtt.topic ?? '',
        qos: mqtt.qos ?? 0,
        retained: mqtt.retained ?? false,
      },
    }),
    ...(otel && { otel: { endpointURL: otel.endpointURL ?? '' } }),
    ...(dbMethod && {
      dbMethod: {
        ...(dbMethod.influxdb2 && {
          influxdb2: {
            influxdb2ClientConfig: dbMethod.influxdb2.influxdb2ClientConfig ?? {},
            influxdb2DataConfig: dbMethod.influxdb2.influxdb2DataConfig ?? {},
          },
        }),
        ...(dbMethod.redis && { redis: { redisClientConfig: dbMethod.redis.redisClientConfig ?? {} } }),
        ...(dbMethod.TDEngine && {
          tdengine: {
            tdEngineClientConfig: {
              addr: dbMethod.TDEngine.TDEngineClientConfig?.addr ?? '',
              dbname: dbMethod.TDEngine.TDEngineClientConfig?.dbName ?? '',
            },
          },
        }),
        ...(dbMethod.mysql && { mysql: { mysqlClientConfig: dbMethod.mysql.mysqlClientConfig ?? {} } }),
      },
    }),
  };
}
