// Devices that are made up, and a mapper for them that is our SDK in this process: whatever is measured, it is not theirs.
import { join } from 'node:path';
import { openScope } from '@kedge/core/flow';
import { silentLog } from '@kedge/core/log';
import { createMetrics } from '@kedge/core/metrics';
import { seconds } from '@kedge/core/time';
import { createMapper, defineMapper, object, type Reading, required, text } from '@kedge/devices/mapper-sdk';
import type { KubeApi } from '@kedge/engine/kube-client';
import { deviceModels, devices } from '@kedge/model/kubeedge';
import { grpcServers, openGrpcChannel } from '@kedge/platform/grpc';
import { createHttpClient, createHttpServers, createRandom, systemClock } from '@kedge/platform/node';

export interface World {
  /** What devices were told, by `<device>/<property>`; called when they are. */
  onWrite: (device: string, property: string, value: string) => void;
  /** By device, tells the mapper of readings. */
  readonly tell: Map<string, (readings: readonly Reading[]) => void>;
}

/** Devices that take everything and tell of changes by themselves; `polled` ones count, and are read. */
export async function startMapper(
  at: { readonly directory: string; readonly dmiSocket: string },
  protocol: string,
  world: World,
): Promise<() => Promise<unknown>> {
  let count = 0;
  const driver = defineMapper({
    name: `${protocol}-mapper`,
    protocol,
    version: '1.0.0',
    protocolConfig: object({ name: required(text('')), how: required(text('')) }),
    visitorConfig: object({}),
    open: async ({ name, how }) => {
      const values = new Map<string, number | string>();
      const read = (property: string): Reading => ({
        property,
        value: how === 'polled' ? (count += 1) % 1_000_000 : (values.get(property) ?? 0),
      });
      return {
        read: async (points) => points.map(({ property }) => read(property)),
        async write({ property }, value) {
          values.set(property, Number(value));
          world.onWrite(name, property, String(value));
        },
        ...(how === 'polled'
          ? {}
          : {
              async subscribe(_: unknown, onReadings: (readings: readonly Reading[]) => void) {
                world.tell.set(name, (readings) => {
                  for (const reading of readings)
                    if ('value' in reading) values.set(reading.property, Number(reading.value));
                  onReadings(readings);
                });
              },
            }),
        close: async () => undefined,
      };
    },
  });
  const http = createHttpClient({});
  const mapper = createMapper(
    driver,
    {
      clock: systemClock,
      log: silentLog,
      random: createRandom(),
      metrics: createMetrics(),
      servers: grpcServers,
      openChannel: openGrpcChannel,
      httpServers: createHttpServers({ log: silentLog }),
      push: { http, env: {}, load: (name) => import(name) },
    },
    {
      socketPath: join(at.directory, `${protocol}.sock`),
      edgecoreSocket: at.dmiSocket,
    },
  );
  const scope = openScope({ clock: systemClock, name: mapper.name });
  await mapper.start(scope);
  return async () => {
    await scope.close(seconds(5));
    await http.close();
  };
}

export const propertyNames = (count: number): string[] => Array.from({ length: count }, (_, n) => `p${n}`);

export async function createModel(kube: KubeApi, name: string, protocol: string, count: number): Promise<void> {
  await kube.create(deviceModels, 'default', {
    apiVersion: 'devices.kubeedge.io/v1beta1',
    kind: 'DeviceModel',
    metadata: { name, namespace: 'default' },
    spec: {
      protocol,
      properties: propertyNames(count).map((property) => ({ name: property, type: 'INT', accessMode: 'ReadWrite' })),
    },
  });
}

export async function createDevice(
  kube: KubeApi,
  nodeName: string,
  { name, model, protocol, count, how = 'told' }: Made,
): Promise<void> {
  await kube.create(devices, 'default', {
    apiVersion: 'devices.kubeedge.io/v1beta1',
    kind: 'Device',
    metadata: { name, namespace: 'default' },
    spec: {
      deviceModelRef: { name: model },
      nodeName,
      protocol: { protocolName: protocol, configData: { name, how } },
      properties: propertyNames(count).map((property) => ({
        name: property,
        reportToCloud: true,
        collectCycle: 1_000,
        desired: { value: '' },
        visitors: { protocolName: protocol, configData: {} },
      })),
    },
  });
}

export interface Made {
  readonly name: string;
  readonly model: string;
  readonly protocol: string;
  readonly count: number;
  readonly how?: 'told' | 'polled';
}
