// The configuration files a site writes for its own daemons. They are ordinary ones: a user can copy and change them.
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { SiteLayout, SitePorts } from './layout.ts';
import { mqttUser } from './mqtt-password.ts';

export function cloudcoreConfig(layout: SiteLayout, ports: SitePorts): string {
  return stringify({
    apiVersion: 'cloudcore.config.kubeedge.io/v1alpha1',
    kind: 'CloudCore',
    commonConfig: { monitorServer: { bindAddress: `127.0.0.1:${ports.monitor}` } },
    kubeAPIConfig: { kubeConfig: layout.cloudcore.kubeconfig },
    modules: {
      cloudHub: {
        advertiseAddress: ['127.0.0.1'],
        dnsNames: ['localhost'],
        websocket: { enable: true, address: '127.0.0.1', port: ports.hub },
        https: { enable: true, address: '127.0.0.1', port: ports.hubHttps },
      },
      admission: { address: '127.0.0.1', port: ports.admission },
      deviceController: { samples: { path: layout.cloudcore.samples } },
    },
  });
}

export interface EdgeFacts {
  readonly node: string;
  readonly token: string;
  readonly runtimeSocket: string;
  readonly cgroupRoot: string;
  readonly pauseImage: string;
  /** Of the MQTT broker inside; absent: there is none. */
  readonly mqttPassword?: string | undefined;
}

export function edgecoreConfig(layout: SiteLayout, ports: SitePorts, facts: EdgeFacts): string {
  const { directory } = layout.edge;
  return stringify({
    apiVersion: 'edgecore.config.kubeedge.io/v1alpha2',
    kind: 'EdgeCore',
    database: { dataSource: join(directory, 'edgecore.db') },
    modules: {
      edgeHub: {
        heartbeat: 15,
        httpServer: `https://127.0.0.1:${ports.hubHttps}`,
        token: facts.token,
        tlsCaFile: join(directory, 'ca', 'rootCA.crt'),
        tlsCertFile: join(directory, 'certs', 'server.crt'),
        tlsPrivateKeyFile: join(directory, 'certs', 'server.key'),
        websocket: { enable: true, server: `127.0.0.1:${ports.hub}` },
      },
      deviceTwin: { enable: true, dmiSockPath: layout.edge.dmiSocket, apiSockPath: layout.edge.deviceSocket },
      ...(facts.mqttPassword === undefined
        ? {}
        : {
            eventBus: {
              enable: true,
              mqttMode: 0,
              mqttServerInternal: `tcp://127.0.0.1:${ports.mqtt}`,
              internalBroker: { username: mqttUser, password: facts.mqttPassword },
            },
          }),
      edged: {
        hostnameOverride: facts.node,
        reportEvent: true,
        rootDirectory: join(directory, 'kubelet'),
        podSandboxImage: facts.pauseImage,
        kubeletServer: { enable: true, port: ports.kubelet },
        tailoredKubeletConfig: {
          containerRuntimeEndpoint: `unix://${facts.runtimeSocket}`,
          cgroupRoot: facts.cgroupRoot,
          cgroupDriver: 'cgroupfs',
          podLogsDir: join(directory, 'pod-logs'),
        },
      },
    },
  });
}
