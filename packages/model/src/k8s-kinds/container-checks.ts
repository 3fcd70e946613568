// Checks of containers: regular, init and ephemeral ones.
import {
  checkConfigMapKey,
  checkDns1123Label,
  checkDns1123Subdomain,
  checkEnvVarName,
  checkPortName,
  duplicateField,
  forbiddenField,
  invalidField,
  isSidecar,
  requiredField,
} from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import type { Container, ContainerPort, EnvFromSource, EnvVar, PodSpec } from '../k8s-types/index.ts';
import { checkChoice, checkOptionalChoice, checkPort, checkRequiredName, checkText, repeated } from './checks.ts';
import { checkLifecycle, checkProbe } from './probe-checks.ts';
import { checkResources } from './resource-checks.ts';
import { checkAppArmor, checkSeccomp } from './security-checks.ts';
import { checkDevices, checkFieldRef, checkMounts, checkResourceRef } from './volume-checks.ts';

export const protocols = ['SCTP', 'TCP', 'UDP'];

export function checkContainers(spec: PodSpec, path: string): FieldError[] {
  const { containers } = spec;
  const at = `${path}.containers`;
  if (containers.length === 0) return [requiredField(at)];
  return [
    ...containers.flatMap((container, i) => checkRegular(container, spec, `${at}[${i}]`)),
    ...repeated(containers, ({ name }) => name).map((i) => duplicateField(`${at}[${i}].name`, containers[i]!.name)),
    ...checkHostPorts(containers, at),
  ];
}

function checkRegular(container: Container, spec: PodSpec, path: string): FieldError[] {
  return [
    ...checkCommon(container, spec, path),
    ...checkHooks(container, spec, path),
    ...(container.restartPolicy === undefined
      ? []
      : [forbiddenField(`${path}.restartPolicy`, 'may not be set for non-init containers')]),
  ];
}

const checkHooks = (container: Container, spec: PodSpec, path: string): FieldError[] => [
  ...checkLifecycle(container.lifecycle, spec.terminationGracePeriodSeconds, `${path}.lifecycle`),
  ...checkProbe(container.livenessProbe, `${path}.livenessProbe`, true),
  ...checkProbe(container.readinessProbe, `${path}.readinessProbe`, false),
  ...checkProbe(container.startupProbe, `${path}.startupProbe`, true),
];

export function checkInitContainers(spec: PodSpec, path: string): FieldError[] {
  const containers = spec.initContainers ?? [];
  const at = `${path}.initContainers`;
  const all = [...spec.containers, ...containers];
  return [
    ...containers.flatMap((container, i) => checkInit(container, spec, `${at}[${i}]`)),
    ...repeated(all, ({ name }) => name)
      .filter((i) => i >= spec.containers.length)
      .map((i) => duplicateField(`${at}[${i - spec.containers.length}].name`, all[i]!.name)),
  ];
}

function checkInit(container: Container, spec: PodSpec, path: string): FieldError[] {
  const hooks = ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const;
  return [
    ...checkCommon(container, spec, path),
    ...checkOptionalChoice(container.restartPolicy, ['Always'], `${path}.restartPolicy`),
    ...(isSidecar(container)
      ? checkHooks(container, spec, path)
      : hooks
          .filter((hook) => container[hook] !== undefined)
          .map((hook) =>
            forbiddenField(`${path}.${hook}`, 'may not be set for init containers without restartPolicy=Always'),
          )),
  ];
}

export function checkEphemeralContainers(spec: PodSpec, path: string): FieldError[] {
  const forbidden = ['ports', 'livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle', 'restartPolicy'] as const;
  return (spec.ephemeralContainers ?? []).flatMap((container, i) => {
    const at = `${path}.ephemeralContainers[${i}]`;
    return [
      ...checkCommon(container, spec, at),
      ...forbidden
        .filter((field) => container[field] !== undefined)
        .map((field) => forbiddenField(`${at}.${field}`, 'cannot be set for an Ephemeral Container')),
    ];
  });
}

