// Ingresses and IngressClasses.
import {
  checkDns1035Label,
  checkDns1123Label,
  checkDns1123Subdomain,
  checkPortName,
  checkWildcardDns1123Subdomain,
  forbiddenField,
  invalidField,
  requiredField,
  tooLongField,
  unsupportedField,
} from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import type { HTTPIngressPath, Ingress, IngressBackend, IngressClass, IngressRule } from '../k8s-types/index.ts';
import { checkDomainPrefixedPath, checkImmutable, checkPort, checkText } from './checks.ts';
import { createRules } from './kind-rules.ts';

export const ingressRules = createRules<Ingress>({
  validate: ({ spec }) => [
    ...(spec?.defaultBackend || spec?.rules?.length
      ? []
      : [invalidField('spec', [], 'either `defaultBackend` or `rules` must be specified')]),
    ...(spec?.tls ?? []).flatMap(({ hosts = [], secretName }, i) => [
      ...hosts.flatMap((host, j) =>
        checkHost(host).map((sentence) => invalidField(`spec.tls[${i}].hosts[${j}]`, host, sentence)),
      ),
      ...checkText(secretName, checkDns1123Subdomain, `spec.tls[${i}].secretName`),
    ]),
    ...(spec?.rules ?? []).flatMap((rule, i) => checkRule(rule, `spec.rules[${i}]`)),
    ...(spec?.defaultBackend ? checkBackend(spec.defaultBackend, 'spec.defaultBackend') : []),
    ...(spec?.ingressClassName === undefined
      ? []
      : checkDns1123Subdomain(spec.ingressClassName).map((sentence) =>
          invalidField('spec.ingressClassName', spec.ingressClassName, sentence),
        )),
  ],
});

const checkHost = (host: string): string[] =>
  host.includes('*') ? checkWildcardDns1123Subdomain(host) : checkDns1123Subdomain(host);

const isAddress = (host: string): boolean => /^\d+(\.\d+){3}$/.test(host) || host.includes(':');

function checkRule({ host, http }: IngressRule, path: string): FieldError[] {
  const paths = http?.paths ?? [];
  return [
    ...(host && isAddress(host) ? [invalidField(`${path}.host`, host, 'must be a DNS name, not an IP address')] : []),
    ...checkText(host, checkHost, `${path}.host`),
    ...(http && paths.length === 0 ? [requiredField(`${path}.http.paths`)] : []),
    ...paths.flatMap((one, i) => checkIngressPath(one, `${path}.http.paths[${i}]`)),
  ];
}

const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix'];
const forbiddenParts = ['//', '/./', '/../', '%2f', '%2F'];
const forbiddenEnds = ['/..', '/.'];

function checkIngressPath({ path = '', pathType, backend }: HTTPIngressPath, at: string): FieldError[] {
  if (pathType === undefined) return [requiredField(`${at}.pathType`, 'pathType must be specified')];
  return [...checkPathText(path, pathType, at), ...checkBackend(backend, `${at}.backend`)];
}

function checkPathText(path: string, pathType: string, at: string): FieldError[] {
  const absolute = path.startsWith('/') ? [] : [invalidField(`${at}.path`, path, 'must be an absolute path')];
  switch (pathType) {
    case 'Exact':
    case 'Prefix':
      return [
        ...absolute,
        ...forbiddenParts
          .filter((part) => path.includes(part))
          .map((part) => invalidField(`${at}.path`, path, `must not contain '${part}'`)),
        ...forbiddenEnds
          .filter((end) => path.endsWith(end))
          .map((end) => invalidField(`${at}.path`, path, `cannot end with '${end}'`)),
      ];
    case 'ImplementationSpecific':
      return path ? absolute : [];
    default:
      return [unsupportedField(`${at}.pathType`, pathType, pathTypes)];
  }
}

function checkBackend(backend: IngressBackend | undefined, path: string): FieldError[] {
  const { service, resource } = backend ?? {};
  if (service && resource) return [invalidField(path, '', 'cannot set both resource and service backends')];
  if (resource) {
    return [
      ...(resource.apiGroup === undefined
        ? []
        : checkDns1123Subdomain(resource.apiGroup).map((sentence) =>
            invalidField(`${path}.resource.apiGroup`, resource.apiGroup, sentence),
          )),
      ...checkSegment(resource.kind, 'kind', `${path}.resource.kind`),
      ...checkSegment(resource.name, 'name', `${path}.resource.name`),
    ];
  }
  if (!service) return [invalidField(path, '', 'resource or service backend is required')];
  const { name, number } = service.port ?? {};
  return [
    ...(service.name
      ? checkText(service.name, checkDns1035Label, `${path}.service.name`)
      : [requiredField(`${path}.service.name`)]),
    ...(name && number ? [invalidField(path, '', 'cannot set both port name & port number')] : []),
    ...(!name && !number ? [requiredField(path, 'port name or number is required')] : []),
    ...(name && !number ? checkText(name, checkPortName, `${path}.service.port.name`) : []),
    ...(number && !name ? checkPort(number, `${path}.service.port.number`) : []),
  ];
}

function checkSegment(value: string | undefined, what: string, path: string): FieldError[] {
  if (!value) return [requiredField(path, `${what} is required`)];
  return ['/', '%']
    .filter((character) => value.includes(character))
    .map((character) => invalidField(path, value, `may not contain '${character}'`));
}

const maxController = 250;

export const ingressClassRules = createRules<IngressClass>({
  defaults: ({ spec, ...rest }) => ({
    ...rest,
    ...(spec?.parameters
      ? { spec: { ...spec, parameters: { ...spec.parameters, scope: spec.parameters.scope ?? 'Cluster' } } }
      : spec
        ? { spec }
        : {}),
  }),
  validate: ({ spec }) => {
    const controller = spec?.controller ?? '';
    return [
      ...(controller.length > maxController ? [tooLongField('spec.controller', maxController)] : []),
      ...checkDomainPrefixedPath(controller, 'spec.controller'),
      ...checkParameters(spec?.parameters, 'spec.parameters'),
    ];
  },
  validateUpdate: ({ spec }, old) =>
    checkImmutable(spec?.controller ?? '', old.spec?.controller ?? '', 'spec.controller'),
});

function checkParameters(
  parameters: NonNullable<IngressClass['spec']>['parameters'] | undefined,
  path: string,
): FieldError[] {
  if (!parameters) return [];
  const { apiGroup, kind, name, scope, namespace } = parameters;
  return [
    ...(apiGroup === undefined
      ? []
      : checkDns1123Subdomain(apiGroup).map((sentence) => invalidField(`${path}.apiGroup`, apiGroup, sentence))),
    ...checkSegment(kind, 'kind', `${path}.kind`),
    ...checkSegment(name, 'name', `${path}.name`),
    ...(scope !== undefined && scope !== 'Cluster' && scope !== 'Namespace'
      ? [unsupportedField(`${path}.scope`, scope, ['Cluster', 'Namespace'])]
      : []),
    ...(scope === 'Namespace' && namespace === undefined
      ? [requiredField(`${path}.namespace`, "`parameters.scope` is set to 'Namespace'")]
      : []),
    ...(scope === 'Namespace' && namespace !== undefined
      ? checkDns1123Label(namespace).map((sentence) => invalidField(`${path}.namespace`, namespace, sentence))
      : []),
    ...(scope === 'Cluster' && namespace !== undefined
      ? [forbiddenField(`${path}.namespace`, "`parameters.scope` is set to 'Cluster'")]
      : []),
  ];
}
