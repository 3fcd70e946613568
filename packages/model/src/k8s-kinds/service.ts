// Services. Addresses and node ports are assigned by the API server; this only says what must be consistent.
import {
  checkDns1035Label,
  checkDns1123Label,
  checkDns1123Subdomain,
  checkQualifiedName,
  duplicateField,
  forbiddenField,
  invalidField,
  requiredField,
  unsupportedField,
} from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { jsonEqual } from '../k8s-patch/index.ts';
import { isCidr } from '../k8s-schema/index.ts';
import type { Service, ServicePort, ServiceSpec } from '../k8s-types/index.ts';
import {
  checkChoice,
  checkLabels,
  checkOptionalChoice,
  checkPort,
  checkPortOrName,
  checkText,
  repeated,
} from './checks.ts';
import { protocols } from './container-checks.ts';
import { createRules } from './kind-rules.ts';
import { checkIP } from './pod-checks.ts';

export const serviceRules = createRules<Service>({
  checkName: checkDns1035Label,
  defaults: (service) => ({ ...service, spec: defaultSpec(service.spec ?? {}) }),
  prepareCreate: (service) => ({ ...service, spec: withFamilies(service.spec!), status: { loadBalancer: {} } }),
  prepareUpdate: (service, old) => ({ ...service, spec: withFamilies(carryOver(service.spec!, old.spec!)) }),
  validate: ({ spec }) => checkSpec(spec!),
  validateUpdate: ({ spec }, old) => checkUpdate(spec!, old.spec!),
});

const threeHours = 10_800;

function defaultSpec(spec: ServiceSpec): ServiceSpec {
  const type = spec.type || 'ClusterIP';
  const isExternal = type === 'NodePort' || type === 'LoadBalancer' || (spec.externalIPs?.length ?? 0) > 0;
  const { clusterIP } = spec;
  return {
    ...spec,
    type,
    ...defaultAffinity(spec),
    ...(spec.ports ? { ports: spec.ports.map(defaultPort) } : {}),
    ...(clusterIP && !spec.clusterIPs ? { clusterIPs: [clusterIP] } : {}),
    ...(isExternal ? { externalTrafficPolicy: spec.externalTrafficPolicy || 'Cluster' } : {}),
    ...(type === 'ExternalName' ? {} : { internalTrafficPolicy: spec.internalTrafficPolicy ?? 'Cluster' }),
    ...(type === 'LoadBalancer' ? { allocateLoadBalancerNodePorts: spec.allocateLoadBalancerNodePorts ?? true } : {}),
  };
}

function defaultAffinity({ sessionAffinity, sessionAffinityConfig }: ServiceSpec): Partial<ServiceSpec> {
  if (sessionAffinity !== 'ClientIP') return { sessionAffinity: sessionAffinity || 'None' };
  const timeoutSeconds = sessionAffinityConfig?.clientIP?.timeoutSeconds ?? threeHours;
  return { sessionAffinity, sessionAffinityConfig: { clientIP: { timeoutSeconds } } };
}

const defaultPort = (port: ServicePort): ServicePort => ({
  ...port,
  protocol: port.protocol || 'TCP',
  targetPort: port.targetPort || port.port,
});

/** What the address that was assigned says about families; one without an address and a selector has whatever comes. */
function withFamilies(spec: ServiceSpec): ServiceSpec {
  if (!needsAddress(spec.type)) return spec;
  const isOpen = spec.clusterIP === 'None' && Object.keys(spec.selector ?? {}).length === 0;
  const family = spec.clusterIP?.includes(':') ? 'IPv6' : 'IPv4';
  return {
    ...spec,
    ipFamilyPolicy: spec.ipFamilyPolicy ?? (isOpen ? 'RequireDualStack' : 'SingleStack'),
    ipFamilies: spec.ipFamilies?.length
      ? spec.ipFamilies
      : isOpen
        ? [family, family === 'IPv4' ? 'IPv6' : 'IPv4']
        : [family],
  };
}

const needsAddress = (type: string | undefined): boolean => type !== 'ExternalName';

/** An update that names no address or node port means the ones that were assigned. */
function carryOver(spec: ServiceSpec, old: ServiceSpec): ServiceSpec {
  if (!needsAddress(spec.type) || !needsAddress(old.type)) return spec;
  const addresses = (['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy'] as const)
    .filter((field) => !spec[field]?.length && old[field] !== undefined)
    .map((field) => [field, old[field]] as const);
  const hasNodePorts = spec.type !== 'ClusterIP' && old.type !== 'ClusterIP';
  return {
    ...spec,
    ...Object.fromEntries(addresses),
    ...(spec.ports && hasNodePorts ? { ports: spec.ports.map((port) => withNodePort(port, old.ports ?? [])) } : {}),
  };
}

