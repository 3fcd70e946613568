// What users do with workloads by kubectl, on our own API server with its admission and the controllers over it. Time
// moves only when the test says so; kubectl runs as usual.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { minutes } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import { isStatus } from '@kedge/model/k8s';
import { createKeys } from '@kedge/platform/node';
import { createCertificateAuthorities } from '@kedge/platform/x509';
import { type OpenServer, openTestServer } from './apiserver/test-server.ts';
import { node } from './controllers/builders.ts';
import { Cluster } from './controllers/cluster.ts';
import { createKubectl, type Kubectl } from './kubectl/run-kubectl.ts';

const { certificateSigningRequests, jobs, nodes, podDisruptionBudgets, pods, statefulSets } = collections;
let server: OpenServer;
let program: Kubectl;
let cluster: Cluster;
const keys = createKeys();
before(async () => {
  server = await openTestServer('workloads');
  program = createKubectl(server.kubeconfigPath, server.directory);
  cluster = await new Cluster({
    api: () => server.api,
    signing: { authority: server.server.pki.authority, authorities: createCertificateAuthorities(), keys },
  }).start();
  await cluster.apply(nodes, node('edge'), '');
  await cluster.eventually(async () => void (await cluster.get(collections.serviceAccounts, 'default')));
});
after(async () => {
  await cluster.stop();
  await server.stop();
});

const kubectl = (args: string, input = '') => program.run(args, { input });
const ok = (args: string, input?: string) => program.ok(args, input);

/** Binds pods to the one node, and runs them. */
async function runPods(): Promise<void> {
  await cluster.heartbeat();
  for (const { metadata, spec } of await cluster.list(pods)) {
    if (spec?.nodeName) continue;
    const { namespace = 'default', name = '' } = metadata;
    const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name, namespace }, target: { name: 'edge' } };
    await cluster.api.create(pods, namespace, binding, { subresource: { name, subresource: 'binding' } });
  }
  await cluster.runPods();
}
async function succeed(job: string): Promise<void> {
  await cluster.eventually(async () => {
    const own = (await cluster.list(pods)).filter(({ metadata }) => metadata.labels?.['job-name'] === job);
    for (const { metadata } of own) {
      const target = { namespace: 'default', name: metadata.name!, subresource: 'status' };
      await cluster.api.patch(pods, target, 'merge', '{"status":{"phase":"Succeeded"}}');
    }
    await cluster.settle();
    assert.ok((await cluster.get(jobs, job)).status?.completionTime);
  });
}

const database = (image: string): string => `
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db }
spec:
  replicas: 2
  serviceName: db
  selector: { matchLabels: { app: db } }
  template:
    metadata: { labels: { app: db } }
    spec: { containers: [{ name: main, image: '${image}' }] }
  volumeClaimTemplates:
    - metadata: { name: data }
      spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Gi } } }
`;
async function rolledOut(image: string): Promise<void> {
  await cluster.eventually(async () => {
    await runPods();
    const { status, metadata } = await cluster.get(statefulSets, 'db');
    assert.equal(status?.observedGeneration, metadata.generation);
    assert.deepEqual([status?.updatedReplicas, status?.readyReplicas], [2, 2]);
    const images = (await cluster.list(pods)).flatMap(({ spec }) => spec!.containers.map((one) => one.image));
    assert.deepEqual(new Set(images), new Set([image]));
  });
}

test('a StatefulSet is rolled out, updated and rolled back; its claims get the default class', async () => {
  const storage = `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: local, annotations: { storageclass.kubernetes.io/is-default-class: 'true' } }
provisioner: example.com/local
`;
  await ok('apply -f -', storage);
  await ok('apply -f -', database('db:1'));
  await rolledOut('db:1');
  assert.match(await ok('rollout status statefulset/db --timeout=20s'), /partitioned roll out complete: 2 new pods/);
  assert.match(await ok('get pvc data-db-1 -o jsonpath={.spec.storageClassName}'), /^local$/);
  await ok('set image statefulset/db main=db:2');
  await rolledOut('db:2');
  assert.match(await ok('rollout status statefulset/db --timeout=20s'), /partitioned roll out complete: 2 new pods/);
  assert.match(await ok('rollout history statefulset/db'), /1\s+<none>\n2\s+<none>/);
  await ok('rollout undo statefulset/db');
  await rolledOut('db:1');
  assert.match(await ok('get statefulset db'), /db\s+2\/2/);
  assert.match(await ok('describe statefulset db'), /SuccessfulCreate/);
});

test('evictions keep to the budget', async () => {
  await ok('create poddisruptionbudget db --selector=app=db --min-available=1');
  await cluster.eventually(async () => {
    assert.equal((await cluster.get(podDisruptionBudgets, 'db')).status?.disruptionsAllowed, 1);
  });
  const evict = (name: string) =>
    cluster.api.create(
      pods,
      'default',
      { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } },
      { subresource: { name, subresource: 'eviction' } },
    );
  const results = await Promise.allSettled([evict('db-0'), evict('db-1')]);
  const refused = results.filter((result) => result.status === 'rejected');
  assert.equal(refused.length, 1);
  assert.ok(isStatus(refused[0]!.reason, 'TooManyRequests'));
  await rolledOut('db:1');
  assert.match(await ok('get pdb db'), /db\s+1\s+N\/A\s+1/);
  await ok('delete statefulset db');
  await ok('delete pdb db');
});

