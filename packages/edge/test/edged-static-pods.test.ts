// Pods from files of the node: they run without a cloud, and a cloud sees them.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { minutes, seconds } from '@kedge/core/time';
import type { Pod } from '@kedge/model/k8s-types';
import { EdgedFixture, image } from './edged-fixture.ts';

const directory = '/etc/kubeedge/manifests';
const staticPods = { directory, every: seconds(20) };
const manifest = (more = '', name = 'agent'): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: kube-system, labels: { app: agent } }
spec:
  containers:
    - { name: main, image: '${image}', command: [serve]${more} }
`;

async function edged(t: TestContext, files: Record<string, string>): Promise<EdgedFixture> {
  const site = new EdgedFixture();
  await site.files.makeDirectory(directory);
  for (const [name, text] of Object.entries(files)) await site.files.writeAtomically(`${directory}/${name}`, text);
  await site.start({ staticPods });
  t.after(async () => assert.deepEqual(await site.stop(), []));
  await site.pass(seconds(2));
  return site;
}

const mirror = (site: EdgedFixture): Pod | undefined => site.cloud.objects.get('pod/agent-edge-1') as Pod | undefined;
/** The cloud tells this node of the mirror that it has made. */
const tell = (site: EdgedFixture): Pod => site.change(mirror(site)!);

describe('a static pod', () => {
  test('runs from its file, and nothing else in the folder matters', async (t) => {
    const site = await edged(t, { 'agent.yaml': manifest(), '.agent.swp': 'x', README: 'not a pod', 'bad.yaml': '{' });
    assert.deepEqual(site.fake.running, ['main']);
    const [sandbox] = site.fake.sandboxes.values();
    assert.equal(sandbox?.config.metadata?.name, 'agent-edge-1');
  });

  test('has what an API would have filled in: requests out of limits, ports of the host, times of probes', async (t) => {
    const text = `
apiVersion: v1
kind: Pod
metadata: { name: agent, namespace: kube-system }
spec:
  hostNetwork: true
  volumes: [{ name: scratch }]
  containers:
    - name: main
      image: '${image}'
      command: [serve]
      resources: { limits: { cpu: '2', memory: 64Mi } }
      ports: [{ containerPort: 8080 }]
      livenessProbe: { httpGet: { port: 8080 }, periodSeconds: 0, timeoutSeconds: 0, failureThreshold: 0 }
      volumeMounts: [{ name: scratch, mountPath: /scratch }]
`;
    const site = await edged(t, { 'agent.yaml': text, 'other.yaml': text.replace('name: agent', 'name: other') });
    assert.deepEqual(site.fake.running, ['main']);
    const [path] = [...site.cgroupLimits.keys()].filter((name) => name.startsWith('/kedge/pod'));
    assert.equal(site.cgroupLimits.get(path ?? '')?.cpuShares, 2_048);
    await site.pass(seconds(25));
    assert.equal(site.probed.length, 3, 'every ten seconds');
    const refused = site.events.find(({ reason }) => reason === 'NodePorts');
    assert.match(refused?.message ?? '', /TCP 8080/);
  });

  test('needs no cloud, and is the same one after a restart', async (t) => {
    const site = new EdgedFixture();
    site.setOnline(false);
    site.isStoreEmpty = true;
    await site.files.makeDirectory(directory);
    await site.files.writeAtomically(`${directory}/agent.yaml`, manifest());
    await site.start({ staticPods });
    await site.pass(seconds(2));
    assert.deepEqual(site.fake.running, ['main']);
    await site.stop();
    const steps = site.fake.done.length;
    await site.start({ staticPods });
    t.after(() => site.stop());
    await site.pass(seconds(30));
    assert.deepEqual(site.fake.running, ['main']);
    assert.equal(site.fake.done.length, steps, 'nothing was done');
  });

  test('that comes later, changes, and goes, is followed; one of a name runs at a time', async (t) => {
    const site = await edged(t, {});
    await site.files.writeAtomically(`${directory}/agent.yaml`, manifest());
    await site.pass(minutes(2));
    assert.deepEqual(site.fake.running, ['main']);
    await site.files.writeAtomically(`${directory}/agent.yaml`, manifest(', args: [more]'));
    await site.pass(seconds(40));
    assert.deepEqual(site.fake.running, ['main']);
    assert.deepEqual(site.fake.container('main')?.config.args, ['more']);
    const order = site.fake.done.filter((step) => /PodSandbox/.test(step));
    assert.deepEqual(
      order,
      ['runPodSandbox', 'stopPodSandbox', 'runPodSandbox'].map((step) => `${step} agent-edge-1`),
    );
    await site.files.writeAtomically(`${directory}/agent.yaml`, manifest(', args: [more'));
    await site.pass(seconds(40));
    assert.deepEqual(site.fake.running, ['main'], 'a file that is half written ends nothing');
    await site.files.remove(`${directory}/agent.yaml`);
    await site.pass(seconds(40));
    assert.deepEqual(site.fake.running, []);
  });
});

describe('its mirror', () => {
  test('is made once, belongs to the Node, is not run, and has the status', async (t) => {
    const site = await edged(t, { 'agent.yaml': manifest() });
    const made = mirror(site);
    const { annotations = {}, ownerReferences, namespace } = made?.metadata ?? {};
    assert.equal(namespace, 'kube-system');
    assert.equal(annotations['kubernetes.io/config.source'], 'file');
    assert.equal(annotations['kubernetes.io/config.mirror'], annotations['kubernetes.io/config.hash']);
    assert.equal(ownerReferences?.[0]?.uid, site.cloud.objects.get('node/edge-1')?.metadata.uid);
    assert.equal(site.statuses.size, 0);
    tell(site);
    await site.pass(minutes(2));
    assert.equal(site.statuses.get('agent-edge-1')?.phase, 'Running');
    assert.deepEqual(site.fake.running, ['main'], 'there are not two');
    assert.equal(site.cloud.asked.filter((question) => question === 'object.create pod/agent-edge-1').length, 1);
  });

  test('that somebody deletes does not end the pod, and is made again', async (t) => {
    const site = await edged(t, { 'agent.yaml': manifest() });
    const { metadata, ...rest } = tell(site);
    site.change({ ...rest, metadata: { ...metadata, deletionTimestamp: new Date(site.clock.now()).toISOString() } });
    await site.pass(seconds(1));
    assert.ok(site.cloud.asked.includes('pod.delete pod/agent-edge-1'));
    site.cloud.objects.delete('pod/agent-edge-1');
    site.pods.delete(metadata.uid ?? '');
    await site.pass(seconds(40));
    assert.notEqual(mirror(site)?.metadata.uid, undefined);
    assert.deepEqual(site.fake.running, ['main']);
  });

  test('goes with the file', async (t) => {
    const site = await edged(t, { 'agent.yaml': manifest() });
    tell(site);
    await site.files.remove(`${directory}/agent.yaml`);
    await site.pass(seconds(40));
    assert.ok(site.cloud.asked.includes('pod.delete pod/agent-edge-1'));
  });
});
