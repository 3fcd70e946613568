// Deployments over a whole cluster: rollouts, rollbacks, pauses, scaling, history.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { collections } from '@kedge/engine/kube-client';
import { minutes } from '@kedge/core/time';
import type { Deployment } from '@kedge/model/k8s-types';
import { deployment, replicaSet, template } from './builders.ts';
import { Cluster } from './cluster.ts';

const { deployments, pods, replicaSets } = collections;
let cluster: Cluster;
beforeEach(async () => {
  cluster = await new Cluster().start();
});
afterEach(() => cluster.stop());

const condition = ({ status }: Deployment, type: string) => {
  const found = status?.conditions?.find((one) => one.type === type);
  return found && [found.status, found.reason];
};
const setImage = (name: string, image: string) =>
  cluster.patch(deployments, name, { spec: { template: template(name, image) } });
const sizes = async () =>
  Object.fromEntries(
    (await cluster.list(replicaSets)).map(({ spec }) => [spec!.template!.spec!.containers[0]!.image, spec!.replicas]),
  );

test('a new Deployment makes one ReplicaSet and reports that it is available', async () => {
  await cluster.apply(deployments, deployment('web', 3));
  await cluster.settle();
  assert.deepEqual(condition(await cluster.get(deployments, 'web'), 'Available'), [
    'False',
    'MinimumReplicasUnavailable',
  ]);
  const done = await cluster.rollOut('web');
  const [set] = await cluster.list(replicaSets);
  const hash = set!.metadata.labels!['pod-template-hash'];
  assert.equal(set!.metadata.name, `web-${hash}`);
  assert.equal(set!.metadata.annotations!['deployment.kubernetes.io/revision'], '1');
  assert.equal(done.metadata.annotations!['deployment.kubernetes.io/revision'], '1');
  assert.ok((await cluster.list(pods)).every(({ metadata }) => metadata.labels!['pod-template-hash'] === hash));
  assert.deepEqual(condition(done, 'Available'), ['True', 'MinimumReplicasAvailable']);
  assert.deepEqual(condition(done, 'Progressing'), ['True', 'NewReplicaSetAvailable']);
  assert.deepEqual(await cluster.eventsAbout('web'), [
    `ScalingReplicaSet: Scaled up replica set web-${hash} from 0 to 3`,
  ]);
});

test('a rolling update never has fewer pods available, nor more in all, than it may', async () => {
  await cluster.apply(deployments, deployment('web', 3));
  await cluster.rollOut('web');
  await setImage('web', 'busybox:2');
  let isDone = false;
  for (let step = 0; step < 40 && !isDone; step++) {
    await cluster.settle();
    const all = (await cluster.list(pods)).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    const ready = all.filter(({ status }) =>
      status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'),
    );
    assert.ok(all.length <= 4, `${all.length} pods`);
    assert.ok(ready.length >= 3, `${ready.length} ready pods`);
    await cluster.runPods();
    isDone = (await cluster.get(deployments, 'web')).status?.updatedReplicas === 3 && all.length === 3;
  }
  await cluster.rollOut('web');
  assert.deepEqual(await sizes(), { 'busybox:1': 0, 'busybox:2': 3 });
});

test('going back to an earlier template takes its ReplicaSet up again under a new revision', async () => {
  await cluster.apply(deployments, deployment('web', 1));
  await cluster.rollOut('web');
  await setImage('web', 'busybox:2');
  await cluster.rollOut('web');
  await setImage('web', 'busybox:1');
  const done = await cluster.rollOut('web');
  assert.equal((await cluster.list(replicaSets)).length, 2);
  const current = (await cluster.list(replicaSets)).find(({ spec }) => spec?.replicas === 1)!;
  assert.equal(current.metadata.annotations!['deployment.kubernetes.io/revision'], '3');
  assert.equal(current.metadata.annotations!['deployment.kubernetes.io/revision-history'], '1');
  assert.equal(done.metadata.annotations!['deployment.kubernetes.io/revision'], '3');
});

test('recreate starts nothing new before everything old is gone', async () => {
  await cluster.apply(
    deployments,
    deployment('web', 2, { strategy: { type: 'Recreate' }, template: template('web', 'busybox:1', { nodeName: 'n' }) }),
  );
  await cluster.rollOut('web');
  await cluster.patch(deployments, 'web', { spec: { template: template('web', 'busybox:2', { nodeName: 'n' }) } });
  await cluster.settle();
  const images = (await cluster.list(pods)).map(({ spec }) => spec!.containers[0]!.image);
  assert.deepEqual(images, ['busybox:1', 'busybox:1']);
  await cluster.rollOut('web');
  assert.deepEqual(await sizes(), { 'busybox:1': 0, 'busybox:2': 2 });
});

