// A Kubernetes API as a kubeconfig names it: reads the file, opens the connections, hands out the client.
import { loadKubeconfig, createKubeClient, type KubeApi } from '@kedge/engine/kube-client';
import { createFiles, createHttpClient, createRandom, systemClock } from '@kedge/platform/node';

export interface KubeAccess {
  readonly api: KubeApi;
  readonly server: string;
  close(): Promise<void>;
}

export async function openKubeApi(
  kubeconfig: string,
  userAgent: string,
  limits: { readonly qps?: number; readonly burst?: number } = {},
): Promise<KubeAccess> {
  const config = await loadKubeconfig(createFiles(), kubeconfig);
  const http = createHttpClient({
    tls: {
      ...(config.ca === undefined ? {} : { ca: config.ca }),
      ...(config.client === undefined
        ? {}
        : { certificate: config.client.certificate, key: config.client.key.reveal() }),
      ...(config.tlsServerName === undefined ? {} : { serverName: config.tlsServerName }),
      trustAnyServer: config.insecureSkipTlsVerify,
    },
  });
  const api = createKubeClient({
    http,
    server: config.server,
    credentials: config.token ? { by: 'token', token: config.token } : { by: 'connection' },
    userAgent,
    clock: systemClock,
    random: createRandom(),
    ...(limits.qps ? { limit: { perSecond: limits.qps, burst: limits.burst ?? limits.qps * 2 } } : {}),
  });
  return { api, server: config.server, close: () => http.close() };
}
