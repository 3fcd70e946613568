// Ingresses and NetworkPolicies.
import { checkDns1123Subdomain, checkWildcardDns1123Subdomain, invalidField, requiredField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { checkLabelSelector } from '../k8s-selectors/index.ts';
import type { HTTPIngressPath, Ingress, IngressBackend, NetworkPolicy, NetworkPolicySpec } from '../k8s-types/index.ts';
import { checkOptionalChoice, checkPortOrName, checkText } from './checks.ts';
import { protocols } from './container-checks.ts';
import { createRules } from './kind-rules.ts';

export const ingressRules = createRules<Ingress>({
  validate: ({ spec }) => [
    ...(spec?.defaultBackend || spec?.rules?.length
      ? []
      : [invalidField('spec', [], 'either `defaultBackend` or `rules` must be specified')]),
    ...(spec?.defaultBackend ? checkBackend(spec.defaultBackend, 'spec.defaultBackend') : []),
    ...(spec?.rules ?? []).flatMap(({ host }, i) => checkText(host, checkHost, `spec.rules[${i}].host`)),
    ...(spec?.rules ?? []).flatMap(({ http }, i) =>
      (http?.paths ?? []).flatMap((path, j) => checkIngressPath(path, `spec.rules[${i}].http.paths[${j}]`)),
    ),
  ],
});

const checkHost = (host: string): string[] =>
  host.includes('*') ? checkWildcardDns1123Subdomain(host) : checkDns1123Subdomain(host);

function checkIngressPath({ path, pathType, backend }: HTTPIngressPath, at: string): FieldError[] {
  const isAbsolute = path?.startsWith('/') ?? false;
  const mayBeRelative = pathType === 'ImplementationSpecific';
  return [
    ...(pathType ? [] : [requiredField(`${at}.pathType`, 'pathType must be specified')]),
    ...checkOptionalChoice(pathType, ['Exact', 'ImplementationSpecific', 'Prefix'], `${at}.pathType`),
    ...(isAbsolute || (mayBeRelative && !path)
      ? []
      : [invalidField(`${at}.path`, path ?? '', 'must be an absolute path')]),
    ...checkBackend(backend, `${at}.backend`),
  ];
}

function checkBackend(backend: IngressBackend | undefined, path: string): FieldError[] {
  const { service, resource } = backend ?? {};
  if (!service) return resource ? [] : [requiredField(path, 'must specify a service or a resource')];
  const { name, number } = service.port ?? {};
  return [
    ...(service.name ? [] : [requiredField(`${path}.service.name`)]),
    ...(name || number ? [] : [requiredField(`${path}.service.port`, 'port name or number is required')]),
    ...(number === undefined ? [] : checkPortOrName(number, `${path}.service.port.number`)),
  ];
}

type PolicyRule = NonNullable<NetworkPolicySpec['ingress']>[number] | NonNullable<NetworkPolicySpec['egress']>[number];

const defaultPorts = <R extends PolicyRule>(rule: R): R =>
  rule.ports ? { ...rule, ports: rule.ports.map((port) => ({ ...port, protocol: port.protocol || 'TCP' })) } : rule;

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
    ...(spec?.policyTypes ?? []).flatMap((type, i) =>
      checkOptionalChoice(type, ['Egress', 'Ingress'], `spec.policyTypes[${i}]`),
    ),
    ...[...(spec?.ingress ?? []), ...(spec?.egress ?? [])].flatMap(({ ports = [] }, i) =>
      ports.flatMap(({ protocol }, j) =>
        checkOptionalChoice(protocol, protocols, `spec.rules[${i}].ports[${j}].protocol`),
      ),
    ),
  ],
});
