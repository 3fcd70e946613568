// Where a webhook is: its own URL, or a service of the cluster, reached at one of its endpoints. A site may have no service
// network on the host, so the endpoints come first and the certificate is checked for the service's name.
import type { KubeObject } from '@kedge/model/k8s';
import type { Endpoints, Service, WebhookClientConfig } from '@kedge/model/k8s-types';

export type WebhookTarget =
  | {
      readonly ok: true;
      /** As messages name it. */
      readonly url: string;
      /** Where to connect. */
      readonly connect: string;
      readonly host: string;
      /** The name that the certificate must be for, where it is not the host of `connect`. */
      readonly serverName: string | undefined;
    }
  | { readonly ok: false; readonly url: string; readonly why: string };

export type ReadObject = (collection: string, namespace: string, name: string) => KubeObject | undefined;

/** `query` comes behind the path, such as `timeout=10s`. */
export function findWebhook(config: WebhookClientConfig, query: string, read: ReadObject): WebhookTarget {
  if (config.url !== undefined) {
    const url = URL.canParse(config.url) ? new URL(config.url) : undefined;
    if (url?.protocol !== 'https:') return { ok: false, url: config.url, why: 'the URL must use https' };
    if (query) url.search = url.search ? `${url.search}&${query}` : `?${query}`;
    return { ok: true, url: url.href, connect: url.href, host: url.host, serverName: undefined };
  }
  if (!config.service) return { ok: false, url: '', why: 'neither a URL nor a service is given' };
  const { namespace, name, path = '', port = 443 } = config.service;
  const serverName = `${name}.${namespace}.svc`;
  const rest = `${path && !path.startsWith('/') ? '/' : ''}${path}${query ? `?${query}` : ''}`;
  const host = `${serverName}:${port}`;
  const url = `https://${host}${rest}`;
  const service = read('services', namespace, name) as unknown as Service | undefined;
  if (!service) return { ok: false, url, why: `service "${name}" not found` };
  if (service.spec?.type === 'ExternalName') {
    return { ok: true, url, connect: `https://${service.spec.externalName}:${port}${rest}`, host, serverName };
  }
  const servicePort = service.spec?.ports?.find((one) => one.port === port);
  if (!servicePort) return { ok: false, url, why: `no service port ${port} found for service "${name}"` };
  const endpoints = read('endpoints', namespace, name) as unknown as Endpoints | undefined;
  for (const { addresses = [], ports = [] } of endpoints?.subsets ?? []) {
    const target = ports.find((one) => (one.name ?? '') === (servicePort.name ?? ''));
    const [address] = addresses;
    if (!target || !address) continue;
    const ip = address.ip.includes(':') ? `[${address.ip}]` : address.ip;
    return { ok: true, url, connect: `https://${ip}:${target.port}${rest}`, host, serverName };
  }
  return { ok: false, url, why: `no endpoints available for service "${name}"` };
}
