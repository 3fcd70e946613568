// The devices of a new site, so that there is something to read and to set: what they are in the API, and the processes
// that make them up and speak with them. They are applied once; whoever deletes them is not argued with.
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import type { KubeApi } from '@kedge/engine/kube-client';
import { highestTarget, lowestTarget } from '@kedge/devices/simulated';
import { isStatus } from '@kedge/model/k8s';
import {
  type ConfigData,
  type Device,
  type DeviceModel,
  deviceModels,
  devices,
  devicesApiVersion,
} from '@kedge/model/kubeedge';
import type { SiteLayout, SitePorts } from './layout.ts';

const namespace = 'default';
const labels = { 'app.kubernetes.io/part-of': 'kedge-sample' };
const modbus = (configData: Readonly<Record<string, unknown>>) => ({ protocolName: 'modbus', configData });

const thermostatModel: DeviceModel = {
  apiVersion: devicesApiVersion,
  kind: 'DeviceModel',
  metadata: { name: 'thermostat', namespace, labels },
  spec: {
    protocol: 'modbus',
    properties: [
      { name: 'temperature', description: 'of the room', type: 'FLOAT', accessMode: 'ReadOnly', unit: 'Celsius' },
      {
        name: 'target',
        description: 'what the temperature is to be',
        type: 'FLOAT',
        accessMode: 'ReadWrite',
        minimum: String(lowestTarget),
        maximum: String(highestTarget),
        unit: 'Celsius',
      },
      { name: 'heating', description: 'whether it heats', type: 'BOOLEAN', accessMode: 'ReadOnly' },
      { name: 'enabled', description: 'whether it is switched on', type: 'BOOLEAN', accessMode: 'ReadWrite' },
    ],
  },
};

const cycles = { collectCycle: 1_000, reportCycle: 1_000, reportToCloud: true } as const;

const thermostat = (node: string, port: number): Device => ({
  apiVersion: devicesApiVersion,
  kind: 'Device',
  metadata: { name: 'thermostat', namespace, labels },
  spec: {
    deviceModelRef: { name: 'thermostat' },
    nodeName: node,
    protocol: modbus({ communicateMode: 'TCP', ip: '127.0.0.1', port, slaveID: 1 }),
    properties: [
      {
        name: 'temperature',
        ...cycles,
        visitors: modbus({ register: 'InputRegister', offset: 0, dataType: 'int16', scale: 0.1 }),
      },
      {
        name: 'target',
        ...cycles,
        desired: { value: '21' },
        visitors: modbus({ register: 'HoldingRegister', offset: 0, dataType: 'int16', scale: 0.1 }),
      },
      { name: 'heating', ...cycles, visitors: modbus({ register: 'DiscreteInputRegister', offset: 0 }) },
      { name: 'enabled', ...cycles, visitors: modbus({ register: 'CoilRegister', offset: 0 }) },
    ],
    methods: [
      { name: 'setTarget', description: 'what the temperature is to be', propertyNames: ['target'] },
      { name: 'switch', description: 'on or off', propertyNames: ['enabled'] },
    ],
  },
});

const opcua = (configData: Readonly<Record<string, unknown>>) => ({ protocolName: 'opcua', configData });

const tankModel: DeviceModel = {
  apiVersion: devicesApiVersion,
  kind: 'DeviceModel',
  metadata: { name: 'tank', namespace, labels },
  spec: {
    protocol: 'opcua',
    properties: [
      { name: 'level', description: 'how full it is', type: 'DOUBLE', accessMode: 'ReadOnly', unit: '%' },
      { name: 'flow', description: 'what the pump brings', type: 'DOUBLE', accessMode: 'ReadOnly', unit: '%/min' },
      {
        name: 'speed',
        description: 'of the pump',
        type: 'DOUBLE',
        accessMode: 'ReadWrite',
        minimum: '0',
        maximum: '100',
        unit: '%',
      },
      { name: 'pump', description: 'whether the pump runs', type: 'BOOLEAN', accessMode: 'ReadWrite' },
    ],
  },
};