function withNodePort(port: ServicePort, old: readonly ServicePort[]): ServicePort {
  const before = old.find((other) => other.port === port.port && other.protocol === port.protocol);
  return port.nodePort || !before?.nodePort ? port : { ...port, nodePort: before.nodePort };
}

const isHeadless = ({ clusterIP }: ServiceSpec): boolean => clusterIP === 'None';

function checkSpec(spec: ServiceSpec): FieldError[] {
  const ports = spec.ports ?? [];
  return [
    ...(ports.length === 0 && !isHeadless(spec) && spec.type !== 'ExternalName' ? [requiredField('spec.ports')] : []),
    ...checkType(spec),
    ...ports.flatMap((port, at) => checkServicePort(port, spec, `spec.ports[${at}]`)),
    ...repeated(ports, ({ name }) => name).map((at) => duplicateField(`spec.ports[${at}].name`, ports[at]!.name)),
    ...repeated(ports, ({ port, protocol }) => `${port}/${protocol}`).map((at) =>
      duplicateField(`spec.ports[${at}]`, { protocol: ports[at]!.protocol, port: ports[at]!.port }),
    ),
    ...repeated(ports, ({ nodePort, protocol }) => (nodePort ? `${nodePort}/${protocol}` : '')).map((at) =>
      duplicateField(`spec.ports[${at}].nodePort`, ports[at]!.nodePort),
    ),
    ...checkLabels(spec.selector, 'spec.selector'),
    ...checkChoice(spec.sessionAffinity, ['ClientIP', 'None'], 'spec.sessionAffinity'),
    ...checkAffinityTimeout(
      spec.sessionAffinityConfig?.clientIP?.timeoutSeconds,
      'spec.sessionAffinityConfig.clientIP.timeoutSeconds',
    ),
    ...checkAddresses(spec),
    ...(spec.externalIPs ?? []).flatMap((address, at) => checkIP(address, `spec.externalIPs[${at}]`)),
    ...checkTraffic(spec),
  ];
}

const maxAffinitySeconds = 86_400;

const checkAffinityTimeout = (seconds: number | undefined, path: string): FieldError[] =>
  seconds !== undefined && (seconds <= 0 || seconds > maxAffinitySeconds)
    ? [invalidField(path, seconds, `must be greater than 0 and less than ${maxAffinitySeconds}`)]
    : [];

