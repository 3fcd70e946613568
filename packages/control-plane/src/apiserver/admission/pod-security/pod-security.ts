// Pod security admission: refuses pods that a namespace's labels do not allow, warns of them and of workloads whose pods
// would be, and tells what is wrong with existing pods when a namespace gets stricter.
import { fail, invalidObject, type KubeObject } from '@kedge/model/k8s';
import type { Container, PodSpec, PodTemplateSpec } from '@kedge/model/k8s-types';
import type { Call } from '@kedge/engine/kube-api';
import type { AdmissionRequest, AdmissionStep } from '../admission.ts';
import type { CheckedPod } from './pod-checks.ts';
import { isStricter, labelPrefix, policyOf, say, sayViolations, violations } from './policy.ts';

export interface PodSecurityDeps {
  readNamespace(name: string): KubeObject | undefined;
  podsIn(namespace: string): Iterable<KubeObject>;
}

/** More pods than this are not looked at when a namespace changes. */
const maxPods = 3_000;
const ignoredSubresources = new Set(['exec', 'attach', 'binding', 'eviction', 'log', 'portforward', 'proxy', 'status']);

const templated = new Set([
  'replicationcontrollers',
  'podtemplates',
  'replicasets.apps',
  'deployments.apps',
  'statefulsets.apps',
  'daemonsets.apps',
  'jobs.batch',
  'cronjobs.batch',
]);

export const podSecurity = (deps: PodSecurityDeps): AdmissionStep => ({
  name: 'PodSecurity',
  validate(request, call) {
    const { kind, object, subresource, operation } = request;
    if (!object || operation === 'delete') return;
    if (kind.collection === 'namespaces')
      return subresource === undefined ? checkNamespace(deps, request, call) : undefined;
    if (kind.collection === 'pods') return checkPod(deps, request, call);
    if (templated.has(kind.collection) && subresource === undefined) return checkWorkload(deps, request, call);
  },
});

function checkPod(deps: PodSecurityDeps, request: AdmissionRequest, call: Call): void {
  const { object, before, namespace = '', name, subresource } = request;
  if (subresource !== undefined && ignoredSubresources.has(subresource)) return;
  const pod = podOf(object!);
  if (!pod || (before && !isSignificant(object!, before))) return;
  const { policy } = policyOf(deps.readNamespace(namespace)?.metadata.labels);
  call.annotate?.(`${labelPrefix}enforce-policy`, say(policy.enforce));
  audit(pod, policy.audit, call);
  const refused = violations(policy.enforce, pod);
  if (refused.length > 0) {
    throw fail(
      'Forbidden',
      `pods "${name}" is forbidden: violates PodSecurity "${say(policy.enforce)}": ${sayViolations(refused)}`,
      { name, kind: 'pods' },
    );
  }
  warn(pod, policy.warn, call);
}

function checkWorkload(deps: PodSecurityDeps, { object, namespace = '' }: AdmissionRequest, call: Call): void {
  const template = templateOf(object!);
  const pod = template && podOf(template as unknown as KubeObject);
  if (!pod) return;
  const { policy } = policyOf(deps.readNamespace(namespace)?.metadata.labels);
  audit(pod, policy.audit, call);
  warn(pod, policy.warn, call);
}

type Mode = Parameters<typeof violations>[0];

function warn(pod: CheckedPod, mode: Mode, call: Call): void {
  const found = violations(mode, pod);
  if (found.length > 0) call.warn(`would violate PodSecurity "${say(mode)}": ${sayViolations(found)}`);
}

function audit(pod: CheckedPod, mode: Mode, call: Call): void {
  const found = violations(mode, pod);
  if (found.length === 0) return;
  call.annotate?.(
    `${labelPrefix}audit-violations`,
    `would violate PodSecurity "${say(mode)}": ${sayViolations(found)}`,
  );
}

function checkNamespace(deps: PodSecurityDeps, { object, before, kind, name }: AdmissionRequest, call: Call): void {
  const now = policyOf(object!.metadata.labels);
  const was = policyOf(before?.metadata.labels);
  const isOldTrouble = before && JSON.stringify(now.errors) === JSON.stringify(was.errors);
  if (now.errors.length > 0 && !isOldTrouble) throw invalidObject(kind.served, name, now.errors);
  if (!before) return;
  const [next, last] = [now.policy.enforce, was.policy.enforce];
  if (next.level === 'privileged' || say(next) === say(last)) return;
  if (next.version === last.version && !isStricter(next.level, last.level)) return;
  for (const warning of warningsFor(deps.podsIn(name), name, next)) call.warn(warning);
}

/** One warning per kind of trouble, with the first pod that has it. */
function warningsFor(pods: Iterable<KubeObject>, namespace: string, next: Mode): string[] {
  const found = new Map<string, string[]>();
  const owners = new Set<string>();
  let checked = 0;
  let total = 0;
  for (const object of pods) {
    total++;
    const owner = object.metadata.ownerReferences?.find(({ controller }) => controller)?.uid;
    const pod = podOf(object);
    // Pods of one set are alike.
    if (!pod || checked >= maxPods || (owner !== undefined && owners.has(owner))) continue;
    if (owner !== undefined) owners.add(owner);
    checked++;
    const reasons = violations(next, pod).map(({ reason }) => reason);
    if (reasons.length === 0) continue;
    const key = reasons.join(', ');
    found.set(key, [...(found.get(key) ?? []), object.metadata.name ?? '']);
  }
  const lines = [...found].map(([reasons, names]) => {
    const [first = '', ...others] = names.sort();
    const more = others.length === 0 ? '' : ` (and ${others.length} other pod${others.length === 1 ? '' : 's'})`;
    return `${first}${more}: ${reasons}`;
  });
  return [
    ...(checked >= maxPods
      ? [`new PodSecurity enforce level only checked against the first ${checked} of ${total} existing pods`]
      : []),
    ...(lines.length > 0
      ? [`existing pods in namespace "${namespace}" violate the new PodSecurity enforce level "${say(next)}"`]
      : []),
    ...lines.sort(),
  ];
}

function podOf(object: KubeObject): CheckedPod | undefined {
  const spec = object['spec'] as PodSpec | undefined;
  return spec && { annotations: object.metadata?.annotations ?? {}, spec };
}

function templateOf(object: KubeObject): PodTemplateSpec | undefined {
  const spec = object['spec'] as
    | { template?: PodTemplateSpec; jobTemplate?: { spec?: { template?: PodTemplateSpec } } }
    | undefined;
  return spec?.jobTemplate?.spec?.template ?? spec?.template ?? (object['template'] as PodTemplateSpec | undefined);
}

/** Of what may change in a pod, only images and added containers matter. */
function isSignificant(next: KubeObject, before: KubeObject): boolean {
  const imagesOf = (object: KubeObject): string => {
    const { initContainers = [], containers = [], ephemeralContainers = [] } = (object['spec'] ?? {}) as PodSpec;
    return JSON.stringify(
      [initContainers, containers, ephemeralContainers].map((all) =>
        (all as Container[]).map(({ name, image }) => [name, image]),
      ),
    );
  };
  return imagesOf(next) !== imagesOf(before);
}