const tank = (node: string, port: number): Device => ({
  apiVersion: devicesApiVersion,
  kind: 'Device',
  metadata: { name: 'tank', namespace, labels },
  spec: {
    deviceModelRef: { name: 'tank' },
    nodeName: node,
    // The tank and the mapper are on one machine, and so is who could come between them.
    protocol: opcua({ url: `opc.tcp://127.0.0.1:${port}`, securityPolicy: 'Basic256Sha256', trustOnFirstUse: true }),
    properties: [
      { name: 'level', ...cycles, visitors: opcua({ nodeID: 'ns=1;s=Level' }) },
      { name: 'flow', ...cycles, visitors: opcua({ nodeID: 'ns=1;s=Flow' }) },
      { name: 'speed', ...cycles, desired: { value: '50' }, visitors: opcua({ nodeID: 'ns=1;s=Speed' }) },
      { name: 'pump', ...cycles, visitors: opcua({ nodeID: 'ns=1;s=Pump' }) },
    ],
    methods: [{ name: 'switch', description: 'the pump, on or off', propertyNames: ['pump'] }],
  },
});

const sampleDevices = (node: string, ports: SitePorts): readonly Device[] => [
  thermostat(node, ports.thermostat),
  tank(node, ports.tank),
];

/** What is there already stays as it is. */
export async function applySampleDevices(
  api: KubeApi,
  node: string,
  ports: SitePorts,
  signal: AbortSignal,
): Promise<void> {
  const objects = [
    { resource: deviceModels, object: thermostatModel },
    { resource: deviceModels, object: tankModel },
    ...sampleDevices(node, ports).map((object) => ({ resource: devices, object })),
  ];
  for (const { resource, object } of objects) {
    try {
      await api.create(resource, namespace, object, { signal });
    } catch (error) {
      if (!isStatus(error, 'AlreadyExists')) throw error;
    }
  }
}

/** A site that was started with another base of ports has its devices elsewhere; who made them theirs is not argued with. */
export async function moveSampleDevices(
  api: KubeApi,
  node: string,
  ports: SitePorts,
  signal: AbortSignal,
): Promise<void> {
  for (const { metadata, spec } of sampleDevices(node, ports)) {
    const target = { namespace, name: metadata.name! };
    const there = (await api.get(devices, target, { signal }).catch((error: unknown) => {
      if (!isStatus(error, 'NotFound')) throw error;
      return undefined;
    })) as Device | undefined;
    const move = planMove(there, spec?.protocol?.configData);
    if (move) await api.patch(devices, target, 'merge', JSON.stringify(move), { signal });
  }
}

/** Only the place, and only of a device that is still on this machine's loopback. */
export function planMove(there: Device | undefined, wanted: ConfigData = {}): Record<string, unknown> | undefined {
  const now = there?.spec?.protocol?.configData;
  if (there?.metadata.labels?.['app.kubernetes.io/part-of'] !== labels['app.kubernetes.io/part-of'] || !now)
    return undefined;
  const place = Object.entries(wanted).filter(([key]) => key === 'port' || key === 'url');
  const isLocal = now['ip'] === '127.0.0.1' || String(now['url']).startsWith('opc.tcp://127.0.0.1:');
  if (!isLocal || place.every(([key, value]) => now[key] === value)) return undefined;
  return { spec: { protocol: { configData: Object.fromEntries(place) } } };
}

export interface DeviceProcess {
  readonly name: string;
  readonly args: readonly string[];
  /** Written before it is started. */
  readonly config?: { readonly path: string; readonly text: string };
}

/** Each device before its mapper: one that finds its device at once need not try again. */
export function deviceProcesses(layout: SiteLayout, ports: SitePorts): readonly DeviceProcess[] {
  const simulated = (name: string, port: number): DeviceProcess => ({
    name: `simulated-${name}`,
    args: ['device', 'simulate', '--data', layout.devices.directory, `--${name}`, String(port)],
  });
  return [
    simulated('thermostat', ports.thermostat),
    mapper(layout, 'modbus', ports.modbusMapper),
    simulated('tank', ports.tank),
    mapper(layout, 'opcua', ports.opcuaMapper),
  ];
}

function mapper(layout: SiteLayout, protocol: string, restPort: number): DeviceProcess {
  const path = join(layout.devices.directory, `${protocol}-mapper.yaml`);
  const text = stringify({
    grpc_server: { socket_path: join(dirname(layout.edge.dmiSocket), `${protocol}-mapper.sock`) },
    common: {
      edgecore_sock: layout.edge.dmiSocket,
      http_port: String(restPort),
      data_dir: layout.devices.directory,
    },
  });
  return { name: `${protocol}-mapper`, args: ['mapper', protocol, '--config-file', path], config: { path, text } };
}