function checkType(spec: ServiceSpec): FieldError[] {
  const choice = checkChoice(spec.type, ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'], 'spec.type');
  switch (spec.type) {
    case 'LoadBalancer':
    case 'NodePort':
      return isHeadless(spec)
        ? [invalidField('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type} services`)]
        : [];
    case 'ExternalName':
      return checkExternalName(spec);
    default:
      return choice;
  }
}

function checkExternalName(spec: ServiceSpec): FieldError[] {
  const name = spec.externalName?.replace(/\.$/, '');
  const forbidden = (['clusterIPs', 'ipFamilies', 'ipFamilyPolicy'] as const).filter((field) => spec[field]?.length);
  return [
    ...forbidden.map((field) => forbiddenField(`spec.${field}`, 'may not be set for ExternalName services')),
    ...(name ? checkText(name, checkDns1123Subdomain, 'spec.externalName') : [requiredField('spec.externalName')]),
  ];
}

function checkServicePort(port: ServicePort, spec: ServiceSpec, path: string): FieldError[] {
  const needsName = (spec.ports?.length ?? 0) > 1;
  return [
    ...(needsName && !port.name ? [requiredField(`${path}.name`)] : []),
    ...checkText(port.name, checkDns1123Label, `${path}.name`),
    ...checkPort(port.port ?? 0, `${path}.port`),
    ...checkChoice(port.protocol, protocols, `${path}.protocol`),
    ...checkPortOrName(port.targetPort, `${path}.targetPort`),
    ...(port.appProtocol === undefined
      ? []
      : checkQualifiedName(port.appProtocol).map((sentence) =>
          invalidField(`${path}.appProtocol`, port.appProtocol, sentence),
        )),
    ...(port.nodePort && spec.type === 'ClusterIP'
      ? [forbiddenField(`${path}.nodePort`, "may not be used when `type` is 'ClusterIP'")]
      : []),
  ];
}

function checkAddresses({
  type,
  clusterIP = '',
  clusterIPs = [],
  ipFamilies = [],
  ipFamilyPolicy,
}: ServiceSpec): FieldError[] {
  if (type === 'ExternalName') return [];
  const path = 'spec.clusterIPs';
  return [
    ...(clusterIPs.length > 0 && clusterIP !== clusterIPs[0]
      ? [
          invalidField(
            path,
            clusterIPs,
            clusterIP ? 'first value must match `clusterIP`' : 'must be empty when `clusterIP` is not specified',
          ),
        ]
      : []),
    ...(clusterIPs.length > 2 ? [invalidField(path, clusterIPs, 'may only hold up to 2 values')] : []),
    ...(clusterIPs.includes('None') && clusterIPs.length > 1
      ? [invalidField(path, clusterIPs, "'None' must be the first and only value")]
      : []),
    ...clusterIPs.flatMap((address, at) => (address === 'None' ? [] : checkIP(address, `${path}[${at}]`))),
    ...ipFamilies.flatMap((family, at) => checkChoice(family, ['IPv4', 'IPv6'], `spec.ipFamilies[${at}]`)),
    ...checkOptionalChoice(
      ipFamilyPolicy,
      ['PreferDualStack', 'RequireDualStack', 'SingleStack'],
      'spec.ipFamilyPolicy',
    ),
  ];
}

const isReachable = ({ type, externalIPs, clusterIP }: ServiceSpec): boolean =>
  type === 'LoadBalancer' ||
  type === 'NodePort' ||
  (type === 'ClusterIP' && clusterIP !== 'None' && (externalIPs?.length ?? 0) > 0);

function checkHealthPort({ type, externalTrafficPolicy, healthCheckNodePort: port = 0 }: ServiceSpec): FieldError[] {
  if (port === 0) return [];
  const path = 'spec.healthCheckNodePort';
  return type === 'LoadBalancer' && externalTrafficPolicy === 'Local'
    ? checkPort(port, path)
    : [
        invalidField(
          path,
          port,
          "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
        ),
      ];
}

function checkTraffic(spec: ServiceSpec): FieldError[] {
  const ranges = spec.loadBalancerSourceRanges ?? [];
  const isBalanced = spec.type === 'LoadBalancer';
  const onlyBalanced = "may only be used when `type` is 'LoadBalancer'";
  return [
    ...(isReachable(spec)
      ? checkOptionalChoice(spec.externalTrafficPolicy, ['Cluster', 'Local'], 'spec.externalTrafficPolicy')
      : spec.externalTrafficPolicy
        ? [
            invalidField(
              'spec.externalTrafficPolicy',
              spec.externalTrafficPolicy,
              'may only be set for externally-accessible services',
            ),
          ]
        : []),
    ...(spec.internalTrafficPolicy === undefined || ['Cluster', 'Local'].includes(spec.internalTrafficPolicy)
      ? []
      : [unsupportedField('spec.internalTrafficPolicy', spec.internalTrafficPolicy, ['Cluster', 'Local'])]),
    ...(spec.trafficDistribution === undefined || spec.trafficDistribution === 'PreferClose'
      ? []
      : [unsupportedField('spec.trafficDistribution', spec.trafficDistribution, ['PreferClose'])]),
    ...checkHealthPort(spec),
    ...(ranges.length > 0 && !isBalanced ? [forbiddenField('spec.LoadBalancerSourceRanges', onlyBalanced)] : []),
    ...(spec.loadBalancerClass !== undefined && !isBalanced
      ? [forbiddenField('spec.loadBalancerClass', onlyBalanced)]
      : []),
    ...(spec.loadBalancerClass !== undefined && isBalanced
      ? checkQualifiedName(spec.loadBalancerClass).map((sentence) =>
          invalidField('spec.loadBalancerClass', spec.loadBalancerClass, sentence),
        )
      : []),
    ...(spec.allocateLoadBalancerNodePorts !== undefined && !isBalanced
      ? [forbiddenField('spec.allocateLoadBalancerNodePorts', onlyBalanced)]
      : []),
    ...ranges.flatMap((range, at) =>
      isCidr(range.trim())
        ? []
        : [
            invalidField(
              `spec.LoadBalancerSourceRanges[${at}]`,
              range,
              'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
            ),
          ],
    ),
  ];
}

/** An address stays while the Service has one; only through ExternalName can it be given up. */
function checkUpdate(spec: ServiceSpec, old: ServiceSpec): FieldError[] {
  const isBalanced = spec.type === 'LoadBalancer' && old.type === 'LoadBalancer';
  return [
    ...checkAddressUpdate(spec, old),
    ...(isBalanced && spec.loadBalancerClass !== old.loadBalancerClass
      ? [invalidField('spec.loadBalancerClass', spec.loadBalancerClass, 'may not change once set')]
      : []),
  ];
}

function checkAddressUpdate(spec: ServiceSpec, old: ServiceSpec): FieldError[] {
  if (!needsAddress(spec.type) || !needsAddress(old.type)) return [];
  const [primary, before] = [spec.clusterIPs?.[0], old.clusterIPs?.[0]];
  const path = 'spec.clusterIPs[0]';
  if (before && !primary) return [invalidField(path, spec.clusterIPs ?? [], 'primary clusterIP can not be unset')];
  if (before && primary !== before) return [invalidField(path, spec.clusterIPs, 'may not change once set')];
  return !old.ipFamilies?.length || jsonEqual(spec.ipFamilies?.[0], old.ipFamilies[0])
    ? []
    : [invalidField('spec.ipFamilies[0]', spec.ipFamilies, 'may not change once set')];
}
