// More scenarios, about the finer points of controllers and scheduler: volumes, tracked Jobs, budgets, hints, rollbacks.
import { collections } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';
import type { EndpointSlice, Job, PodSpec } from '@kedge/model/k8s-types';
import {
  type Actions,
  type AnyPod,
  asking,
  type Conditioned,
  conditions,
  counts,
  label,
  placement,
  type Scenario,
  template,
} from './scenarios.ts';

const { deployments, jobs, persistentVolumeClaims, persistentVolumes, podDisruptionBudgets, pods, services } =
  collections;

const named = (...values: string[]): Partial<PodSpec> => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values }] }],
      },
    },
  },
});
const using = (...claims: string[]): Partial<PodSpec> => ({
  volumes: claims.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })),
});
const worker = (more: Partial<PodSpec> = {}) => template('work', { restartPolicy: 'Never', ...more });

/** A claim, and a volume that is set aside for it. */
async function bound(at: Actions, name: string, mode: string, source: object): Promise<void> {
  const volume = `${at.namespace}-${name}`;
  const common = { accessModes: [mode], storageClassName: '' };
  const claimRef = { namespace: at.namespace, name };
  const spec = { ...common, capacity: { storage: '1Gi' }, claimRef, ...source };
  await at.create(persistentVolumes, { metadata: { name: volume }, spec }, true);
  const wish = { ...common, volumeName: volume, resources: { requests: { storage: '1Gi' } } };
  await at.create(persistentVolumeClaims, { metadata: { name }, spec: wish });
  // A claim that is seen before its volume is looked at again after a quarter of a minute.
  for (let tries = 0; tries < 200; tries++) {
    const { status } = await at.get<KubeObject & { status?: { phase?: string } }>(persistentVolumeClaims, name);
    if (status?.phase === 'Bound') return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
const csi = (at: Actions, driver: string, volumeHandle: string) => ({
  csi: { driver, volumeHandle: `${at.namespace}/${volumeHandle}` },
});

/** A class whose driver says how much it has, and says nothing. */
async function scarce(at: Actions): Promise<void> {
  const driver = `${at.namespace}.scarce.example.org`;
  const { csiDrivers, storageClasses } = collections;
  await at.create(csiDrivers, { metadata: { name: driver }, spec: { storageCapacity: true } }, true);
  const metadata = { name: `${at.namespace}-scarce` };
  const volumeBindingMode = 'WaitForFirstConsumer';
  await at.create(storageClasses, { metadata, provisioner: driver, volumeBindingMode }, true);
  const spec = {
    accessModes: ['ReadWriteOnce'],
    storageClassName: metadata.name,
    resources: { requests: { storage: '1Gi' } },
  };
  await at.create(persistentVolumeClaims, { metadata: { name: 'wish' }, spec });
}

/** Everything that a Job's status says, without times and uids. */
async function jobFacts(at: Actions): Promise<unknown> {
  const job = await at.get<Job & Conditioned>(jobs, 'work');
  const { completedIndexes, failedIndexes, uncountedTerminatedPods } = job.status ?? {};
  const all = await at.list<AnyPod>(pods);
  return {
    counts: counts(job),
    conditions: conditions(job),
    indexes: [completedIndexes, failedIndexes],
    uncounted: uncountedTerminatedPods,
    pods: all
      .map(({ metadata, status }) => ({
        phase: (status as { phase?: string } | undefined)?.phase,
        index: metadata.labels?.['batch.kubernetes.io/job-completion-index'],
        failures: metadata.annotations?.['batch.kubernetes.io/job-index-failure-count'],
        ignored: metadata.annotations?.['batch.kubernetes.io/job-index-ignored-failure-count'],
        finalizers: metadata.finalizers,
        leaves: metadata.deletionTimestamp !== undefined,
      }))
      .map((pod) => JSON.stringify(pod))
      .toSorted(),
    events: await at.events('work'),
  };
}
const firstPod = async (at: Actions): Promise<string> => (await at.list<KubeObject>(pods))[0]!.metadata.name!;

export const details: readonly Scenario[] = [
  {
    name: 'a pod that names a node which takes none',
    act: (at) => at.pod('p', named('n3')),
    outcome: placement('p'),
  },
  {
    name: 'a pod that names a node which is too small',
    act: (at) => at.pod('p', { ...named('n1'), containers: asking('9') }),
    outcome: placement('p'),
  },
  {
    name: 'a claim that only one pod may use',
    async act(at) {
      await bound(at, 'single', 'ReadWriteOncePod', csi(at, 'any.example.org', 'single'));
      await at.wait();
      await at.pod('first', using('single'));
      await at.wait();
      await at.pod('second', using('single'));
    },
    outcome: placement('first', 'second'),
  },
  {
    name: 'a node that has as many volumes as it can',
    async act(at) {
      const driver = `${at.namespace}.example.org`;
      const spec = { drivers: [{ name: driver, nodeID: 'n1', allocatable: { count: 1 } }] };
      await at.create(collections.csiNodes, { metadata: { name: 'n1' }, spec }, true).catch(() => undefined);
      for (const name of ['one', 'two']) await bound(at, name, 'ReadWriteOnce', csi(at, driver, name));
      await at.wait();
      await at.pod('first', using('one'));
      await at.wait();
      await at.pod('same', using('one'));
      await at.pod('second', using('two'));
    },
    outcome: placement('first', 'same', 'second'),
  },
  {
    name: 'two pods for one disk',
    async act(at) {
      const volumes = [
        { name: 'd', iscsi: { targetPortal: '10.0.0.1:3260', iqn: 'iqn.2026-01.org.example:d', lun: 0 } },
      ];
      await at.pod('first', { volumes });
      await at.wait();
      await at.pod('second', { volumes });
    },
    outcome: placement('first', 'second'),
  },
  {
    name: 'a claim for which no driver has room',
    async act(at) {
      await scarce(at);
      await at.wait();
      await at.pod('p', using('wish'));
    },
    outcome: placement('p'),
  },
  {
    name: 'too few domains for a spread',
    act: (at) =>
      at.pod(
        'p',
        {
          topologySpreadConstraints: [
            {
              topologyKey: 'topology.kubernetes.io/zone',
              maxSkew: 1,
              minDomains: 5,
              whenUnsatisfiable: 'DoNotSchedule',
              labelSelector: label('s'),
            },
          ],
        },
        { app: 's' },
      ),
    outcome: placement('p'),
  },
  {
    name: 'a Deployment that goes back by annotation',
    async act(at) {
      const spec = { replicas: 1, selector: label('web'), template: template('web') };
      await at.create(deployments, { metadata: { name: 'web', annotations: { cause: 'first' } }, spec });
      await at.wait();
      const containers = [{ name: 'main', image: 'app:2' }];
      const next = { metadata: { annotations: { cause: 'second' } }, spec: { template: { spec: { containers } } } };
      await at.patch(deployments, 'web', next);
      await at.wait();
      const metadata = { annotations: { 'deprecated.deployment.rollback.to': '1' } };
      await at.patch(deployments, 'web', { metadata });
      await at.wait();
    },
    async outcome(at) {
      const { metadata, spec } = await at.get<KubeObject & { spec: { template: { spec: PodSpec } } }>(
        deployments,
        'web',
      );
      const said = (await at.events('web')).filter((one) => one.includes('Rollback'));
      return [metadata.annotations, spec.template.spec.containers[0]?.image, said];
    },
  },
  {
    name: 'a Job while it runs',
    async act(at) {
      const spec = { completions: 3, parallelism: 2, template: worker() };
      await at.create(jobs, { metadata: { name: 'work' }, spec });
      await at.wait();
      const first = await firstPod(at);
      await at.run('Succeeded', (name) => name === first);
      await at.wait();
    },
    outcome: jobFacts,
  },
  {
    name: 'a pod of a Job that is deleted before it has a node',
    async act(at) {
      await at.create(jobs, { metadata: { name: 'work' }, spec: { template: worker() } });
      await at.wait();
      await at.remove(pods, await firstPod(at), 'Background');
      await at.wait();
    },
    outcome: jobFacts,
  },
  {
    name: 'a pod of a Job that is deleted on its node',
    async act(at) {
      const spec = { template: worker({ nodeName: 'n1' }) };
      await at.create(jobs, { metadata: { name: 'work' }, spec });
      await at.wait();
      await at.run('Running');
      await at.wait();
      await at.remove(pods, await firstPod(at), 'Background');
      await at.wait();
    },
    outcome: jobFacts,
  },
  {
    name: 'a pod of a Job that waits to see how it ends',
    async act(at) {
      const spec = { podReplacementPolicy: 'Failed', template: worker({ nodeName: 'n1' }) };
      await at.create(jobs, { metadata: { name: 'work' }, spec });
      await at.wait();
      await at.run('Running');
      await at.wait();
      await at.remove(pods, await firstPod(at), 'Background');
      await at.wait();
    },
    outcome: jobFacts,
  },
  {
    name: 'an index that fails at once, and one that may fail again',
    async act(at) {
      const rules = [
        { action: 'FailIndex', onPodConditions: [{ type: 'Broken', status: 'True' }] },
        { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
      ];
      const spec = {
        completions: 3,
        parallelism: 3,
        completionMode: 'Indexed',
        backoffLimitPerIndex: 2,
        podFailurePolicy: { rules },
        template: worker(),
      };
      await at.create(jobs, { metadata: { name: 'work' }, spec });
      await at.wait();
      for (const { metadata } of await at.list<KubeObject>(pods)) {
        const index = metadata.labels?.['batch.kubernetes.io/job-completion-index'];
        const type = index === '0' ? 'Broken' : index === '1' ? 'DisruptionTarget' : undefined;
        if (!type) continue;
        const lastTransitionTime = '2026-01-01T00:00:00Z';
        const status = { phase: 'Failed', conditions: [{ type, status: 'True', lastTransitionTime }] };
        await at.patch(pods, metadata.name!, { status }, 'status');
      }
      await at.wait();
    },
    outcome: jobFacts,
  },
  {
    name: 'an elastic Job that shrinks',
    async act(at) {
      const spec = { completions: 3, parallelism: 3, completionMode: 'Indexed', template: worker() };
      await at.create(jobs, { metadata: { name: 'work' }, spec });
      await at.wait();
      await at.run('Succeeded', (name) => name.startsWith('work-2'));
      await at.wait();
      await at.patch(jobs, 'work', { spec: { completions: 2, parallelism: 2 } });
      await at.wait();
      await at.run('Succeeded');
      await at.wait();
    },
    async outcome(at) {
      const job = await at.get<Job & Conditioned>(jobs, 'work');
      return [counts(job), job.status?.completedIndexes, conditions(job)];
    },
  },
  {
    name: 'a Job that takes too long',
    async act(at) {
      const spec = { activeDeadlineSeconds: 2, template: worker({ terminationGracePeriodSeconds: 0 }) };
      await at.create(jobs, { metadata: { name: 'work' }, spec });
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      await at.wait();
    },
    outcome: jobFacts,
  },
  {
    name: 'a Job that is left behind by a delete',
    async act(at) {
      await at.create(jobs, { metadata: { name: 'work' }, spec: { parallelism: 2, template: worker() } });
      await at.wait();
      await at.remove(jobs, 'work', 'Orphan');
      await at.wait();
    },
    async outcome(at) {
      const left = await at.list<AnyPod>(pods);
      return left.map(({ metadata }) => [metadata.finalizers, metadata.ownerReferences]);
    },
  },
  {
    name: 'a disruption budget over the pods of a Job',
    async act(at) {
      await at.create(jobs, { metadata: { name: 'work' }, spec: { template: worker() } });
      await at.wait();
      await at.create(podDisruptionBudgets, {
        metadata: { name: 'work-budget' },
        spec: { maxUnavailable: 1, selector: label('work') },
      });
      await at.wait();
    },
    async outcome(at) {
      const budget = await at.get<Conditioned>(podDisruptionBudgets, 'work-budget');
      return [counts(budget), conditions(budget), await at.events('work-budget')];
    },
  },
  {
    name: 'a disruption budget that says nothing',
    async act(at) {
      await at.pod('a', { schedulerName: 'nobody' }, { app: 'a' });
      await at.create(podDisruptionBudgets, { metadata: { name: 'all' }, spec: { selector: label('a') } });
      await at.wait();
      await at.run('Running');
      await at.wait();
    },
    async outcome(at) {
      const budget = await at.get<Conditioned>(podDisruptionBudgets, 'all');
      return [counts(budget), conditions(budget)];
    },
  },
  {
    name: 'a service that prefers what is close',
    async act(at) {
      const spec = { selector: { app: 'web' }, ports: [{ port: 80 }], trafficDistribution: 'PreferClose' };
      await at.create(services, { metadata: { name: 'web' }, spec });
      await at.pod('a', { nodeName: 'n1' }, { app: 'web' });
      await at.wait();
      await at.run('Running');
      await at.wait();
    },
    async outcome(at) {
      const slices = await at.list<EndpointSlice>(collections.endpointSlices);
      return slices.map(({ addressType, endpoints, ports }) => [
        addressType,
        endpoints.map((endpoint) => ({ ...endpoint, targetRef: undefined })),
        ports,
      ]);
    },
  },
  {
    name: 'a quota of custom kinds and scopes',
    async act(at) {
      await at.create(collections.resourceQuotas, {
        metadata: { name: 'few' },
        spec: { hard: { pods: '5' }, scopes: ['Terminating'] },
      });
      await at.create(collections.resourceQuotas, {
        metadata: { name: 'counted' },
        spec: { hard: { 'count/jobs.batch': '3', 'count/nothings.example.org': '1' } },
      });
      await at.wait();
      await at.pod('long', { schedulerName: 'nobody' });
      await at.pod('short', { schedulerName: 'nobody', activeDeadlineSeconds: 600 });
      await at.create(jobs, { metadata: { name: 'work' }, spec: { suspend: true, template: worker() } });
      await at.wait();
    },
    async outcome(at) {
      type Quota = { status: { used: object } };
      const [few, counted] = await Promise.all(
        ['few', 'counted'].map((name) => at.get<Quota>(collections.resourceQuotas, name)),
      );
      return [few!.status.used, counted!.status.used];
    },
  },
];
