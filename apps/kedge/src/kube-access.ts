// A Kubernetes API as a kubeconfig names it: reads the file, opens the connections, hands out the client.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadKubeconfig, createKubeClient, type KubeApi } from '@kedge/engine/kube-client';
import { createFiles, createHttpClient, createRandom, systemClock } from '@kedge/platform/node';

export interface KubeAccess {
  readonly api: KubeApi;
  readonly server: string;
  /** PEM of the API's CA. */
  readonly ca: string | undefined;
  close(): Promise<void>;
}

export async function openKubeApi(
  kubeconfig: string,
  userAgent: string,
  limits: { readonly qps?: number; readonly burst?: number } = {},
  serverInstead?: string,
): Promise<KubeAccess> {
  const config = await loadKubeconfig(createFiles(), kubeconfig);
  const http = createHttpClient({
    // The embedded API answers all that one commit wrote at once: with few connections kept, most would be closed then, and
    // opened again, with a handshake, for the next requests.
    keptConnections: 64,
    tls: {
      ...(config.ca === undefined ? {} : { ca: config.ca }),
      ...(config.client === undefined
        ? {}
        : { certificate: config.client.certificate, key: config.client.key.reveal() }),
      ...(config.tlsServerName === undefined ? {} : { serverName: config.tlsServerName }),
      trustAnyServer: config.insecureSkipTlsVerify,
    },
  });
  const server = serverInstead ?? config.server;
  const api = createKubeClient({
    http,
    server,
    credentials: config.token ? { by: 'token', token: config.token } : { by: 'connection' },
    userAgent,
    clock: systemClock,
    random: createRandom(),
    ...(limits.qps ? { limit: { perSecond: limits.qps, burst: limits.burst ?? limits.qps * 2 } } : {}),
  });
  return { api, server, ca: config.ca, close: () => http.close() };
}

const serviceAccountDirectory = '/var/run/secrets/kubernetes.io/serviceaccount';

/** What a pod inside a cluster is given, as a kubeconfig in a private file. */
export function inClusterKubeconfig(): string {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = process.env;
  if (!host)
    throw new Error('set kubeAPIConfig.kubeConfig: this is not a pod of a cluster, where it may be left empty');
  const path = join(mkdtempSync(join(tmpdir(), 'kedge-')), 'kubeconfig');
  const address = host.includes(':') ? `[${host}]` : host;
  const text = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'in-cluster',
    contexts: [{ name: 'in-cluster', context: { cluster: 'in-cluster', user: 'in-cluster' } }],
    clusters: [
      {
        name: 'in-cluster',
        cluster: { server: `https://${address}:${port}`, 'certificate-authority': `${serviceAccountDirectory}/ca.crt` },
      },
    ],
    users: [{ name: 'in-cluster', user: { tokenFile: `${serviceAccountDirectory}/token` } }],
  };
  writeFileSync(path, JSON.stringify(text), { mode: 0o600 });
  return path;
}
