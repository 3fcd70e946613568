// HorizontalPodAutoscalers over our own API server: metrics come from mounted kinds, as those of kubelets would.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { systemUser } from '@kedge/control-plane/apiserver';
import { toTime } from '@kedge/core/time';
import { documentOfObject, plainLayout, type ServedResource } from '@kedge/engine/kube-api';
import { collections } from '@kedge/engine/kube-client';
import { fail } from '@kedge/model/k8s';
import type { HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec } from '@kedge/model/k8s-types';
import { startTestServer, type TestServer } from '../apiserver/test-server.ts';
import { deployment, template } from './builders.ts';
import { Cluster } from './cluster.ts';

const { deployments, horizontalPodAutoscalers, pods } = collections;
const root = await mkdtemp(join(tmpdir(), 'kedge-hpa-'));
let server: TestServer;
let cluster: Cluster;
/** What every pod uses, in thousandths of a CPU; undefined: nobody knows. */
let usage: number | undefined;
before(async () => {
  server = await startTestServer({ directory: root });
  mountMetrics();
  cluster = await new Cluster({ api: () => server.server.localApi(systemUser) }).start();
  await cluster.eventually(async () => void (await cluster.get(collections.serviceAccounts, 'default')));
});
after(async () => {
  await cluster.stop();
  await server.stop();
  await rm(root, { recursive: true, force: true });
});
beforeEach(() => (usage = undefined));

function mountMetrics(): void {
  const resource: ServedResource = {
    group: 'metrics.k8s.io',
    version: 'v1beta1',
    resource: 'pods',
    singular: '',
    kind: 'PodMetrics',
    namespaced: true,
    verbs: ['get', 'list'],
    shortNames: [],
    categories: [],
    subresources: {},
  };
  server.server.mount({
    resources: [resource],
    definitions: {},
    layout: () => plainLayout,
    objects: {
      get: async () => Promise.reject(fail('NotFound', 'none')),
      async list(_, { filter }) {
        const all = (await cluster.list(pods)).filter(
          (pod) => pod.status?.phase === 'Running' && (filter?.matches(pod) ?? true),
        );
        const metrics = all.map(({ metadata }) => ({
          metadata: { name: metadata.name!, namespace: metadata.namespace! },
          timestamp: toTime(cluster.clock.now()),
          window: '15s',
          containers: [{ name: 'main', usage: { cpu: `${usage}m` } }],
        }));
        return {
          resourceVersion: '',
          async *pages() {
            if (usage !== undefined) yield metrics.map(documentOfObject);
          },
          tail: () => ({}),
        };
      },
    },
  });
}

async function scaled(name: string, replicas: number, spec: Partial<HorizontalPodAutoscalerSpec> = {}): Promise<void> {
  const withRequest = template(name, 'busybox:1', {
    containers: [{ name: 'main', image: 'busybox:1', resources: { requests: { cpu: '100m' } } }],
  });
  await cluster.apply(deployments, deployment(name, replicas, { template: withRequest }));
  await cluster.rollOut(name);
  // Kubelets say when a pod started.
  for (const pod of await cluster.list(pods)) {
    const target = { namespace: 'default', name: pod.metadata.name!, subresource: 'status' };
    await cluster.api.patch(pods, target, 'merge', '{"status":{"startTime":"2001-01-01T00:00:00Z"}}');
  }
  await cluster.apply(horizontalPodAutoscalers, {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
      minReplicas: 1,
      maxReplicas: 10,
      metrics: [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
      ],
      ...spec,
    },
  });
}
const sizeOf = async (name: string): Promise<number | undefined> =>
  (await cluster.get(deployments, name)).spec?.replicas;
const conditions = ({ status }: HorizontalPodAutoscaler): string[] =>
  (status?.conditions ?? []).map((one) => `${one.type}=${one.status} ${one.reason}`);

