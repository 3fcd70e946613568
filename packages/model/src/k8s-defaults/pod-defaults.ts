// Defaults of pods and of pod templates. A pod gets more than a template does: what depends on the pod itself.
import type { Container, Pod, PodSpec, PodTemplateSpec } from '../k8s-types/index.ts';
import { defaultContainer } from './container-defaults.ts';
import { defaultVolume } from './volume-defaults.ts';

export function defaultPodSpec(spec: PodSpec): PodSpec {
  const { initContainers, ephemeralContainers, volumes } = spec;
  const account = spec.serviceAccountName || spec.serviceAccount;
  return {
    ...spec,
    dnsPolicy: spec.dnsPolicy || 'ClusterFirst',
    restartPolicy: spec.restartPolicy || 'Always',
    schedulerName: spec.schedulerName || 'default-scheduler',
    securityContext: spec.securityContext ?? {},
    terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds ?? 30,
    // The older name of the field is kept in step.
    ...(account ? { serviceAccountName: account, serviceAccount: account } : {}),
    containers: (spec.containers ?? []).map(defaultContainer),
    ...(initContainers ? { initContainers: initContainers.map(defaultContainer) } : {}),
    ...(ephemeralContainers ? { ephemeralContainers: ephemeralContainers.map(defaultContainer) } : {}),
    ...(volumes ? { volumes: volumes.map(defaultVolume) } : {}),
  };
}

export const defaultPodTemplate = (template: PodTemplateSpec | undefined): PodTemplateSpec => ({
  ...template,
  metadata: template?.metadata ?? {},
  spec: defaultPodSpec(template?.spec ?? { containers: [] }),
});

export function defaultPod(pod: Pod): Pod {
  const spec = defaultPodSpec(pod.spec ?? { containers: [] });
  const finish = (container: Container): Container => withHostPorts(withRequests(container), spec.hostNetwork ?? false);
  return {
    ...pod,
    spec: {
      ...spec,
      enableServiceLinks: spec.enableServiceLinks ?? true,
      containers: spec.containers.map(finish),
      ...(spec.initContainers ? { initContainers: spec.initContainers.map(finish) } : {}),
    },
  };
}

/** What a container limits and does not request, it requests in full. */
function withRequests(container: Container): Container {
  const { limits, requests } = container.resources ?? {};
  if (!limits) return container;
  return { ...container, resources: { ...container.resources, limits, requests: { ...limits, ...requests } } };
}

/** On the host's network a port of the container is a port of the host. */
function withHostPorts(container: Container, hostNetwork: boolean): Container {
  if (!hostNetwork || !container.ports) return container;
  return {
    ...container,
    ports: container.ports.map((port) => ({ ...port, hostPort: port.hostPort || port.containerPort })),
  };
}