test('jobs and cron jobs are created, started by hand, waited for and described', async () => {
  await ok('create job hello --image=busybox -- true');
  await succeed('hello');
  assert.match(await ok('wait --for=condition=complete job/hello --timeout=20s'), /condition met/);
  assert.match(await ok('get job hello'), /hello\s+Complete\s+1\/1/);
  assert.match(await ok('describe job hello'), /Pods Statuses:\s+0 Active \(0 Ready\) \/ 1 Succeeded \/ 0 Failed/);
  await ok("create cronjob tick --image=busybox '--schedule=0 3 * * *' -- true");
  await ok('create job by-hand --from=cronjob/tick');
  await succeed('by-hand');
  assert.match(await ok('get cronjob tick'), /tick\s+0 3 \* \* \*\s+<none>\s+False\s+0/);
  await ok('delete cronjob tick');
  await ok('delete job hello');
});

test('a quota holds, says what is over, and is counted anew when something goes', async () => {
  await ok('create namespace small');
  await cluster.eventually(async () => void (await cluster.get(collections.configMaps, 'kube-root-ca.crt', 'small')));
  await ok('create quota few -n small --hard=configmaps=2,count/deployments.apps=1');
  await cluster.eventually(async () => {
    const used = await ok('get quota few -n small -o jsonpath={.status.used.configmaps}');
    assert.equal(used, '1');
  });
  await ok('create configmap one -n small');
  const { code, err } = await kubectl('create configmap two -n small');
  assert.equal(code, 1);
  assert.match(
    err,
    /configmaps "two" is forbidden: exceeded quota: few, requested: configmaps=1, used: configmaps=2, limited: configmaps=2/,
  );
  assert.match(await ok('describe quota few -n small'), /configmaps\s+2\s+2/);
  await ok('delete configmap one -n small');
  await cluster.clock.advance(minutes(1));
  await cluster.eventually(async () => {
    assert.equal(await ok('get quota few -n small -o jsonpath={.status.used.configmaps}'), '1');
  });
  await ok('create configmap two -n small');
});

test('a quota counts custom kinds, and lets go of what is deleted', async () => {
  await ok(
    'apply -f -',
    `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: gadgets.example.org }
spec:
  group: example.org
  scope: Namespaced
  names: { plural: gadgets, singular: gadget, kind: Gadget, listKind: GadgetList }
  versions:
    - { name: v1, served: true, storage: true, schema: { openAPIV3Schema: { type: object } } }
`,
  );
  await ok('wait crd/gadgets.example.org --for=condition=Established --timeout=20s');
  await ok('create quota gadgets -n small --hard=count/gadgets.example.org=1');
  const used = async (expected: string): Promise<void> =>
    cluster.eventually(async () => {
      const [, count] = /gadgets\.example\.org\s+(\d)\s+1/.exec(await ok('describe quota gadgets -n small')) ?? [];
      assert.equal(count, expected);
    });
  await used('0');
  const gadget = (name: string): string =>
    JSON.stringify({ apiVersion: 'example.org/v1', kind: 'Gadget', metadata: { name, namespace: 'small' } });
  await ok('create -f -', gadget('one'));
  await cluster.clock.advance(minutes(1));
  await used('1');
  const { err } = await kubectl('create -f -', gadget('two'));
  assert.match(err, /gadgets.example.org "two" is forbidden: exceeded quota: gadgets/);
  await ok('delete gadget one -n small');
  await cluster.clock.advance(minutes(1));
  await used('0');
});

test('a limit range fills in what containers ask for, and refuses too much', async () => {
  const limits = `
apiVersion: v1
kind: LimitRange
metadata: { name: modest, namespace: small }
spec:
  limits:
    - { type: Container, default: { memory: 64Mi }, defaultRequest: { memory: 32Mi }, max: { memory: 128Mi } }
`;
  await ok('apply -f -', limits);
  await ok('run plain -n small --image=busybox');
  const asked = await ok("get pod plain -n small -o jsonpath='{.spec.containers[0].resources}'");
  assert.deepEqual(JSON.parse(asked.replaceAll("'", '')), { limits: { memory: '64Mi' }, requests: { memory: '32Mi' } });
  const greedy = `{ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "greedy", "namespace": "small" }, "spec":
    { "containers": [{ "name": "main", "image": "x", "resources": { "limits": { "memory": "1Gi" } } }] } }`;
  const { err } = await kubectl('create -f -', greedy);
  assert.match(err, /pods "greedy" is forbidden: \[?maximum memory usage per Container is 128Mi, but limit is 1Gi/);
});

test('a certificate request is approved by kubectl and signed', async () => {
  const key = keys.createPrivateKey();
  const der = keys.createRequest(key, { commonName: 'ann', organizations: ['developers'] });
  const pem = keys.toPem('CERTIFICATE REQUEST', der);
  await writeFile(
    join(server.directory, 'csr.yaml'),
    `
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: { name: ann }
spec:
  request: ${btoa(pem)}
  signerName: kubernetes.io/kube-apiserver-client
  expirationSeconds: 86400
  usages: [client auth]
`,
  );
  await ok(`create -f ${join(server.directory, 'csr.yaml')}`);
  await cluster.settle();
  assert.match(await ok('get csr ann'), /Pending/);
  await ok('certificate approve ann');
  await cluster.eventually(async () => {
    const { status } = await cluster.get(certificateSigningRequests, 'ann', '');
    const certificate = keys.readCertificate(atob(status?.certificate ?? ''));
    assert.deepEqual([certificate.commonName, certificate.organizations], ['ann', ['developers']]);
  });
  assert.match(await ok('get csr ann'), /Approved,Issued/);
});
