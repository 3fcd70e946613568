// Where a site keeps its things and on which ports it listens. Pure: nothing is created here.
import { isAbsolute, join, resolve } from 'node:path';

export interface SitePorts {
  /** CloudHub WebSocket. */
  readonly hub: number;
  /** CloudHub HTTPS bootstrap. */
  readonly hubHttps: number;
  /** Embedded Kubernetes API. */
  readonly api: number;
  /** Webhooks and samples of devices. */
  readonly admission: number;
  /** Health and metrics of cloudcore. */
  readonly monitor: number;
  /** The kubelet's endpoints of the node. */
  readonly kubelet: number;
  /** Modbus TCP of the simulated thermostat. */
  readonly thermostat: number;
  /** OPC UA of the simulated tank. */
  readonly tank: number;
  /** REST APIs of mappers. */
  readonly modbusMapper: number;
  readonly opcuaMapper: number;
  readonly mqtt: number;
}

export interface SiteLayout {
  readonly data: string;
  readonly logs: string;
  /** Process ids and the supervisor's state. */
  readonly run: string;
  readonly kubeconfig: string;
  readonly api: { readonly directory: string; readonly config: string };
  readonly cloudcore: { readonly config: string; readonly kubeconfig: string; readonly samples: string };
  /** Sockets of mappers are in a directory of their own: pods that are mappers see that one and no more. */
  readonly edge: {
    readonly directory: string;
    readonly config: string;
    readonly dmiSocket: string;
    readonly deviceSocket: string;
    readonly mqttPassword: string;
  };
  readonly devices: { readonly directory: string };
  readonly containerd: string;
}

export const defaultPortBase = 10_000;

/** Every listening port of a site, from one base. At the default base the hub has upstream's ports. */
export const sitePorts = (base: number): SitePorts => ({
  hub: base,
  hubHttps: base + 2,
  api: base + 443,
  admission: base + 5,
  monitor: base + 91,
  kubelet: base + 250,
  thermostat: base + 202,
  tank: base + 240,
  modbusMapper: base + 277,
  opcuaMapper: base + 278,
  mqtt: base + 184,
});

export function siteLayout(directory: string): SiteLayout {
  const data = isAbsolute(directory) ? directory : resolve(directory);
  return {
    data,
    logs: join(data, 'logs'),
    run: join(data, 'run'),
    kubeconfig: join(data, 'kubeconfig'),
    api: { directory: join(data, 'api'), config: join(data, 'api', 'apiserver.json') },
    cloudcore: {
      config: join(data, 'cloudcore.yaml'),
      kubeconfig: join(data, 'api', 'cloudcore.kubeconfig'),
      samples: join(data, 'cloudcore', 'samples.db'),
    },
    edge: {
      directory: join(data, 'edge'),
      config: join(data, 'edgecore.yaml'),
      dmiSocket: join(data, 'edge', 'dmi', 'dmi.sock'),
      deviceSocket: join(data, 'edge', 'device.sock'),
      mqttPassword: join(data, 'edge', 'mqtt-password'),
    },
    devices: { directory: join(data, 'devices') },
    containerd: join(data, 'containerd'),
  };
}
