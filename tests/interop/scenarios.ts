// What happens to objects in a cluster, as a table: each scenario writes some, and tells what came of them in words that
// do not depend on names, times and uids that a cluster makes up.
import type { KubeApi, Target } from '@kedge/engine/kube-client';
import { collections } from '@kedge/engine/kube-client';
import type { GroupVersionResource, KubeObject } from '@kedge/model/k8s';
import type { Event, PodSpec, PodTemplateSpec } from '@kedge/model/k8s-types';

export interface Site {
  readonly api: KubeApi;
  readonly namespace: string;
}

export interface Scenario {
  readonly name: string;
  /** Writes; everything after a `wait` sees what controllers made of what was before. */
  readonly act: (at: Actions) => Promise<void>;
  readonly outcome: (at: Actions) => Promise<unknown>;
}

const never = { schedulerName: 'nobody' };
export const label = (app: string) => ({ matchLabels: { app } });
export const template = (app: string, more: Partial<PodSpec> = {}): PodTemplateSpec => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: 'main', image: 'app:1' }], ...never, ...more },
});
export const asking = (cpu: string): PodSpec['containers'] => [
  { name: 'main', image: 'app:1', resources: { requests: { cpu } } },
];

/** Reads and writes in the scenario's namespace. */
export class Actions {
  readonly #site: Site;
  constructor(site: Site) {
    this.#site = site;
  }
  get namespace(): string {
    return this.#site.namespace;
  }
  #target(name: string): Target {
    return { namespace: this.#site.namespace, name };
  }
  async create(of: GroupVersionResource & { kind: string; apiVersion: string }, object: object, cluster = false) {
    const { kind, apiVersion } = of;
    await this.#site.api.create(of, cluster ? undefined : this.#site.namespace, {
      kind,
      apiVersion,
      ...object,
    } as KubeObject);
  }
  pod = (name: string, spec: Partial<PodSpec>, labels = {}): Promise<void> =>
    this.create(collections.pods, { metadata: { name, labels }, spec: { containers: asking('10m'), ...spec } });
  patch = async (of: GroupVersionResource, name: string, patch: object, subresource?: string): Promise<void> =>
    void (await this.#site.api.patch(of, { ...this.#target(name), subresource }, 'merge', JSON.stringify(patch)));
  get = async <T>(of: GroupVersionResource, name: string): Promise<T> =>
    (await this.#site.api.get(of, this.#target(name))) as T;
  getCluster = async <T>(of: GroupVersionResource, name: string): Promise<T> =>
    (await this.#site.api.get(of, { name })) as T;
  list = async <T>(of: GroupVersionResource): Promise<T[]> =>
    (await this.#site.api.list(of, { namespace: this.#site.namespace })).items as unknown as T[];
  remove = (of: GroupVersionResource, name: string, propagationPolicy: 'Foreground' | 'Background' | 'Orphan') =>
    this.#site.api.delete(of, this.#target(name), { propagationPolicy });
  /** Until nothing changes any more for a moment. */
  wait = async (): Promise<void> => void (await settled(() => this.list(collections.pods)));
  /** Events about an object, without what their texts owe to chance. */
  async events(name: string): Promise<string[]> {
    const all = await this.list<Event>(collections.events);
    const said = all
      .filter(({ involvedObject }) => involvedObject.name === name)
      .map(({ type, reason, message = '' }) => `${type} ${reason}: ${plain(message)}`);
    return [...new Set(said)].toSorted();
  }
  /** Pods as a node would make them. */
  async run(phase: 'Running' | 'Succeeded' | 'Failed', which: (name: string) => boolean = () => true): Promise<void> {
    for (const { metadata } of await this.list<KubeObject>(collections.pods)) {
      const { name = '' } = metadata;
      if (!which(name)) continue;
      const ready = {
        type: 'Ready',
        status: phase === 'Running' ? 'True' : 'False',
        lastTransitionTime: '2026-01-01T00:00:00Z',
      };
      await this.patch(
        collections.pods,
        name,
        { status: { phase, podIP: '10.1.2.3', podIPs: [{ ip: '10.1.2.3' }], conditions: [ready] } },
        'status',
      );
    }
  }
}

/** Names that a cluster makes up end in letters without meaning. */
const plain = (text: string): string =>
  text
    .replace(/-[bcdfghjklmnpqrstvwxz2456789]{6,10}(-[bcdfghjklmnpqrstvwxz2456789]{5})?\b/g, '-#')
    .replace(/-[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, '-#');

/** The value once it has stayed the same for a while. */
export async function settled<T>(read: () => Promise<T>, quietMs = 1_200, limitMs = 15_000): Promise<T> {
  const end = Date.now() + limitMs;
  let last = '';
  let since = Date.now();
  for (;;) {
    const value = await read();
    const text = JSON.stringify(value);
    if (text !== last) since = Date.now();
    last = text;
    if (Date.now() - since >= quietMs || Date.now() > end) return value;
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}

export type Conditioned = {
  status?: { conditions?: { type: string; status: string; reason?: string; message?: string }[] };
};
export const conditions = ({ status }: Conditioned): string[] =>
  (status?.conditions ?? [])
    .map(({ type, status: is, reason = '', message = '' }) => `${type}=${is} ${reason}: ${plain(message)}`)
    .toSorted();
export const counts = (object: { status?: object }): object =>
  Object.fromEntries(
    Object.entries(object.status ?? {}).filter(([, value]) => typeof value === 'number' && value !== 0),
  );

export type AnyPod = KubeObject & Conditioned & { spec: PodSpec };
export const placement =
  (...names: string[]) =>
  async (at: Actions): Promise<unknown> => {
    const pods = await Promise.all(names.map((name) => at.get<AnyPod>(collections.pods, name)));
    return Promise.all(
      pods.map(async (pod) => ({
        node: pod.spec.nodeName,
        scheduled: conditions(pod).filter((text) => text.startsWith('PodScheduled')),
        events: await at.events(pod.metadata.name!),
      })),
    );
  };

const { daemonSets, deployments, horizontalPodAutoscalers, jobs, persistentVolumeClaims, persistentVolumes, pods } =
  collections;
const { podDisruptionBudgets, replicaSets, replicationControllers, resourceQuotas, secrets, services, statefulSets } =
  collections;

/** Nodes that all scenarios see. */
export const nodes: readonly KubeObject[] = [
  ['n1', '4', 'a', {}],
  ['n2', '2', 'b', { taints: [{ key: 'dedicated', value: 'db', effect: 'NoSchedule' }] }],
  ['n3', '1', 'b', { unschedulable: true }],
].map(([name, cpu, zone, spec]) => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: name as string,
    labels: { 'kubernetes.io/hostname': name as string, 'topology.kubernetes.io/zone': zone as string },
  },
  spec,
  status: {
    allocatable: { cpu, memory: '8Gi', pods: '110' },
    capacity: { cpu, memory: '8Gi', pods: '110' },
    conditions: [
      { type: 'Ready', status: 'True', reason: 'KubeletReady', lastHeartbeatTime: new Date().toISOString() },
    ],
  },
}));

export const scenarios: readonly Scenario[] = [
  { name: 'a pod that is placed', act: (at) => at.pod('p', {}), outcome: placement('p') },
  {
    name: 'a pod too big for any node',
    act: (at) => at.pod('p', { containers: asking('9') }),
    outcome: placement('p'),
  },
  {
    name: 'a pod for labels no node has',
    act: (at) => at.pod('p', { nodeSelector: { disk: 'fast' } }),
    outcome: placement('p'),
  },
  {
    name: 'a pod that tolerates one node and wants it',
    act: (at) =>
      at.pod('p', {
        nodeSelector: { 'kubernetes.io/hostname': 'n2' },
        tolerations: [{ key: 'dedicated', operator: 'Exists' }],
      }),
    outcome: placement('p'),
  },
  {
    name: 'a gated pod',
    act: (at) => at.pod('p', { schedulingGates: [{ name: 'example.com/wait' }] }),
    outcome: placement('p'),
  },
  {
    name: 'a pod whose claim is missing',
    act: (at) => at.pod('p', { volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'none' } }] }),
    outcome: placement('p'),
  },
  {
    name: 'a pod whose claim is not bound',
    async act(at) {
      const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '500Gi' } } };
      await at.create(persistentVolumeClaims, { metadata: { name: 'big' }, spec });
      await at.pod('p', { volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'big' } }] });
    },
    outcome: async (at) => [await placement('p')(at), await at.events('big')],
  },
  {
    name: 'spread over domains that are missing',
    act: (at) =>
      at.pod('p', {
        topologySpreadConstraints: [
          { topologyKey: 'rack', maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule', labelSelector: label('x') },
        ],
      }),
    outcome: placement('p'),
  },
  {
    name: 'pods that keep away from each other',
    async act(at) {
      const affinity = {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { topologyKey: 'kubernetes.io/hostname', labelSelector: label('apart') },
          ],
        },
      };
      await at.pod('first', { affinity }, { app: 'apart' });
      await at.wait();
      await at.pod('second', { affinity }, { app: 'apart' });
    },
    outcome: placement('second'),
  },
  {
    name: 'a pod that wants company which is not there',
    act: (at) =>
      at.pod('p', {
        affinity: {
          podAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { topologyKey: 'kubernetes.io/hostname', labelSelector: label('nobody') },
            ],
          },
        },
      }),
    outcome: placement('p'),
  },
  {
    name: 'two pods for one host port',
    async act(at) {
      const containers = [{ name: 'main', image: 'a', ports: [{ containerPort: 80, hostPort: 8080 }] }];
      await at.pod('first', { containers });
      await at.wait();
      await at.pod('second', { containers });
    },
    outcome: placement('first', 'second'),
  },
  {
    name: 'a pod of higher priority takes the room of another',
    async act(at) {
      await at.pod('low', { containers: asking('3') });
      await at.wait();
      await at.pod('high', { containers: asking('3'), priorityClassName: 'important' });
      await at.wait();
      await at.pod('meek', { containers: asking('3'), priorityClassName: 'meek' });
    },
    async outcome(at) {
      const left = (await at.list<AnyPod>(pods)).map(({ metadata, spec }) => `${metadata.name} ${spec.nodeName ?? ''}`);
      const { events } = ((await placement('high')(at)) as { events: string[] }[])[0]!;
      return {
        left: left.toSorted(),
        meek: await placement('meek')(at),
        events: events.filter((one) => one.includes('Scheduled')),
      };
    },
  },
  {
    name: 'a Deployment that waits for its pods',
    async act(at) {
      const spec = { replicas: 3, selector: label('web'), template: template('web') };
      await at.create(deployments, { metadata: { name: 'web' }, spec });
    },
    async outcome(at) {
      const one = await at.get<Conditioned>(deployments, 'web');
      return [counts(one), conditions(one), await at.events('web'), (await at.list(pods)).length];
    },
  },
  {
    name: 'a Deployment that rolls out and is scaled meanwhile',
    async act(at) {
      const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } };
      const spec = { replicas: 10, selector: label('web'), template: template('web'), strategy };
      await at.create(deployments, { metadata: { name: 'web' }, spec });
      await at.wait();
      await at.run('Running');
      await at.wait();
      await at.patch(deployments, 'web', {
        spec: { template: { spec: { containers: [{ name: 'main', image: 'app:2' }] } } },
      });
      await at.wait();
      await at.patch(deployments, 'web', { spec: { replicas: 15 } });
      await at.wait();
    },
    async outcome(at) {
      const sets = await at.list<KubeObject & { spec: { replicas: number } }>(replicaSets);
      const one = await at.get<Conditioned>(deployments, 'web');
      const sizes = sets.map(({ metadata, spec }) => [
        metadata.annotations?.['deployment.kubernetes.io/revision'],
        spec.replicas,
      ]);
      return [sizes.toSorted(), counts(one), conditions(one), await at.events('web')];
    },
  },
  {
    name: 'a Deployment that is recreated',
    async act(at) {
      const spec = { replicas: 2, selector: label('web'), template: template('web'), strategy: { type: 'Recreate' } };
      await at.create(deployments, { metadata: { name: 'web' }, spec });
      await at.wait();
      await at.run('Running');
      await at.wait();
      await at.patch(deployments, 'web', {
        spec: { template: { spec: { containers: [{ name: 'main', image: 'app:2' }] } } },
      });
    },
    async outcome(at) {
      const one = await at.get<Conditioned>(deployments, 'web');
      return [counts(one), conditions(one), await at.events('web')];
    },
  },
  {
    name: 'a ReplicaSet that a quota holds back',
    async act(at) {
      await at.create(resourceQuotas, {
        metadata: { name: 'few' },
        spec: { hard: { pods: '2', 'count/secrets': '5' } },
      });
      await at.wait();
      const spec = { replicas: 3, selector: label('web'), template: template('web') };
      await at.create(replicaSets, { metadata: { name: 'web' }, spec });
    },
    async outcome(at) {
      const one = await at.get<Conditioned>(replicaSets, 'web');
      const quota = await at.get<{ status: { used: object } }>(resourceQuotas, 'few');
      return [counts(one), conditions(one), quota.status.used];
    },
  },
  {
    name: 'a ReplicationController',
    async act(at) {
      await at.create(replicationControllers, {
        metadata: { name: 'old' },
        spec: { replicas: 2, template: template('old') },
      });
      await at.wait();
      await at.run('Running');
    },
    outcome: async (at) => [counts(await at.get(replicationControllers, 'old')), await at.events('old')],
  },
  {
    name: 'a StatefulSet, one after the other',
    async act(at) {
      const spec = { replicas: 3, serviceName: 'db', selector: label('db'), template: template('db') };
      await at.create(statefulSets, { metadata: { name: 'db' }, spec });
      await at.wait();
      await at.run('Running');
      await at.wait();
    },
    async outcome(at) {
      const all = await at.list<KubeObject>(pods);
      const said = all.map(({ metadata }) => [metadata.name, metadata.labels?.['apps.kubernetes.io/pod-index']]);
      return [said.toSorted(), counts(await at.get(statefulSets, 'db')), await at.events('db')];
    },
  },
  {
    name: 'a DaemonSet on the nodes that it may use',
    async act(at) {
      await at.create(daemonSets, {
        metadata: { name: 'agent' },
        spec: { selector: label('agent'), template: template('agent') },
      });
    },
    async outcome(at) {
      const where = (await at.list<AnyPod>(pods)).map(
        ({ spec }) =>
          spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms[0]
            ?.matchFields?.[0]?.values,
      );
      const [first] = await at.list<AnyPod>(pods);
      const tolerated = (first?.spec.tolerations ?? []).map(({ key, effect }) => `${key}:${effect}`).toSorted();
      return [where.toSorted(), tolerated, counts(await at.get(daemonSets, 'agent')), await at.events('agent')];
    },
  },
  {
    name: 'an indexed Job that is done',
    async act(at) {
      const spec = {
        completions: 3,
        parallelism: 2,
        completionMode: 'Indexed',
        template: template('work', { restartPolicy: 'Never' }),
      };
      await at.create(jobs, { metadata: { name: 'work' }, spec });
      await at.wait();
      await at.run('Succeeded');
      await at.wait();
      await at.run('Succeeded');
      await at.wait();
    },
    async outcome(at) {
      const job = await at.get<Conditioned & { status: { completedIndexes?: string } }>(jobs, 'work');
      return [counts(job), job.status.completedIndexes, conditions(job), await at.events('work')];
    },
  },
  {
    name: 'a Job that fails too often',
    async act(at) {
      const spec = { backoffLimit: 0, template: template('work', { restartPolicy: 'Never' }) };
      await at.create(jobs, { metadata: { name: 'work' }, spec });
      await at.wait();
      await at.run('Failed');
      await at.wait();
    },
    async outcome(at) {
      const job = await at.get<Conditioned>(jobs, 'work');
      return [counts(job), conditions(job), await at.events('work')];
    },
  },
  {
    name: 'a Job whose success policy is met',
    async act(at) {
      const spec = {
        completions: 3,
        parallelism: 3,
        completionMode: 'Indexed',
        successPolicy: { rules: [{ succeededIndexes: '0', succeededCount: 1 }] },
        template: template('work', { restartPolicy: 'Never', terminationGracePeriodSeconds: 0 }),
      };
      await at.create(jobs, { metadata: { name: 'work' }, spec });
      await at.wait();
      await at.run('Succeeded', (name) => name.startsWith('work-0'));
      await at.wait();
    },
    async outcome(at) {
      const job = await at.get<Conditioned & { status: { completedIndexes?: string } }>(jobs, 'work');
      return [counts(job), job.status.completedIndexes, conditions(job)];
    },
  },
  {
    name: 'a suspended Job',
    act: (at) =>
      at.create(jobs, {
        metadata: { name: 'work' },
        spec: { suspend: true, template: template('w', { restartPolicy: 'Never' }) },
      }),
    async outcome(at) {
      const job = await at.get<Conditioned>(jobs, 'work');
      return [counts(job), conditions(job), await at.events('work')];
    },
  },
  {
    name: 'a disruption budget',
    async act(at) {
      await at.create(deployments, {
        metadata: { name: 'web' },
        spec: { replicas: 4, selector: label('web'), template: template('web') },
      });
      await at.create(podDisruptionBudgets, {
        metadata: { name: 'web' },
        spec: { maxUnavailable: '30%', selector: label('web') },
      });
      await at.wait();
      await at.run('Running');
    },
    async outcome(at) {
      const one = await at.get<Conditioned>(podDisruptionBudgets, 'web');
      return [counts(one), conditions(one)];
    },
  },
  {
    name: 'an autoscaler without metrics',
    async act(at) {
      await at.create(deployments, {
        metadata: { name: 'web' },
        spec: { replicas: 2, selector: label('web'), template: template('web') },
      });
      await at.create(horizontalPodAutoscalers, {
        metadata: { name: 'web' },
        spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, maxReplicas: 5 },
      });
      await at.wait();
    },
    async outcome(at) {
      const hpa = await at.get<Conditioned>(horizontalPodAutoscalers, 'web');
      // What an API says that serves no metrics is not ours to compare.
      return conditions(hpa).map((text) => text.replace(/metrics API: .*|metrics API$/, 'metrics API'));
    },
  },
  {
    name: 'a claim and the volume that fits it best',
    async act(at) {
      const accessModes = ['ReadWriteOnce'];
      const storageClassName = at.namespace;
      for (const [name, storage] of [
        ['large', '9Gi'],
        ['small', '1Gi'],
        ['middle', '3Gi'],
      ] as const) {
        const spec = { accessModes, storageClassName, capacity: { storage }, hostPath: { path: '/d' } };
        await at.create(persistentVolumes, { metadata: { name: `${at.namespace}-${name}` }, spec }, true);
      }
      await at.wait();
      const spec = { accessModes, storageClassName, resources: { requests: { storage: '2Gi' } } };
      await at.create(persistentVolumeClaims, { metadata: { name: 'data' }, spec });
      await at.wait();
    },
    async outcome(at) {
      const { metadata, spec, status } = await at.get<KubeObject & { spec: { volumeName?: string }; status: object }>(
        persistentVolumeClaims,
        'data',
      );
      return [metadata.annotations, metadata.finalizers, spec.volumeName, status];
    },
  },
  {
    name: 'the endpoints of a service',
    async act(at) {
      const spec = { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] };
      await at.create(services, { metadata: { name: 'web' }, spec });
      await at.pod('a', { nodeName: 'n1' }, { app: 'web' });
      await at.wait();
      await at.run('Running');
      await at.wait();
    },
    async outcome(at) {
      type Slice = KubeObject & {
        endpoints: { targetRef?: { name: string }; conditions: object; nodeName: string }[];
        ports: object;
      };
      const slices = await at.list<Slice>(collections.endpointSlices);
      const said = slices.map(({ endpoints, ports, metadata }) => [
        endpoints.map((one) => [one.targetRef?.name, one.conditions, one.nodeName]),
        ports,
        metadata.labels,
      ]);
      const { subsets } = await at.get<{ subsets: { ports: object; addresses: { ip: string }[] }[] }>(
        collections.endpoints,
        'web',
      );
      return [said, subsets.map((one) => [one.ports, one.addresses.map(({ ip }) => ip)])];
    },
  },
  {
    name: 'a token Secret',
    async act(at) {
      await at.create(secrets, {
        metadata: { name: 't', annotations: { 'kubernetes.io/service-account.name': 'default' } },
        type: 'kubernetes.io/service-account-token',
      });
    },
    async outcome(at) {
      const { data, metadata } = await at.get<KubeObject & { data?: object }>(secrets, 't');
      return [Object.keys(data ?? {}).toSorted(), Object.keys(metadata.annotations ?? {}).toSorted()];
    },
  },
  {
    name: 'a Deployment deleted with all that is its own',
    async act(at) {
      const containers = asking('10m');
      const spec = {
        replicas: 2,
        selector: label('web'),
        template: template('web', { containers, terminationGracePeriodSeconds: 0 }),
      };
      await at.create(deployments, { metadata: { name: 'web' }, spec });
      await at.wait();
      await at.remove(deployments, 'web', 'Foreground');
      await at.wait();
    },
    outcome: async (at) => [await at.list(deployments), await at.list(replicaSets), await at.list(pods)],
  },
  {
    name: 'a Deployment deleted alone',
    async act(at) {
      await at.create(deployments, {
        metadata: { name: 'web' },
        spec: { replicas: 1, selector: label('web'), template: template('web') },
      });
      await at.wait();
      await at.remove(deployments, 'web', 'Orphan');
      await at.wait();
    },
    async outcome(at) {
      const sets = await at.list<KubeObject>(replicaSets);
      return [(await at.list(deployments)).length, sets.map(({ metadata }) => metadata.ownerReferences?.length ?? 0)];
    },
  },
  {
    name: 'a Job in which one index fails',
    async act(at) {
      const spec = {
        completions: 2,
        parallelism: 2,
        completionMode: 'Indexed',
        backoffLimitPerIndex: 0,
        template: template('work', { restartPolicy: 'Never', terminationGracePeriodSeconds: 0 }),
      };
      await at.create(jobs, { metadata: { name: 'work' }, spec });
      await at.wait();
      await at.run('Failed', (name) => name.startsWith('work-0'));
      await at.run('Succeeded', (name) => name.startsWith('work-1'));
      await at.wait();
    },
    async outcome(at) {
      const job = await at.get<Conditioned & { status: { completedIndexes?: string; failedIndexes?: string } }>(
        jobs,
        'work',
      );
      return [
        counts(job),
        job.status.completedIndexes,
        job.status.failedIndexes,
        conditions(job),
        await at.events('work'),
      ];
    },
  },
  {
    name: 'a Job whose failure policy gives up',
    async act(at) {
      const rules = [{ action: 'FailJob', onPodConditions: [{ type: 'Doomed', status: 'True' }] }];
      const spec = {
        podFailurePolicy: { rules },
        template: template('work', { restartPolicy: 'Never', terminationGracePeriodSeconds: 0 }),
      };
      await at.create(jobs, { metadata: { name: 'work' }, spec });
      await at.wait();
      const [{ metadata }] = (await at.list<KubeObject>(pods)) as [KubeObject];
      const doomed = { type: 'Doomed', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' };
      await at.patch(pods, metadata.name!, { status: { phase: 'Failed', conditions: [doomed] } }, 'status');
      await at.wait();
    },
    async outcome(at) {
      const job = await at.get<Conditioned>(jobs, 'work');
      return [counts(job), conditions(job).map((text) => text.replace(/work-\S+/, 'work-#'))];
    },
  },
  {
    name: 'a Job that is suspended and goes on',
    async act(at) {
      const spec = {
        parallelism: 2,
        completions: 4,
        template: template('work', { restartPolicy: 'Never', terminationGracePeriodSeconds: 0 }),
      };
      await at.create(jobs, { metadata: { name: 'work' }, spec });
      await at.wait();
      await at.patch(jobs, 'work', { spec: { suspend: true } });
      await at.wait();
      await at.patch(jobs, 'work', { spec: { suspend: false } });
      await at.wait();
    },
    async outcome(at) {
      const job = await at.get<Conditioned>(jobs, 'work');
      return [counts(job), conditions(job), await at.events('work')];
    },
  },
  {
    name: 'a StatefulSet that updates down to its partition and shrinks',
    async act(at) {
      const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { partition: 2 } };
      const more = { podManagementPolicy: 'Parallel', updateStrategy, serviceName: 'db' };
      const spec = {
        replicas: 4,
        selector: label('db'),
        template: template('db', { terminationGracePeriodSeconds: 0 }),
        ...more,
      };
      await at.create(statefulSets, { metadata: { name: 'db' }, spec });
      await at.wait();
      await at.run('Running');
      await at.wait();
      await at.patch(statefulSets, 'db', {
        spec: { template: { spec: { containers: [{ name: 'main', image: 'app:2' }] } } },
      });
      for (let step = 0; step < 2; step++) {
        await at.wait();
        await at.run('Running');
      }
      await at.wait();
      await at.patch(statefulSets, 'db', { spec: { replicas: 3 } });
      await at.wait();
    },
    async outcome(at) {
      const all = await at.list<AnyPod>(pods);
      const images = all.map(({ metadata, spec }) => `${metadata.name} ${spec.containers[0]?.image}`).toSorted();
      return [images, counts(await at.get(statefulSets, 'db')), await at.events('db')];
    },
  },
  {
    name: 'a DaemonSet that gets another template',
    async act(at) {
      const spec = { selector: label('agent'), template: template('agent', { terminationGracePeriodSeconds: 0 }) };
      await at.create(daemonSets, { metadata: { name: 'agent' }, spec });
      await at.wait();
      await at.run('Running');
      await at.wait();
      await at.patch(daemonSets, 'agent', {
        spec: { template: { spec: { containers: [{ name: 'main', image: 'app:2' }] } } },
      });
      await at.wait();
    },
    async outcome(at) {
      const images = (await at.list<AnyPod>(pods)).map(({ spec }) => spec.containers[0]?.image).toSorted();
      return [images, counts(await at.get(daemonSets, 'agent')), await at.events('agent')];
    },
  },
  {
    name: 'a paused Deployment',
    async act(at) {
      const spec = { replicas: 2, paused: true, selector: label('web'), template: template('web') };
      await at.create(deployments, { metadata: { name: 'web' }, spec });
      await at.wait();
      await at.patch(deployments, 'web', { spec: { paused: false } });
      await at.wait();
      await at.patch(deployments, 'web', { spec: { paused: true, replicas: 3 } });
    },
    async outcome(at) {
      const one = await at.get<Conditioned>(deployments, 'web');
      return [counts(one), conditions(one), await at.events('web')];
    },
  },
  {
    name: 'an autoscaler above its bounds',
    async act(at) {
      await at.create(deployments, {
        metadata: { name: 'web' },
        spec: { replicas: 6, selector: label('web'), template: template('web') },
      });
      await at.create(horizontalPodAutoscalers, {
        metadata: { name: 'web' },
        spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, maxReplicas: 4 },
      });
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      await at.wait();
    },
    async outcome(at) {
      const { spec } = await at.get<{ spec: { replicas: number } }>(deployments, 'web');
      const said = (await at.events('web')).filter((text) => text.includes('Rescale'));
      return [spec.replicas, said];
    },
  },
  {
    name: 'a volume after its claim has gone',
    async act(at) {
      const storageClassName = at.namespace;
      const shared = { accessModes: ['ReadWriteOnce'], storageClassName };
      const name = `${at.namespace}-left`;
      const volume = { ...shared, capacity: { storage: '1Gi' }, hostPath: { path: '/d' } };
      await at.create(persistentVolumes, { metadata: { name }, spec: volume }, true);
      const spec = { ...shared, resources: { requests: { storage: '1Gi' } } };
      await at.create(persistentVolumeClaims, { metadata: { name: 'data' }, spec });
      await at.wait();
      await at.remove(persistentVolumeClaims, 'data', 'Background');
      await at.wait();
    },
    async outcome(at) {
      const { status, spec } = await at.getCluster<{
        status: { phase: string };
        spec: { claimRef?: { name?: string } };
      }>(persistentVolumes, `${at.namespace}-left`);
      return [(await at.list(persistentVolumeClaims)).length, status.phase, spec.claimRef?.name];
    },
  },
  {
    name: 'Endpoints that somebody else keeps',
    async act(at) {
      await at.create(services, { metadata: { name: 'out' }, spec: { ports: [{ port: 80 }] } });
      const subsets = [
        { addresses: [{ ip: '192.0.2.1' }], notReadyAddresses: [{ ip: '192.0.2.2' }], ports: [{ port: 8080 }] },
      ];
      await at.create(collections.endpoints, { metadata: { name: 'out', labels: { team: 'a' } }, subsets });
    },
    async outcome(at) {
      type Slice = KubeObject & { endpoints: object; ports: object };
      const slices = await at.list<Slice>(collections.endpointSlices);
      return slices.map(({ endpoints, ports, metadata }) => [
        endpoints,
        ports,
        metadata.labels,
        metadata.ownerReferences?.[0]?.kind,
      ]);
    },
  },
  {
    name: 'a disruption budget of a part, over pods nobody controls',
    async act(at) {
      await at.create(podDisruptionBudgets, {
        metadata: { name: 'web' },
        spec: { minAvailable: '50%', selector: label('web') },
      });
      await at.pod('alone', never, { app: 'web' });
      await at.wait();
    },
    async outcome(at) {
      const one = await at.get<Conditioned>(podDisruptionBudgets, 'web');
      return [counts(one), conditions(one).map((text) => text.replace(/:.*/, ''))];
    },
  },
  {
    name: 'a CronJob that is due',
    async act(at) {
      const jobTemplate = { spec: { template: template('tick', { restartPolicy: 'Never' }) } };
      await at
        .create(collections.cronJobs, {
          metadata: { name: 'tick' },
          spec: { schedule: '0 0 1 1 *', timeZone: 'Nowhere/Else', jobTemplate },
        })
        .catch(() => undefined);
      await at.create(collections.cronJobs, {
        metadata: { name: 'tock' },
        spec: { schedule: '0 0 1 1 *', suspend: true, jobTemplate },
      });
    },
    outcome: async (at) => [(await at.list(jobs)).length, await at.events('tock')],
  },
  {
    name: 'the emptier of two nodes',
    async act(at) {
      const tolerations = [{ key: 'dedicated', operator: 'Exists' }];
      await at.pod('filler', { containers: asking('2') });
      await at.wait();
      await at.pod('p', { containers: asking('500m'), tolerations });
    },
    outcome: placement('p'),
  },
  {
    name: 'a node that is preferred',
    async act(at) {
      const affinity = {
        nodeAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            {
              weight: 50,
              preference: { matchExpressions: [{ key: 'topology.kubernetes.io/zone', operator: 'In', values: ['b'] }] },
            },
          ],
        },
      };
      await at.pod('p', { affinity, tolerations: [{ key: 'dedicated', operator: 'Exists' }] });
    },
    outcome: placement('p'),
  },
  {
    name: 'pods spread softly over zones',
    async act(at) {
      const spec: Partial<PodSpec> = {
        tolerations: [{ key: 'dedicated', operator: 'Exists' }],
        topologySpreadConstraints: [
          {
            topologyKey: 'topology.kubernetes.io/zone',
            maxSkew: 1,
            whenUnsatisfiable: 'DoNotSchedule',
            labelSelector: label('s'),
          },
        ],
      };
      for (const name of ['one', 'two']) {
        await at.pod(name, spec, { app: 's' });
        await at.wait();
      }
    },
    async outcome(at) {
      const where = (await at.list<AnyPod>(pods)).map(({ spec }) => spec.nodeName);
      return where.toSorted();
    },
  },
];