function checkCommon(container: Container, spec: PodSpec, path: string): FieldError[] {
  return [
    ...checkRequiredName(container.name, checkDns1123Label, `${path}.name`),
    ...checkImage(container.image, `${path}.image`),
    ...checkChoice(
      container.terminationMessagePolicy,
      ['File', 'FallbackToLogsOnError'],
      `${path}.terminationMessagePolicy`,
    ),
    ...checkPorts(container.ports ?? [], `${path}.ports`),
    ...(container.env ?? []).flatMap((variable, i) => checkEnv(variable, `${path}.env[${i}]`)),
    ...(container.envFrom ?? []).flatMap((source, i) => checkEnvFrom(source, `${path}.envFrom`, i)),
    ...checkMounts(container, spec.volumes ?? [], `${path}.volumeMounts`),
    ...checkDevices(container, spec.volumes ?? [], `${path}.volumeDevices`),
    ...checkChoice(container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never'], `${path}.imagePullPolicy`),
    ...checkResources(container.resources, `${path}.resources`),
    ...checkPrivileges(container, `${path}.securityContext`),
  ];
}

function checkImage(image: string | undefined, path: string): FieldError[] {
  if (!image) return [requiredField(path)];
  return image === image.trim() ? [] : [invalidField(path, image, 'must not have leading or trailing whitespace')];
}

function checkPorts(ports: readonly ContainerPort[], path: string): FieldError[] {
  return [
    ...ports.flatMap((port, i) => [
      ...checkText(port.name, checkPortName, `${path}[${i}].name`),
      ...(port.containerPort
        ? checkPort(port.containerPort, `${path}[${i}].containerPort`)
        : [requiredField(`${path}[${i}].containerPort`)]),
      ...(port.hostPort ? checkPort(port.hostPort, `${path}[${i}].hostPort`) : []),
      ...checkChoice(port.protocol, protocols, `${path}[${i}].protocol`),
    ]),
    ...repeated(ports, ({ name }) => name).map((i) => duplicateField(`${path}[${i}].name`, ports[i]!.name)),
  ];
}

function checkHostPorts(containers: readonly Container[], path: string): FieldError[] {
  const ports = containers.flatMap(({ ports: own }, i) =>
    (own ?? []).map((port, j) => ({ port, at: `${path}[${i}].ports[${j}].hostPort` })),
  );
  const keyOf = ({ port }: (typeof ports)[number]): string =>
    port.hostPort ? `${port.protocol}/${port.hostIP ?? ''}/${port.hostPort}` : '';
  return repeated(ports, keyOf).map((i) => duplicateField(ports[i]!.at, keyOf(ports[i]!)));
}

const readableFields = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];

function checkEnv({ name, value, valueFrom }: EnvVar, path: string): FieldError[] {
  const nameErrors = checkRequiredName(name, checkEnvVarName, `${path}.name`);
  if (!valueFrom) return nameErrors;
  const at = `${path}.valueFrom`;
  const { fieldRef, configMapKeyRef, secretKeyRef, resourceFieldRef } = valueFrom;
  return [
    ...nameErrors,
    ...(fieldRef ? checkFieldRef(fieldRef, readableFields, `${at}.fieldRef`) : []),
    ...(resourceFieldRef ? checkResourceRef(resourceFieldRef, `${at}.resourceFieldRef`, false) : []),
    ...(configMapKeyRef ? checkKeyRef(configMapKeyRef, `${at}.configMapKeyRef`) : []),
    ...(secretKeyRef ? checkKeyRef(secretKeyRef, `${at}.secretKeyRef`) : []),
    ...checkSourceCount(Object.keys(valueFrom).length, value, at),
  ];
}

const checkKeyRef = ({ name, key }: { name?: string; key: string }, path: string): FieldError[] => [
  ...checkDns1123Subdomain(name ?? '').map((sentence) => invalidField(`${path}.name`, name ?? '', sentence)),
  ...checkRequiredName(key, checkConfigMapKey, `${path}.key`),
];

function checkSourceCount(count: number, value: string | undefined, path: string): FieldError[] {
  if (count === 0) {
    const sources = '`fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`';
    return [invalidField(path, '', `must specify one of: ${sources}`)];
  }
  if (value) return [invalidField(path, '', 'may not be specified when `value` is not empty')];
  return count > 1 ? [invalidField(path, '', 'may not have more than one field specified at a time')] : [];
}

function checkEnvFrom({ prefix, configMapRef, secretRef }: EnvFromSource, list: string, at: number): FieldError[] {
  const path = `${list}[${at}]`;
  return [
    ...checkText(prefix, checkEnvVarName, `${path}.prefix`),
    ...(configMapRef ? checkSourceName(configMapRef.name, `${path}.configMapRef.name`) : []),
    ...(secretRef ? checkSourceName(secretRef.name, `${path}.secretRef.name`) : []),
    ...(configMapRef || secretRef
      ? []
      : [invalidField(list, '', 'must specify one of: `configMapRef` or `secretRef`')]),
    ...(configMapRef && secretRef
      ? [invalidField(list, '', 'may not have more than one field specified at a time')]
      : []),
  ];
}

const checkSourceName = (name: string | undefined, path: string): FieldError[] =>
  name ? checkText(name, checkDns1123Subdomain, path) : [requiredField(path)];

function checkPrivileges({ securityContext }: Container, path: string): FieldError[] {
  const { privileged, allowPrivilegeEscalation: escalation, runAsUser, runAsGroup, procMount } = securityContext ?? {};
  return [
    ...(escalation === false && privileged
      ? [invalidField(path, securityContext, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true')]
      : []),
    ...checkId(runAsUser, `${path}.runAsUser`),
    ...checkId(runAsGroup, `${path}.runAsGroup`),
    ...checkOptionalChoice(procMount, ['Default', 'Unmasked'], `${path}.procMount`),
    ...checkSeccomp(securityContext?.seccompProfile, `${path}.seccompProfile`),
    ...checkAppArmor(securityContext?.appArmorProfile, `${path}.appArmorProfile`),
  ];
}

const maxId = 2 ** 31 - 1;

/** A user or group number. */
export const checkId = (id: number | undefined, path: string): FieldError[] =>
  id !== undefined && (id < 0 || id > maxId)
    ? [invalidField(path, id, `must be between 0 and ${maxId}, inclusive`)]
    : [];
