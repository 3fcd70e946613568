// NetworkPolicies.
import { checkPortName, forbiddenField, invalidField, requiredField, unsupportedField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { isCidr } from '../k8s-schema/index.ts';
import { checkLabelSelector } from '../k8s-selectors/index.ts';
import type {
  IPBlock,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  NetworkPolicySpec,
} from '../k8s-types/index.ts';
import { checkPort } from './checks.ts';
import { protocols } from './container-checks.ts';
import { createRules } from './kind-rules.ts';

type PolicyRule = NonNullable<NetworkPolicySpec['ingress']>[number] | NonNullable<NetworkPolicySpec['egress']>[number];

const defaultPorts = <R extends PolicyRule>(rule: R): R =>
  rule.ports ? { ...rule, ports: rule.ports.map((port) => ({ ...port, protocol: port.protocol ?? 'TCP' })) } : rule;

const policyTypes = ['Egress', 'Ingress'];

export const networkPolicyRules = createRules<NetworkPolicy>({
  defaults: ({ spec, ...rest }) => ({
    ...rest,
    spec: {
      podSelector: {},
      ...spec,
      policyTypes: spec?.policyTypes?.length
        ? spec.policyTypes
        : ['Ingress', ...(spec?.egress?.length ? ['Egress'] : [])],
      ...(spec?.ingress ? { ingress: spec.ingress.map(defaultPorts) } : {}),
      ...(spec?.egress ? { egress: spec.egress.map(defaultPorts) } : {}),
    },
  }),
  validate: ({ spec }) => [
    ...checkLabelSelector(spec?.podSelector, 'spec.podSelector'),
    ...(spec?.ingress ?? []).flatMap(({ ports = [], from = [] }, i) => [
      ...ports.flatMap((port, j) => checkPolicyPort(port, `spec.ingress[${i}].ports[${j}]`)),
      ...from.flatMap((peer, j) => checkPeer(peer, `spec.ingress[${i}].from[${j}]`)),
    ]),
    ...(spec?.egress ?? []).flatMap(({ ports = [], to = [] }, i) => [
      ...ports.flatMap((port, j) => checkPolicyPort(port, `spec.egress[${i}].ports[${j}]`)),
      ...to.flatMap((peer, j) => checkPeer(peer, `spec.egress[${i}].to[${j}]`)),
    ]),
    ...checkTypes(spec?.policyTypes ?? []),
  ],
});

function checkTypes(types: readonly string[]): FieldError[] {
  if (types.length > policyTypes.length)
    return [invalidField('spec.policyTypes', types, 'may not specify more than two policyTypes')];
  return types
    .filter((type) => !policyTypes.includes(type))
    .map((type) => unsupportedField('spec.policyTypes', type, policyTypes));
}

function checkPolicyPort({ protocol, port, endPort }: NetworkPolicyPort, path: string): FieldError[] {
  const at = `${path}.endPort`;
  return [
    ...(protocol === undefined || protocols.includes(protocol)
      ? []
      : [unsupportedField(`${path}.protocol`, protocol, protocols)]),
    ...(typeof port === 'number' ? checkPort(port, `${path}.port`) : []),
    ...(typeof port === 'string'
      ? checkPortName(port).map((sentence) => invalidField(`${path}.port`, port, sentence))
      : []),
    ...(endPort === undefined ? [] : checkEndPort(endPort, port, at)),
  ];
}

function checkEndPort(endPort: number, port: number | string | undefined, path: string): FieldError[] {
  if (port === undefined) return [invalidField(path, endPort, 'may not be specified when `port` is not specified')];
  if (typeof port === 'string')
    return [
      invalidField(path, endPort, 'may not be specified when `port` is non-numeric'),
      ...checkPort(endPort, path),
    ];
  return [
    ...(endPort < port ? [invalidField(path, port, 'must be greater than or equal to `port`')] : []),
    ...checkPort(endPort, path),
  ];
}

function checkPeer({ podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer, path: string): FieldError[] {
  const selects = podSelector !== undefined || namespaceSelector !== undefined;
  return [
    ...checkLabelSelector(podSelector, `${path}.podSelector`),
    ...checkLabelSelector(namespaceSelector, `${path}.namespaceSelector`),
    ...(ipBlock ? checkBlock(ipBlock, `${path}.ipBlock`) : []),
    ...(!ipBlock && !selects ? [requiredField(path, 'must specify a peer')] : []),
    ...(ipBlock && selects ? [forbiddenField(path, 'may not specify both ipBlock and another peer')] : []),
  ];
}

const cidrSentence = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';

function checkBlock({ cidr, except = [] }: IPBlock, path: string): FieldError[] {
  if (!cidr) return [requiredField(`${path}.cidr`)];
  if (!isCidr(cidr)) return [invalidField(`${path}.cidr`, cidr, cidrSentence)];
  return except.flatMap((range, at) => {
    if (!isCidr(range)) return [invalidField(`${path}.except[${at}]`, range, cidrSentence)];
    return isWithin(range, cidr)
      ? []
      : [invalidField(`${path}.except[${at}]`, range, `must be a strict subset of \`cidr\``)];
  });
}

/** Whether an IPv4 range is a smaller part of another; IPv6 ranges are taken as they are. */
function isWithin(inner: string, outer: string): boolean {
  const [a, b] = [readIPv4(inner), readIPv4(outer)];
  if (!a || !b) return true;
  return a.bits > b.bits && (b.bits === 0 || a.address >>> (32 - b.bits) === b.address >>> (32 - b.bits));
}

function readIPv4(range: string): { address: number; bits: number } | undefined {
  const [address = '', bits = ''] = range.split('/');
  const parts = address.split('.').map(Number);
  return parts.length === 4
    ? { address: parts.reduce((sum, part) => sum * 256 + part, 0) >>> 0, bits: Number(bits) }
    : undefined;
}
