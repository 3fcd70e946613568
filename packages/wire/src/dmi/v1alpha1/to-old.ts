// Devices and models of v1beta1 as v1alpha1 has them. Pure. What has a place of its own there goes to that, everything else
// to the free values beside it; whatever mappers in Go take for granted is present.
import { type ConfigValue, fromAny } from '../config-values.ts';
import type * as dmi from '../dmi.generated.ts';
import type * as old from './dmi-v1alpha1.generated.ts';

type Values = Readonly<Record<string, ConfigValue>>;

/** `model` is the one of the device: a twin says its type, which is how a mapper knows what to make of a reading. */
export function toOldDevice(device: dmi.Device, model: dmi.DeviceModel): old.Device {
  const types = new Map((model.spec?.properties ?? []).map(({ name = '', type = '' }) => [name, type.toLowerCase()]));
  const protocol = device.spec?.protocol;
  const kind = protocol?.protocolName ?? '';
  const properties = (device.spec?.properties ?? []).filter(({ name = '' }) => types.get(name) !== 'stream');
  return {
    name: device.name,
    spec: {
      deviceModelReference: device.spec?.deviceModelReference,
      protocol: toProtocol(kind, protocol?.configData),
      propertyVisitors: properties.map((property) => toVisitor(kind, property)),
    },
    status: {
      // Each property has one: those that have none are not read.
      twins: properties.map(({ name = '', desired }) => ({
        propertyName: name,
        desired: {
          value: desired?.value ?? '',
          metadata: { timestamp: '0', ...desired?.metadata, type: types.get(name) ?? 'string' },
        },
        reported: { value: '', metadata: { timestamp: '0', type: types.get(name) ?? 'string' } },
      })),
      state: '',
    },
  };
}

/** Streams are unknown there. */
export const toOldModel = ({ name, spec }: dmi.DeviceModel, protocol: string): old.DeviceModel => ({
  name,
  spec: {
    protocol,
    commands: [],
    properties: (spec?.properties ?? []).flatMap((property): old.DeviceProperty[] => {
      const type = toType(property);
      return type ? [{ name: property.name, description: property.description, type }] : [];
    }),
  },
});

function toType(property: dmi.ModelProperty): old.PropertyType | undefined {
  const { accessMode, unit, minimum, maximum } = property;
  const whole = { accessMode, unit, minimum: toLong(minimum), maximum: toLong(maximum) };
  const decimal = { accessMode, unit, minimum: toNumber(minimum), maximum: toNumber(maximum) };
  switch (property.type?.toUpperCase()) {
    case 'INT':
      return { int: whole };
    case 'FLOAT':
      return { float: decimal };
    case 'DOUBLE':
      return { double: decimal };
    case 'BOOLEAN':
      return { boolean: { accessMode } };
    case 'BYTES':
      return { bytes: { accessMode } };
    case 'STREAM':
      return undefined;
    default:
      return { string: { accessMode } };
  }
}

const commonLongs = ['reconnTimeout', 'reconnRetryTimes', 'collectTimeout', 'collectRetryTimes'] as const;
const commonTexts = ['commType', 'collectType'] as const;

function toProtocol(kind: string, config: dmi.CustomizedValue | undefined): old.ProtocolConfig {
  const rest = new Rest(config);
  switch (kind) {
    case 'modbus': {
      const modbus = { slaveID: rest.long('slaveID') };
      return { modbus, common: toCommon(rest) };
    }
    case 'opcua': {
      const opcua = {
        url: rest.text('url'),
        userName: rest.text('userName'),
        password: rest.text('password'),
        securityPolicy: rest.text('securityPolicy'),
        securityMode: rest.text('securityMode'),
        certificate: rest.text('certificate'),
        privateKey: rest.text('privateKey'),
        timeout: rest.long('timeout'),
      };
      return { opcua, common: toCommon(rest) };
    }
    case 'bluetooth': {
      const bluetooth = { macAddress: rest.text('macAddress') };
      return { bluetooth, common: toCommon(rest) };
    }
    default:
      return {
        customizedProtocol: { protocolName: kind, configData: { data: { ...config?.data } } },
        common: { customizedValues: { data: {} } },
      };
  }
}

/** How the device is connected. */
function toCommon(rest: Rest): old.ProtocolConfigCommon {
  rest.text('communicateMode');
  const common: old.ProtocolConfigCommon = {};
  for (const key of commonLongs) common[key] = rest.long(key);
  for (const key of commonTexts) common[key] = rest.text(key);
  if (rest.has('serialPort')) {
    common.com = {
      serialPort: rest.text('serialPort'),
      baudRate: rest.long('baudRate'),
      dataBits: rest.long('dataBits'),
      parity: rest.text('parity'),
      stopBits: rest.long('stopBits'),
    };
  }
  if (rest.has('ip')) common.tcp = { ip: rest.text('ip'), port: rest.long('port') };
  return { ...common, customizedValues: { data: rest.data() } };
}

