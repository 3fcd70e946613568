// Controllers against real containers: an autoscaler that sees real load come and go, and Jobs whose pods really end.
import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Deployment, HorizontalPodAutoscaler, Job, PodList } from '@kedge/model/k8s-types';
import { tracesOf } from './harness/host-traces.ts';
import { eventually } from './harness/run.ts';
import { createTestSite, type TestSite } from './harness/site.ts';

const image = 'docker.io/library/busybox:1.35';

/** Burns CPU, up to its limit, as long as the file `on` is in the folder. */
const burner = (load: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: burner }
spec:
  replicas: 1
  selector: { matchLabels: { app: burner } }
  template:
    metadata: { labels: { app: burner } }
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: main
          image: ${image}
          imagePullPolicy: IfNotPresent
          command: [sh, -c, 'while true; do if [ -e /load/on ]; then i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; else sleep 0.5; fi; done']
          resources: { requests: { cpu: 100m }, limits: { cpu: 200m } }
          volumeMounts: [{ name: load, mountPath: /load }]
      volumes: [{ name: load, hostPath: { path: ${load} } }]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: { name: burner }
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: burner }
  minReplicas: 1
  maxReplicas: 2
  metrics: [{ type: Resource, resource: { name: cpu, target: { type: Utilization, averageUtilization: 50 } } }]
  behavior: { scaleDown: { stabilizationWindowSeconds: 0 } }
`;

const job = (name: string, script: string, more = ''): string => `
apiVersion: batch/v1
kind: Job
metadata: { name: ${name} }
spec:
  ${more}
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 1
      containers:
        - { name: main, image: "${image}", imagePullPolicy: IfNotPresent, command: [sh, -c, '${script}'] }
`;

describe('controllers over real containers', () => {
  let site: TestSite;
  let load: string;

  before(async () => {
    site = await createTestSite('ctrl');
    load = join(site.data, '..', 'load');
    await mkdir(load);
    const { code, stdout, stderr } = await site.up();
    assert.equal(code, 0, `${stdout}${stderr}${await site.logs()}`);
  });

  after(async () => {
    await site.remove();
    assert.deepEqual(await tracesOf(...site.marks), []);
  });

  const replicas = async (): Promise<number | undefined> =>
    (await site.kubectl.json<Deployment>('get', 'deployment', 'burner')).spec?.replicas;
  const utilization = async (): Promise<number> => {
    const { status } = await site.kubectl.json<HorizontalPodAutoscaler>('get', 'hpa', 'burner');
    return status?.currentMetrics?.[0]?.resource?.current.averageUtilization ?? -1;
  };

  it('scales up what is busy, and down again what is idle', async () => {
    await site.kubectl.apply(burner(load));
    await site.kubectl('rollout', 'status', 'deployment/burner', '--timeout=60s');
    await eventually('metrics of the idle pod', async () => (await utilization()) >= 0, 90_000);
    assert.ok((await utilization()) < 45, `idle, but at ${await utilization()} %`);
    assert.equal(await replicas(), 1);

    await writeFile(join(load, 'on'), '');
    await eventually('a second replica', async () => (await replicas()) === 2, 120_000);
    const busy = await utilization();
    assert.ok(busy > 55, `scaled up at ${busy} %`);
    await site.kubectl('wait', '--for=condition=Ready', 'pod', '-l', 'app=burner', '--timeout=60s');

    await rm(join(load, 'on'));
    await eventually('one replica again', async () => (await replicas()) === 1, 120_000);
    const events = await site.kubectl('get', 'events', '--field-selector=reason=SuccessfulRescale');
    assert.match(events, /New size: 2; reason: cpu resource utilization \(percentage of request\) above target/);
    assert.match(events, /New size: 1; reason: All metrics below target/);
    await site.kubectl('delete', 'deployment/burner', 'hpa/burner');
  });

  const finished = async (name: string, condition: string): Promise<Job> => {
    await site.kubectl('wait', `--for=condition=${condition}`, `job/${name}`, '--timeout=90s');
    return site.kubectl.json<Job>('get', 'job', name);
  };
  const podsOf = async (name: string): Promise<PodList['items']> =>
    (await site.kubectl.json<PodList>('get', 'pods', '-l', `job-name=${name}`)).items;

  it('counts every pod of a job, and lets it go', async () => {
    await site.kubectl.apply(job('each', 'exit 0', 'completions: 4\n  parallelism: 2\n  completionMode: Indexed'));
    const { status } = await finished('each', 'Complete');
    assert.deepEqual([status?.succeeded, status?.completedIndexes, status?.failed ?? 0], [4, '0-3', 0]);
    assert.deepEqual(status?.uncountedTerminatedPods, {});
    for (const { metadata } of await podsOf('each')) assert.equal(metadata.finalizers, undefined);
    await site.kubectl('delete', 'job', 'each', '--timeout=60s');
    await eventually('no pods of the job', async () => (await podsOf('each')).length === 0);
  });

  it('waits to see how a pod ends, where the job wants to know', async () => {
    const policy = 'backoffLimit: 3\n  podReplacementPolicy: Failed';
    await site.kubectl.apply(job('patient', '[ -e /done ] || sleep 600', policy));
    await eventually('a running pod', async () => (await podsOf('patient'))[0]?.status?.phase === 'Running');
    const [first] = await podsOf('patient');
    await site.kubectl('delete', 'pod', first!.metadata.name!, '--wait=false');
    await eventually(
      'another pod, once the first has failed',
      async () => {
        const others = (await podsOf('patient')).filter(({ metadata }) => metadata.uid !== first!.metadata.uid);
        const { status } = await site.kubectl.json<Job>('get', 'job', 'patient');
        return others[0]?.status?.phase === 'Running' && status?.failed === 1;
      },
      90_000,
    );
    await site.kubectl('delete', 'job', 'patient', '--cascade=foreground', '--timeout=90s');
    assert.deepEqual(await podsOf('patient'), []);
  });

  it('fails a job by the exit code of its container', async () => {
    const rule = '{ action: FailJob, onExitCodes: { operator: In, values: [42] } }';
    await site.kubectl.apply(job('strict', 'exit 42', `podFailurePolicy: { rules: [${rule}] }`));
    const { status } = await finished('strict', 'Failed');
    const failed = status?.conditions?.find(({ type }) => type === 'Failed');
    assert.equal(failed?.reason, 'PodFailurePolicy');
    assert.match(
      failed.message ?? '',
      /^Container main for pod default\/strict-\w+ failed with exit code 42 matching FailJob rule at index 0$/,
    );
  });
});