test('a paused Deployment scales but does not roll, and goes on when resumed', async () => {
  await cluster.apply(deployments, deployment('web', 1));
  await cluster.rollOut('web');
  await cluster.patch(deployments, 'web', { spec: { paused: true } });
  await setImage('web', 'busybox:2');
  await cluster.patch(deployments, 'web', { spec: { replicas: 2 } });
  await cluster.settle();
  assert.deepEqual(await sizes(), { 'busybox:1': 2 });
  assert.deepEqual(condition(await cluster.get(deployments, 'web'), 'Progressing'), ['Unknown', 'DeploymentPaused']);
  await cluster.patch(deployments, 'web', { spec: { paused: false } });
  await cluster.rollOut('web');
  assert.deepEqual(await sizes(), { 'busybox:1': 0, 'busybox:2': 2 });
});

test('scaling in the middle of a rollout keeps the proportion between the sets', async () => {
  const rolling = { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 2, maxUnavailable: 2 } } };
  await cluster.apply(deployments, deployment('web', 10, rolling));
  await cluster.rollOut('web');
  await setImage('web', 'busybox:2');
  await cluster.settle();
  assert.deepEqual(await sizes(), { 'busybox:1': 8, 'busybox:2': 4 });
  await cluster.patch(deployments, 'web', { spec: { replicas: 15 } });
  await cluster.settle();
  assert.deepEqual(await sizes(), { 'busybox:1': 11, 'busybox:2': 6 });
});

test('a rollout that does not move is reported as stuck after its deadline', async () => {
  await cluster.apply(deployments, deployment('web', 1, { progressDeadlineSeconds: 60 }));
  await cluster.settle();
  await cluster.eventually(async () => {
    assert.deepEqual(condition(await cluster.get(deployments, 'web'), 'Progressing'), [
      'False',
      'ProgressDeadlineExceeded',
    ]);
  }, minutes(2));
  await cluster.rollOut('web');
  assert.deepEqual(condition(await cluster.get(deployments, 'web'), 'Progressing'), ['True', 'NewReplicaSetAvailable']);
});

test('old ReplicaSets beyond the history limit are deleted', async () => {
  await cluster.apply(deployments, deployment('web', 1, { revisionHistoryLimit: 1 }));
  for (const image of ['busybox:1', 'busybox:2', 'busybox:3', 'busybox:4']) {
    await setImage('web', image);
    await cluster.rollOut('web');
  }
  await cluster.eventually(async () => assert.deepEqual(Object.keys(await sizes()), ['busybox:3', 'busybox:4']));
});

test('a foreign ReplicaSet under the name that would be next only makes the name change', async () => {
  await cluster.apply(deployments, deployment('web', 1), 'kube-system');
  await cluster.settle();
  const name = (await cluster.list(replicaSets, 'kube-system'))[0]!.metadata.name!;
  await cluster.apply(replicaSets, { ...replicaSet('other', 0), metadata: { name } });
  await cluster.apply(deployments, deployment('web', 1));
  const done = await cluster.rollOut('web');
  assert.equal(done.status?.collisionCount, 1);
  const own = (await cluster.list(replicaSets, 'default')).filter(({ metadata }) => metadata.name !== name);
  assert.equal(own.length, 1);
});

test('an annotation asks for an earlier revision, as the first API did', async () => {
  await cluster.apply(deployments, deployment('web', 1));
  await cluster.rollOut('web');
  await setImage('web', 'web:2');
  await cluster.rollOut('web');
  const asked = { 'deprecated.deployment.rollback.to': '1' };
  await cluster.patch(deployments, 'web', { metadata: { annotations: asked } });
  const { metadata, spec } = await cluster.rollOut('web');
  assert.equal(spec!.template!.spec!.containers[0]!.image, template('web').spec!.containers[0]!.image);
  assert.equal(metadata.annotations?.['deprecated.deployment.rollback.to'], undefined);
  assert.equal(metadata.annotations?.['deployment.kubernetes.io/revision'], '3');
  const said = await cluster.eventsAbout('web');
  assert.ok(said.includes('DeploymentRollback: Rolled back deployment "web" to revision 1'));
});