function toVisitor(kind: string, property: dmi.DeviceProperty): old.DevicePropertyVisitor {
  const rest = new Rest(property.visitors?.configData);
  const visitor: old.DevicePropertyVisitor = {
    propertyName: property.name,
    reportCycle: toNanoseconds(property.reportCycle),
    collectCycle: toNanoseconds(property.collectCycle),
  };
  switch (kind) {
    case 'modbus':
      visitor.modbus = {
        register: rest.text('register'),
        offset: rest.long('offset'),
        limit: rest.long('limit'),
        scale: rest.number('scale') || 1,
        isSwap: rest.flag('isSwap'),
        isRegisterSwap: rest.flag('isRegisterSwap'),
      };
      break;
    case 'opcua':
      visitor.opcua = { nodeID: rest.text('nodeID'), browseName: rest.text('browseName') };
      break;
    case 'bluetooth':
      visitor.bluetooth = {
        characteristicUUID: rest.text('characteristicUUID'),
        dataWrite: toDataWrite(rest.json('dataWrite')),
        dataConverter: toConverter(rest.json('dataConverter')),
      };
      break;
    default:
      visitor.customizedProtocol = {
        protocolName: property.visitors?.protocolName || kind,
        configData: { data: rest.data() },
      };
      return visitor;
  }
  // Where a type stands today, it is the model's.
  rest.text('dataType');
  const data = rest.data();
  return Object.keys(data).length > 0 ? { ...visitor, customizedValues: { data } } : visitor;
}

/** Milliseconds, unless they are so many that they must have been nanoseconds all along. */
const toNanoseconds = (cycle = 0n): bigint => (cycle >= 1_000_000_000n ? cycle : cycle * 1_000_000n);

const toNumber = (value: unknown): number => (Number.isFinite(Number(value)) ? Number(value) : 0);
const toLong = (value: unknown): bigint => {
  const number = Math.trunc(toNumber(value));
  return Number.isSafeInteger(number) ? BigInt(number) : 0n;
};

/** The values of a configuration; what is asked for has found its place, `data` is what has not. */
class Rest {
  readonly #data: Map<string, dmi.Any>;
  readonly #values: Values;

  constructor(config: dmi.CustomizedValue | undefined) {
    this.#data = new Map(Object.entries(config?.data ?? {}));
    this.#values = Object.fromEntries(
      [...this.#data].flatMap(([key, any]) => {
        const value = fromAny(any);
        return value === undefined ? [] : [[key, value]];
      }),
    );
  }
  has(key: string): boolean {
    return this.#values[key] !== undefined;
  }
  #take(key: string): ConfigValue | undefined {
    this.#data.delete(key);
    return this.#values[key];
  }
  text(key: string): string {
    return String(this.#take(key) ?? '');
  }
  number(key: string): number {
    return toNumber(this.#take(key));
  }
  long(key: string): bigint {
    return toLong(this.#take(key));
  }
  flag(key: string): boolean {
    return String(this.#take(key)) === 'true';
  }
  /** A group of keys came as text. */
  json(key: string): Readonly<Record<string, unknown>> {
    try {
      const value: unknown = JSON.parse(this.text(key));
      return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
    } catch {
      return {};
    }
  }
  data(): { [key: string]: dmi.Any } {
    return Object.fromEntries(this.#data);
  }
}

/** `{"ON": [1]}`, or the bytes in base64. */
function toDataWrite(written: Readonly<Record<string, unknown>>): { [key: string]: Uint8Array } {
  return Object.fromEntries(
    Object.entries(written).flatMap(([key, bytes]): [string, Uint8Array][] => {
      if (Array.isArray(bytes)) return [[key, Uint8Array.from(bytes.map(toNumber))]];
      return typeof bytes === 'string' ? [[key, fromBase64(bytes)]] : [];
    }),
  );
}

function fromBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    return new Uint8Array(0);
  }
}

function toConverter(converter: Readonly<Record<string, unknown>>): old.BluetoothReadConverter {
  const operations = Array.isArray(converter['orderOfOperations']) ? converter['orderOfOperations'] : [];
  return {
    startIndex: toLong(converter['startIndex']),
    endIndex: toLong(converter['endIndex']),
    shiftLeft: toLong(converter['shiftLeft']),
    shiftRight: toLong(converter['shiftRight']),
    orderOfOperations: operations.map((operation: Readonly<Record<string, unknown>> | null) => ({
      operationType: String(operation?.['operationType'] ?? ''),
      operationValue: toNumber(operation?.['operationValue']),
    })),
  };
}
