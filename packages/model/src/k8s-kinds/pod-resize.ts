// Other resources for a pod that is there: what the resize subresource changes, and what it refuses. Source: "Resize CPU and
// Memory Resources assigned to Containers" in the Kubernetes documentation, and API reference, version 1.32.
import { forbiddenField, invalidField, isSidecar, qosClass } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { jsonEqual } from '../k8s-patch/index.ts';
import type { Container, Pod, PodSpec, ResourceRequirements } from '../k8s-types/index.ts';

const lists = ['initContainers', 'containers'] as const;
const resizable = ['cpu', 'memory'];

/**
 * The pod as it was, with the resources and resize policies of another: whatever else differs is left out, as are init
 * containers that run once. Containers that cannot be told apart stay as given, for `checkPodResize` to refuse.
 */
export function resizedPod(wanted: Pod, before: Pod): Pod {
  const { name, namespace, uid, resourceVersion } = wanted.metadata;
  const spec = { ...before.spec! };
  for (const list of lists) {
    const [now, old] = [wanted.spec?.[list], before.spec?.[list]];
    if (!sameNames(now, old)) spec[list] = now ?? [];
    else if (old) spec[list] = old.map((one, at) => (mayResize(list, one) ? withSizeOf(one, now![at]!) : one));
  }
  const isAsked = lists.some((list) =>
    spec[list]?.some(({ resources = {} }, at) => !jsonEqual(resources, before.spec?.[list]?.[at]?.resources ?? {})),
  );
  return {
    ...before,
    metadata: {
      ...before.metadata,
      ...(name ? { name } : {}),
      ...(namespace ? { namespace } : {}),
      ...(uid ? { uid } : {}),
      ...(resourceVersion ? { resourceVersion } : {}),
    },
    spec,
    ...(isAsked ? { status: { ...before.status, resize: 'Proposed' } } : {}),
  };
}

const mayResize = (list: (typeof lists)[number], container: Container): boolean =>
  list === 'containers' || isSidecar(container);

const sameNames = (now: readonly Container[] = [], old: readonly Container[] = []): boolean =>
  now.length === old.length && now.every(({ name }, at) => name === old[at]!.name);

function withSizeOf(container: Container, { resources, resizePolicy }: Container): Container {
  const sized = { ...container };
  delete sized.resources;
  delete sized.resizePolicy;
  return { ...sized, ...(resources ? { resources } : {}), ...(resizePolicy ? { resizePolicy } : {}) };
}

/** What is wrong with a resize, beside what is wrong with the pod by itself. `old` has its defaults. */
export function checkPodResize(pod: Pod, old: Pod): FieldError[] {
  const [spec, was] = [pod.spec!, old.spec!];
  if (old.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined)
    return [forbiddenField('', 'static pods cannot be resized')];
  if (was.os?.name === 'windows') return [forbiddenField('', 'windows pods cannot be resized')];
  if (was.resources) return [forbiddenField('', 'pods with pod-level resources cannot be resized')];
  const shuffled = lists.filter((list) => !sameNames(spec[list], was[list]));
  if (shuffled.length > 0)
    return shuffled.map((list) => forbiddenField(`spec.${list}`, 'containers may not be added, removed or reordered'));
  const errors = lists.flatMap((list) =>
    (spec[list] ?? []).flatMap(({ resources }, at) =>
      checkSize(resources ?? {}, was[list]![at]!.resources ?? {}, `spec.${list}[${at}].resources`),
    ),
  );
  if (!jsonEqual(withoutSizes(spec), withoutSizes(was)))
    errors.push(forbiddenField('spec', 'only cpu and memory resources are mutable'));
  const qos = qosClass(pod);
  if (qos !== (old.status?.qosClass ?? qosClass(old)))
    errors.push(invalidField('spec', qos, 'Pod QOS Class may not change as a result of resizing'));
  return errors;
}

function checkSize(now: ResourceRequirements, old: ResourceRequirements, path: string): FieldError[] {
  const errors = (['limits', 'requests'] as const)
    .filter((part) => Object.keys(old[part] ?? {}).some((name) => now[part]?.[name] === undefined))
    .map((part) => forbiddenField(`${path}.${part}`, `resource ${part} cannot be removed`));
  if (errors.length > 0 || jsonEqual(otherThanSize(now), otherThanSize(old))) return errors;
  return [forbiddenField(path, 'only cpu and memory resources are mutable')];
}

const otherThanSize = ({ limits = {}, requests = {}, ...rest }: ResourceRequirements): object => ({
  ...rest,
  limits: Object.entries(limits).filter(([name]) => !resizable.includes(name)),
  requests: Object.entries(requests).filter(([name]) => !resizable.includes(name)),
});

function withoutSizes(spec: PodSpec): object {
  const bare = (containers: readonly Container[] = []): object[] => containers.map((one) => withSizeOf(one, blank));
  return { ...spec, containers: bare(spec.containers), initContainers: bare(spec.initContainers) };
}

const blank: Container = { name: '' };
