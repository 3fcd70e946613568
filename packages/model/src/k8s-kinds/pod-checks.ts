// Checks of a pod's spec, the same in a pod and in a template.
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkQualifiedName,
  duplicateField,
  forbiddenField,
  invalidField,
  requiredField,
} from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { isIPv4, isIPv6 } from '../k8s-schema/index.ts';
import type { HostAlias, PodSecurityContext, PodSpec, Sysctl } from '../k8s-types/index.ts';
import { checkChoice, checkLabels, checkOptionalChoice, checkRange, checkText, repeated } from './checks.ts';
import { checkContainers, checkEphemeralContainers, checkId, checkInitContainers } from './container-checks.ts';
import { checkAmounts } from './resource-checks.ts';
import { checkAppArmor, checkSeccomp } from './security-checks.ts';
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
    ...(spec.preemptionPolicy === undefined
      ? []
      : checkChoice(spec.preemptionPolicy, ['PreemptLowerPriority', 'Never'], `${path}.preemptionPolicy`)),
    ...checkAmounts(spec.overhead, `${path}.overhead`),
    ...(spec.os
      ? spec.os.name
        ? checkOptionalChoice(spec.os.name, ['linux', 'windows'], `${path}.os.name`)
        : [requiredField(`${path}.os.name`, 'cannot be empty')]
      : []),
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
    ...checkSysctls(context?.sysctls ?? [], `${path}.sysctls`),
    ...checkSeccomp(context?.seccompProfile, `${path}.seccompProfile`),
    ...checkAppArmor(context?.appArmorProfile, `${path}.appArmorProfile`),
  ];
}

const sysctlName = /^[a-z0-9]([-_a-z0-9]*[a-z0-9])?([./][a-z0-9]([-_a-z0-9]*[a-z0-9])?)*$/;
const maxSysctl = 253;

function checkSysctls(sysctls: readonly Sysctl[], path: string): FieldError[] {
  return [
    ...sysctls.flatMap(({ name = '' }, at) => {
      if (!name) return [requiredField(`${path}[${at}].name`)];
      return name.length <= maxSysctl && sysctlName.test(name)
        ? []
        : [
            invalidField(
              `${path}[${at}].name`,
              name,
              `must have at most ${maxSysctl} characters and match regex ${sysctlName.source}`,
            ),
          ];
    }),
    ...repeated(sysctls, ({ name }) => name).map((at) => duplicateField(`${path}[${at}].name`, sysctls[at]!.name)),
  ];
}

function checkNamesInSpec(spec: PodSpec, path: string): FieldError[] {
  const gates = spec.schedulingGates ?? [];
  return [
    ...checkText(spec.serviceAccountName, checkDns1123Subdomain, `${path}.serviceAccountName`),
    ...checkText(spec.nodeName, checkDns1123Subdomain, `${path}.nodeName`),
    ...checkText(spec.hostname, checkDns1123Label, `${path}.hostname`),
    ...checkText(spec.subdomain, checkDns1123Label, `${path}.subdomain`),
    ...checkText(spec.priorityClassName, checkDns1123Subdomain, `${path}.priorityClassName`),
    ...(spec.runtimeClassName === undefined
      ? []
      : checkDns1123Subdomain(spec.runtimeClassName).map((sentence) =>
          invalidField(`${path}.runtimeClassName`, spec.runtimeClassName, sentence),
        )),
    ...(spec.readinessGates ?? []).flatMap(({ conditionType = '' }, i) =>
      checkQualifiedName(conditionType).map((sentence) =>
        invalidField(`${path}.readinessGates[${i}].conditionType`, conditionType, sentence),
      ),
    ),
    ...gates.flatMap(({ name = '' }, i) =>
      checkQualifiedName(name).map((sentence) => invalidField(`${path}.schedulingGates[${i}]`, name, sentence)),
    ),
    ...repeated(gates, ({ name }) => name).map((i) => duplicateField(`${path}.schedulingGates[${i}]`, gates[i]!.name)),
    ...(spec.nodeName && spec.schedulingGates?.length
      ? [forbiddenField(`${path}.nodeName`, 'cannot be set until all schedulingGates have been cleared')]
      : []),
  ];
}

const checkHostAlias = ({ ip, hostnames }: HostAlias, path: string): FieldError[] => [
  ...checkIP(ip, `${path}.ip`),
  ...(hostnames ?? []).flatMap((name, i) => checkText(name, checkDns1123Subdomain, `${path}.hostnames[${i}]`)),
];
