// From what a search came upon to a DeviceModel and a Device that somebody can read, change and apply. Pure.
import { type Device, type DeviceModel, devicesApiVersion, type ModelProperty } from '@kedge/model/kubeedge';
import type { FoundDevice } from './driver.ts';

export interface Proposal {
  readonly model: DeviceModel;
  readonly device: Device;
}

export interface ProposalPlace {
  readonly protocol: string;
  readonly node: string;
  readonly namespace: string;
}

const cycles = { collectCycle: 1_000, reportCycle: 1_000, reportToCloud: true } as const;

export function proposeDevice(found: FoundDevice, { protocol, node, namespace }: ProposalPlace): Proposal {
  const { name, description, protocolConfig, properties } = found;
  const annotations = description === undefined ? {} : { annotations: { 'devices.kedge.io/found': description } };
  const metadata = { name, namespace, ...annotations };
  return {
    model: {
      apiVersion: devicesApiVersion,
      kind: 'DeviceModel',
      metadata,
      spec: {
        protocol,
        properties: properties.map(modelProperty),
      },
    },
    device: {
      apiVersion: devicesApiVersion,
      kind: 'Device',
      metadata,
      spec: {
        deviceModelRef: { name },
        nodeName: node,
        protocol: { protocolName: protocol, configData: protocolConfig },
        properties: properties.map((property) => ({
          name: property.name,
          ...cycles,
          visitors: { protocolName: protocol, configData: property.visitorConfig },
        })),
      },
    },
  };
}

function modelProperty(found: FoundDevice['properties'][number]): ModelProperty {
  const { name, type, access, description, unit, minimum, maximum } = found;
  return {
    name,
    type,
    accessMode: access,
    ...(description === undefined ? {} : { description }),
    ...(unit === undefined ? {} : { unit }),
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
  };
}
