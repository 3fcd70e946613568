// Reads cloudcore.yaml: defaults for a host, checks across keys, and the way into our own units.
import {
  type ConfigSources,
  defaultsOf,
  type HostFacts,
  type Problem,
  readConfig,
  splitHostPort,
  writeDocument,
} from '@kedge/core/config';
import { days, hours, milliseconds, seconds } from '@kedge/core/time';
import type { CloudCoreConfig } from './cloud-core-config.ts';
import { type CloudCoreDocument, cloudCoreSchema } from './cloud-core-schema.ts';

type Facts = Pick<HostFacts, 'addresses'>;

/** The whole document of somebody who configures nothing. */
export function cloudCoreDefaults({ addresses }: Facts): CloudCoreDocument {
  const document = defaultsOf(cloudCoreSchema);
  const { modules } = document;
  return {
    ...document,
    modules: { ...modules, cloudHub: { ...modules.cloudHub, advertiseAddress: addresses.slice(0, 1) } },
  };
}

/** What is wrong with values that are right one by one. */
export function checkCloudCore({ modules: { cloudHub, admission } }: CloudCoreDocument): Problem[] {
  if (!isWebhookUrl(admission.url)) {
    const say = `is ${admission.url}, needs to be https://, a host and a port: the Kubernetes API calls webhooks so`;
    return [{ path: 'modules.admission.url', say }];
  }
  const at = (key: string, say: string): Problem => ({ path: `modules.cloudHub.${key}`, say });
  if (!cloudHub.enable) return [];
  const problems: Problem[] = [];
  const { websocket, https, quic } = cloudHub;
  if (!websocket.enable) {
    const instead = quic.enable ? 'there is no QUIC here' : 'nodes have no other channel';
    problems.push(at('websocket.enable', `is false, needs to be true: ${instead}`));
  }
  if (https.enable && https.port === websocket.port && overlap(https.address, websocket.address)) {
    problems.push(at('https.port', `is ${https.port}, which is that of websocket too: give each its own`));
  }
  if (cloudHub.advertiseAddress.every((address) => address === '') && cloudHub.dnsNames.every((name) => name === '')) {
    problems.push(
      at('advertiseAddress', 'is empty, and so is dnsNames: edges need an address or a name to reach us at'),
    );
  }
  return problems;
}

const isWebhookUrl = (url: string): boolean => url === '' || /^https:\/\/[^/?#\s]+\/?$/.test(url);

const overlap = (a: string, b: string): boolean => a === b || [a, b].some((one) => one === '0.0.0.0' || one === '::');

/** Throws CONFIG_INVALID. */
export function readCloudCoreConfig(
  sources: ConfigSources,
  facts: Facts,
): { readonly config: CloudCoreConfig; readonly warnings: readonly string[] } {
  const { document, warnings } = readConfig(cloudCoreSchema, cloudCoreDefaults(facts), sources, checkCloudCore);
  return { config: toConfig(document), warnings };
}

function toConfig({ commonConfig, kubeAPIConfig, modules }: CloudCoreDocument): CloudCoreConfig {
  const { cloudHub, edgeController, syncController } = modules;
  const { host, port } = splitHostPort(commonConfig.monitorServer.bindAddress)!;
  const advertiseAddress = cloudHub.advertiseAddress.filter(isGiven);
  return {
    kubeApi: { kubeconfig: given(kubeAPIConfig.kubeConfig), server: given(kubeAPIConfig.master) },
    monitor: { address: host, port },
    identity: {
      advertiseAddress,
      dnsNames: cloudHub.dnsNames.filter(isGiven),
      edgeCertificateLifetime: days(cloudHub.edgeCertSigningDuration),
      tokenRefresh: hours(cloudHub.tokenRefreshDuration),
      caFile: given(cloudHub.tlsCAFile),
      caKeyFile: given(cloudHub.tlsCAKeyFile),
      certificateFile: given(cloudHub.tlsCertFile),
      keyFile: given(cloudHub.tlsPrivateKeyFile),
    },
    hub: {
      address: cloudHub.websocket.address,
      port: cloudHub.websocket.port,
      nodeLimit: cloudHub.nodeLimit,
      keepalive: seconds(cloudHub.keepaliveInterval),
      writeTimeout: seconds(cloudHub.writeTimeout),
      authorization: toAuthorization(cloudHub.authorization),
      ownAddress: advertiseAddress[0] ?? '',
    },
    devices: modules.deviceController.enable ? toDevices(modules.deviceController) : undefined,
    admission: modules.admission.enable ? toAdmission(modules) : undefined,
    https: cloudHub.https.enable ? { address: cloudHub.https.address, port: cloudHub.https.port } : undefined,
    modules: {
      cloudHub: cloudHub.enable,
      edgeController: edgeController.enable,
      syncController: syncController.enable,
    },
  };
}

function toAdmission({ admission, cloudHub }: CloudCoreDocument['modules']): CloudCoreConfig['admission'] {
  const { address, port, url, service } = admission;
  if (service.name !== '') return { address, port, place: { by: 'service', ...service } };
  const host = cloudHub.advertiseAddress.find(isGiven) ?? cloudHub.dnsNames.find(isGiven) ?? 'localhost';
  const own = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return { address, port, place: { by: 'url', url: (given(url) ?? own).replace(/\/+$/, '') } };
}

function toDevices({
  statusWrites,
  samples,
}: CloudCoreDocument['modules']['deviceController']): CloudCoreConfig['devices'] {
  const { perDeviceInterval, perDeviceBurst, perSecond, burst, refreshInterval } = statusWrites;
  const { path, perProperty, hours: kept, properties } = samples;
  return {
    limits: {
      perDevice: { interval: milliseconds(perDeviceInterval), burst: perDeviceBurst },
      total: { perSecond, burst },
      refresh: seconds(refreshInterval),
    },
    samples: samples.enable ? { path, perProperty, age: hours(kept), series: properties } : undefined,
  };
}

function toAuthorization({
  enable,
  debug,
  modes,
}: CloudCoreDocument['modules']['cloudHub']['authorization']): CloudCoreConfig['hub']['authorization'] {
  if (!enable || !modes.some(({ node }) => node?.enable)) return 'off';
  return debug ? 'log' : 'on';
}

const isGiven = (text: string): boolean => text !== '';
const given = (text: string): string | undefined => (isGiven(text) ? text : undefined);

/** For `cloudcore --defaultconfig`. */
export const writeCloudCoreDefaults = (facts: Facts): string =>
  writeDocument(
    cloudCoreSchema,
    cloudCoreDefaults(facts),
    'cloudcore.yaml with every key that has an effect, at its default.',
  );

/** For `cloudcore --minconfig`. */
export function writeCloudCoreMinimum(facts: Facts): string {
  const { apiVersion, kind, kubeAPIConfig, modules } = cloudCoreDefaults(facts);
  const { nodeLimit, advertiseAddress, websocket, https } = modules.cloudHub;
  return writeDocument(
    cloudCoreSchema,
    {
      apiVersion,
      kind,
      kubeAPIConfig: { kubeConfig: kubeAPIConfig.kubeConfig },
      modules: { cloudHub: { nodeLimit, advertiseAddress, websocket, https } },
    },
    'cloudcore.yaml with the keys that most people look at; all others keep their defaults.',
  );
}
