// Checks of a pod's spec, the same in a pod and in a template.
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkQualifiedName,
  forbiddenField,
  invalidField,
  requiredField,
} from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { isIPv4, isIPv6 } from '../k8s-schema/index.ts';
import type { HostAlias, PodSecurityContext, PodSpec } from '../k8s-types/index.ts';
import { checkChoice, checkLabels, checkOptionalChoice, checkRange, checkRequiredName, checkText } from './checks.ts';
import { checkContainers, checkEphemeralContainers, checkId, checkInitContainers } from './container-checks.ts';
import { checkAmounts } from './resource-checks.ts';
import { checkAffinity, checkTolerations, checkTopologySpread } from './scheduling-checks.ts';
import { checkVolumes } from './volume-checks.ts';

const maxInt32 = 2 ** 31 - 1;

/** `spec` has had its defaults. */
export function checkPodSpec(spec: PodSpec, path: string): FieldError[] {
  return [
    ...checkVolumes(spec.volumes ?? [], `${path}.volumes`),
    ...checkContainers(spec, path),
    ...checkInitContainers(spec, path),
    ...checkEphemeralContainers(spec, path),
    ...checkHostNetworkPorts(spec, path),
    ...checkChoice(spec.restartPolicy, ['Always', 'OnFailure', 'Never'], `${path}.restartPolicy`),
    ...checkChoice(spec.dnsPolicy, ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'], `${path}.dnsPolicy`),
    ...checkDns(spec, path),
    ...checkLabels(spec.nodeSelector, `${path}.nodeSelector`),
    ...checkSecurity(spec.securityContext, `${path}.securityContext`),
    ...checkNamesInSpec(spec, path),
    ...checkRange(spec.activeDeadlineSeconds, 1, maxInt32, `${path}.activeDeadlineSeconds`),
    ...checkTolerations(spec.tolerations ?? [], `${path}.tolerations`),
    ...checkAffinity(spec.affinity, `${path}.affinity`),
    ...checkTopologySpread(spec.topologySpreadConstraints ?? [], `${path}.topologySpreadConstraints`),
    ...(spec.hostAliases ?? []).flatMap((alias, i) => checkHostAlias(alias, `${path}.hostAliases[${i}]`)),
    ...checkOptionalChoice(spec.preemptionPolicy, ['PreemptLowerPriority', 'Never'], `${path}.preemptionPolicy`),
    ...checkAmounts(spec.overhead, `${path}.overhead`),
    ...(spec.os ? checkChoice(spec.os.name, ['linux', 'windows'], `${path}.os.name`) : []),
  ];
}

function checkHostNetworkPorts(spec: PodSpec, path: string): FieldError[] {
  if (!spec.hostNetwork) return [];
  return spec.containers.flatMap(({ ports = [] }, i) =>
    ports.flatMap((port, j) =>
      port.hostPort && port.hostPort !== port.containerPort
        ? [
            invalidField(
              `${path}.containers[${i}].ports[${j}].hostPort`,
              port.hostPort,
              'must match `containerPort` when `hostNetwork` is true',
            ),
          ]
        : [],
    ),
  );
}

function checkDns({ dnsPolicy, dnsConfig }: PodSpec, path: string): FieldError[] {
  const nameservers = dnsConfig?.nameservers ?? [];
  return [
    ...(dnsPolicy === 'None' && nameservers.length === 0
      ? [
          requiredField(
            `${path}.dnsConfig${dnsConfig ? '.nameservers' : ''}`,
            'must provide at least one DNS nameserver when `dnsPolicy` is None',
          ),
        ]
      : []),
    ...nameservers.flatMap((address, i) => checkIP(address, `${path}.dnsConfig.nameservers[${i}]`)),
    ...(dnsConfig?.options ?? []).flatMap(({ name }, i) =>
      name ? [] : [requiredField(`${path}.dnsConfig.options[${i}]`, 'must not be empty')],
    ),
  ];
}

export const checkIP = (address: string | undefined, path: string): FieldError[] =>
  isIPv4(address ?? '') || isIPv6(address ?? '')
    ? []
    : [invalidField(path, address ?? '', 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')];

function checkSecurity(context: PodSecurityContext | undefined, path: string): FieldError[] {
  return [
    ...checkId(context?.runAsUser, `${path}.runAsUser`),
    ...checkId(context?.runAsGroup, `${path}.runAsGroup`),
    ...checkId(context?.fsGroup, `${path}.fsGroup`),
    ...(context?.supplementalGroups ?? []).flatMap((id, i) => checkId(id, `${path}.supplementalGroups[${i}]`)),
    ...checkOptionalChoice(context?.fsGroupChangePolicy, ['Always', 'OnRootMismatch'], `${path}.fsGroupChangePolicy`),
  ];
}

function checkNamesInSpec(spec: PodSpec, path: string): FieldError[] {
  return [
    ...checkText(spec.serviceAccountName, checkDns1123Subdomain, `${path}.serviceAccountName`),
    ...checkText(spec.nodeName, checkDns1123Subdomain, `${path}.nodeName`),
    ...checkText(spec.hostname, checkDns1123Label, `${path}.hostname`),
    ...checkText(spec.subdomain, checkDns1123Label, `${path}.subdomain`),
    ...checkText(spec.priorityClassName, checkDns1123Subdomain, `${path}.priorityClassName`),
    ...checkText(spec.runtimeClassName, checkDns1123Subdomain, `${path}.runtimeClassName`),
    ...(spec.imagePullSecrets ?? []).flatMap(({ name }, i) =>
      name ? [] : [requiredField(`${path}.imagePullSecrets[${i}].name`)],
    ),
    ...(spec.readinessGates ?? []).flatMap(({ conditionType }, i) =>
      checkRequiredName(conditionType, checkQualifiedName, `${path}.readinessGates[${i}].conditionType`),
    ),
    ...(spec.nodeName && spec.schedulingGates?.length
      ? [forbiddenField(`${path}.nodeName`, 'cannot be set until all schedulingGates have been cleared')]
      : []),
  ];
}

const checkHostAlias = ({ ip, hostnames }: HostAlias, path: string): FieldError[] => [
  ...checkIP(ip, `${path}.ip`),
  ...(hostnames ?? []).flatMap((name, i) => checkText(name, checkDns1123Subdomain, `${path}.hostnames[${i}]`)),
];
