// What a case of the conformance suite works with: objects are created through the Kubernetes API, and what happened is
// read from there, from the container's output, and nowhere else.
import type { KubeApi } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';
import type { Container, ContainerStatus, Pod, PodSpec } from '@kedge/model/k8s-types';
import { eventually } from '../e2e/harness/run.ts';

export const busybox = 'docker.io/library/busybox:1.35';
/** The same under another name. */
export const otherBusybox = 'conformance.local/busybox:2';
/** Entry point `echo`, command `from the image`, user 1234, working directory /tmp, `FROM_IMAGE=yes`. */
export const imageWithDefaults = 'conformance.local/defaults:1';

const namespace = 'default';
const resources = {
  Pod: { group: '', version: 'v1', resource: 'pods' },
  ConfigMap: { group: '', version: 'v1', resource: 'configmaps' },
  Secret: { group: '', version: 'v1', resource: 'secrets' },
  Service: { group: '', version: 'v1', resource: 'services' },
  Event: { group: '', version: 'v1', resource: 'events' },
  Lease: { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' },
  Node: { group: '', version: 'v1', resource: 'nodes' },
  RuntimeClass: { group: 'node.k8s.io', version: 'v1', resource: 'runtimeclasses' },
} as const;
type Kind = keyof typeof resources;

type Found<T> = T | undefined | false;

export interface RunningPod {
  readonly name: string;
  get(): Promise<Pod>;
  /** The first look at which `is` gives something. */
  until<T>(what: string, is: (pod: Pod) => Found<T> | Promise<Found<T>>, limitMs?: number): Promise<T>;
  /** Waits for every container to have ended. */
  ended(): Promise<Pod>;
  running(): Promise<Pod>;
  ready(): Promise<Pod>;
  log(container?: string): Promise<string>;
  /** Waits for a line of output. */
  says(line: RegExp, container?: string): Promise<string>;
  /** Messages of its events with this reason. */
  events(reason: string): Promise<string[]>;
  patch(change: unknown, subresource?: string): Promise<void>;
  /** Returns when it is gone. */
  delete(graceSeconds?: number): Promise<void>;
}

export interface NodeUnderTest {
  readonly name: string;
  readonly address: string;
  /** Names that no other case has. */
  uniqueName(prefix: string): string;
  /** Creates an object in the namespace of the suite; its name is returned. */
  create(kind: Exclude<Kind, 'Pod'>, object: Readonly<Record<string, unknown>>, name?: string): Promise<string>;
  get<T = KubeObject>(kind: Kind, name: string, inNamespace?: string): Promise<T>;
  patch(kind: Kind, name: string, change: unknown): Promise<void>;
  remove(kind: Kind, name: string): Promise<void>;
  pod(spec: PodSpec, metadata?: Readonly<Record<string, unknown>>): Promise<RunningPod>;
}

export interface Case {
  /** What holds, as a sentence. */
  readonly name: string;
  /** Why it does not hold yet. */
  readonly missing?: string;
  run(node: NodeUnderTest): Promise<void>;
}

/** A container that runs a shell script. */
export const shell = (script: string, more: Partial<Container> = {}): Container => ({
  name: 'main',
  image: busybox,
  imagePullPolicy: 'IfNotPresent',
  command: ['sh', '-c', script],
  ...more,
});

/** A pod of one script that is run once. */
export const once = (script: string, more: Partial<Container> = {}, spec: Partial<PodSpec> = {}): PodSpec => ({
  restartPolicy: 'Never',
  containers: [shell(script, more)],
  ...spec,
});

/** Runs until it is told to end, and does so at once. */
export const forever = 'trap "exit 0" TERM; while true; do sleep 1 & wait $!; done';

export const containerOf = (pod: Pod, name = 'main'): ContainerStatus => {
  const { containerStatuses = [], initContainerStatuses = [], ephemeralContainerStatuses = [] } = pod.status ?? {};
  const found = [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses].find(
    (status) => status.name === name,
  );
  if (!found) throw new Error(`no status of container ${name} yet`);
  return found;
};

export const isReady = (pod: Pod): boolean =>
  pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;

export function nodeUnderTest(api: KubeApi, name: string, address: string): NodeUnderTest {
  let count = 0;
  const uniqueName = (prefix: string): string => `${prefix}-${++count}`;
  const isEnded = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

  function runningPod(podName: string): RunningPod {
    const target = { namespace, name: podName };
    const get = async (): Promise<Pod> => (await api.get(resources.Pod, target)) as unknown as Pod;
    const log = async (container = 'main'): Promise<string> => {
      const path = `/api/v1/namespaces/${namespace}/pods/${podName}/log?container=${container}`;
      const { status, body } = await api.raw(path);
      if (status !== 200) throw new Error(`no log of ${podName}: ${status} ${body}`);
      return body;
    };
    const until: RunningPod['until'] = async (what, is, limitMs = 60_000) => {
      let last: Pod | undefined;
      try {
        return await eventually(`${podName}: ${what}`, async () => is((last = await get())), limitMs);
      } catch (error) {
        throw new Error(`${String((error as Error).message)}; its status: ${JSON.stringify(last?.status)}`, {
          cause: error,
        });
      }
    };
    return {
      name: podName,
      get,
      until,
      log,
      ended: () => until('to have ended', (pod) => isEnded(pod) && pod),
      running: () => until('to run', (pod) => pod.status?.phase === 'Running' && pod),
      ready: () => until('to be ready', (pod) => isReady(pod) && pod),
      says: (line, container) =>
        eventually(`${podName} to say ${line.source}`, async () => line.exec(await log(container))?.[0]),
      async events(reason) {
        const fieldSelector = `involvedObject.name=${podName},reason=${reason}`;
        const { items } = await api.list(resources.Event, { namespace, fieldSelector });
        return items.map((event) => String(event['message']));
      },
      async patch(change, subresource) {
        const options = subresource === undefined ? {} : { subresource };
        await api.patch(resources.Pod, { ...target, ...options }, 'strategic', JSON.stringify(change));
      },
      async delete(graceSeconds) {
        await api.delete(resources.Pod, target, graceSeconds === undefined ? {} : { gracePeriodSeconds: graceSeconds });
        await eventually(`${podName} to be gone`, async () => {
          const { items } = await api.list(resources.Pod, { namespace, fieldSelector: `metadata.name=${podName}` });
          return items.length === 0;
        });
      },
    };
  }

  return {
    name,
    address,
    uniqueName,
    async create(kind, object, objectName = uniqueName(kind.toLowerCase())) {
      const { group, version } = resources[kind];
      const isNamespaced = kind !== 'RuntimeClass' && kind !== 'Node';
      const whole = {
        apiVersion: group === '' ? version : `${group}/${version}`,
        kind,
        metadata: { name: objectName },
        ...object,
      };
      await api.create(resources[kind], isNamespaced ? namespace : undefined, whole);
      return objectName;
    },
    get: async <T>(kind: Kind, objectName: string, inNamespace?: string) => {
      const isNamespaced = kind !== 'RuntimeClass' && kind !== 'Node';
      const target = isNamespaced ? { namespace: inNamespace ?? namespace, name: objectName } : { name: objectName };
      return (await api.get(resources[kind], target)) as T;
    },
    async patch(kind, objectName, change) {
      await api.patch(resources[kind], { namespace, name: objectName }, 'merge', JSON.stringify(change));
    },
    async remove(kind, objectName) {
      await api.delete(resources[kind], { namespace, name: objectName });
    },
    async pod(spec, metadata = {}) {
      const podName = uniqueName('pod');
      await api.create(resources.Pod, namespace, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: podName, ...metadata },
        spec: { terminationGracePeriodSeconds: 5, automountServiceAccountToken: false, ...spec },
      });
      return runningPod(podName);
    },
  };
}