test('grows with the load, says so, and shrinks only after a while', async () => {
  await scaled('web', 2);
  usage = 100;
  await cluster.eventually(async () => assert.equal(await sizeOf('web'), 4));
  const hpa = await cluster.get(horizontalPodAutoscalers, 'web');
  assert.deepEqual(conditions(hpa), [
    'AbleToScale=True SucceededRescale',
    'ScalingActive=True ValidMetricFound',
    'ScalingLimited=False DesiredWithinRange',
  ]);
  assert.deepEqual(
    [hpa.status?.currentReplicas, hpa.status?.desiredReplicas, hpa.status?.lastScaleTime !== undefined],
    [2, 4, true],
  );
  assert.deepEqual(hpa.status?.currentMetrics, [
    { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 100, averageValue: '100m' } } },
  ]);
  assert.ok(
    (await cluster.eventsAbout('web')).includes(
      'SuccessfulRescale: New size: 4; reason: cpu resource utilization (percentage of request) above target',
    ),
  );
  await cluster.runPods();
  usage = 10;
  const before = cluster.clock.monotonic();
  await cluster.eventually(async () => assert.equal(await sizeOf('web'), 1), 900_000 as never);
  assert.ok(cluster.clock.monotonic() - before >= 280_000, 'a high recommendation holds for five minutes');
  await cluster.api.delete(horizontalPodAutoscalers, { namespace: 'default', name: 'web' });
  await cluster.api.delete(deployments, { namespace: 'default', name: 'web' });
});

test('says what is wrong when there are no metrics, and changes nothing', async () => {
  await scaled('dark', 2);
  await cluster.eventually(async () => {
    const hpa = await cluster.get(horizontalPodAutoscalers, 'dark');
    assert.deepEqual(conditions(hpa), [
      'AbleToScale=True SucceededGetScale',
      'ScalingActive=False FailedGetResourceMetric',
    ]);
  });
  const why =
    'failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API';
  const said = await cluster.eventsAbout('dark');
  assert.ok(said.includes(`FailedGetResourceMetric: ${why}`), said.join('\n'));
  assert.ok(
    said.includes(
      `FailedComputeMetricsReplicas: invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: ${why}`,
    ),
  );
  assert.equal(await sizeOf('dark'), 2);
});

test('bounds hold whatever the metrics say, and zero means off', async () => {
  await scaled('big', 3, { maxReplicas: 2 });
  await cluster.eventually(async () => assert.equal(await sizeOf('big'), 2));
  await cluster.patch(deployments, 'big', { spec: { replicas: 0 } });
  await cluster.eventually(async () => {
    const hpa = await cluster.get(horizontalPodAutoscalers, 'big');
    assert.ok(conditions(hpa).includes('ScalingActive=False ScalingDisabled'));
  });
  assert.equal(await sizeOf('big'), 0);
});

test('a target that is not there, and metrics that nobody serves', async () => {
  await cluster.apply(horizontalPodAutoscalers, {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'lost' },
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'lost' }, maxReplicas: 3 },
  });
  await cluster.eventually(async () => {
    const hpa = await cluster.get(horizontalPodAutoscalers, 'lost');
    assert.deepEqual(conditions(hpa), ['AbleToScale=False FailedGetScale']);
    assert.equal(
      hpa.status?.conditions?.[0]?.message,
      'the HPA controller was unable to get the target\'s current scale: deployments.apps "lost" not found',
    );
  });
  await scaled('custom', 2, {
    metrics: [
      { type: 'Pods', pods: { metric: { name: 'queue' }, target: { type: 'AverageValue', averageValue: '5' } } },
      { type: 'External', external: { metric: { name: 'orders' }, target: { type: 'Value', value: '5' } } },
    ],
  });
  await cluster.eventually(async () => {
    const hpa = await cluster.get(horizontalPodAutoscalers, 'custom');
    const active = hpa.status?.conditions?.find(({ type }) => type === 'ScalingActive');
    assert.deepEqual(
      [active?.status, active?.reason, active?.message],
      [
        'False',
        'FailedGetPodsMetric',
        'the HPA was unable to compute the replica count: unable to get metric queue: unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered',
      ],
    );
  });
});

test('two autoscalers for the same pods stand still', async () => {
  await scaled('twice', 1);
  usage = 100;
  const hpa = await cluster.get(horizontalPodAutoscalers, 'twice');
  await cluster.apply(horizontalPodAutoscalers, {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'rival' },
    spec: hpa.spec!,
  });
  await cluster.eventually(async () => {
    for (const name of ['twice', 'rival']) {
      const one = await cluster.get(horizontalPodAutoscalers, name);
      assert.ok(conditions(one).includes('ScalingActive=False AmbiguousSelector'), name);
    }
  });
});
