// What a newcomer sees: one command, a Ready node, a running pod, kubectl that works, and a machine left clean.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { chooseRuntime } from '../../apps/kedge/src/edge-runtime.ts';
import { tracesOf } from './harness/host-traces.ts';
import { httpGet } from './harness/http-get.ts';
import { eventually } from './harness/run.ts';
import { createTestSite, type TestSite } from './harness/site.ts';

interface PodList {
  items: { metadata: { name: string; uid: string }; status: { podIP: string; phase: string; startTime: string } }[];
}

describe('a first run', () => {
  let site: TestSite;

  before(async () => {
    site = await createTestSite('first', { anyRuntime: true });
    const { code, stdout, stderr } = await site.up();
    assert.equal(code, 0, `${stdout}${stderr}${await site.logs()}`);
  });

  after(async () => {
    await site.remove();
    assert.deepEqual(await tracesOf(...site.marks), []);
  });

  it('reports the node Ready and the sample Running, in words and as JSON', async () => {
    const { code, stdout } = await site.kedge('status', '--data', site.data, '-o', 'json');
    assert.equal(code, 0, stdout);
    const status = JSON.parse(stdout) as {
      phase: string;
      nodes: { name: string; ready: boolean }[];
      pods: { name: string; phase: string }[];
      processes: { name: string; runtime?: string }[];
    };
    assert.equal(status.phase, 'ready');
    assert.deepEqual(
      status.nodes.map(({ name, ready }) => [name, ready]),
      [[site.node, true]],
    );
    assert.ok(status.pods.some(({ name, phase }) => name.startsWith('hello-') && phase === 'Running'));
    const names = status.processes.map(({ name }) => name).sort();
    assert.deepEqual(names, ['apiserver', 'cloudcore', 'containerd', 'edgecore', 'kedge']);
    const { runtime } = await chooseRuntime(undefined);
    assert.equal(status.processes.find(({ name }) => name === 'edgecore')?.runtime, runtime);
    const words = (await site.kedge('status', '--data', site.data)).stdout;
    assert.match(words, /state +ready/);
    assert.match(words, new RegExp(`edgecore \\(\\d+, ${runtime}\\)`));
  });

  it('refuses a second start of the same site with a sentence that says what to do', async () => {
    const { code, stderr } = await site.up();
    assert.equal(code, 1);
    assert.match(stderr, /runs already.*kedge down/);
  });

  it('shows the columns users know', async () => {
    assert.match(
      await site.kubectl('get', 'nodes'),
      /^NAME +STATUS +ROLES +AGE +VERSION\n\S+ +Ready +agent,edge +\S+ +v1\.\d+/,
    );
    assert.match(
      await site.kubectl('get', 'pods', '-o', 'wide'),
      /^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES\n/,
    );
    assert.match(
      await site.kubectl('get', 'deployments'),
      /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nhello +1\/1 +1 +1 +/,
    );
    assert.match(await site.kubectl('get', 'services'), /^NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE\n/);
  });

  it('serves the sample page from a real container', async () => {
    const { items } = await site.kubectl.json<PodList>('get', 'pods', '-l', 'app.kubernetes.io/name=hello');
    assert.match(await httpGet(`http://${items[0]!.status.podIP}:8080/`), /It runs/);
  });

  it('scales, waits and rolls out', async () => {
    await site.kubectl('scale', 'deployment', 'hello', '--replicas=3');
    await site.kubectl('rollout', 'status', 'deployment/hello', '--timeout=60s');
    await site.kubectl('wait', '--for=condition=Ready', 'pod', '-l', 'app.kubernetes.io/name=hello', '--timeout=60s');
    const { items } = await site.kubectl.json<PodList>('get', 'pods', '-l', 'app.kubernetes.io/name=hello');
    assert.equal(items.length, 3);
    await site.kubectl('scale', 'deployment', 'hello', '--replicas=1');
    await eventually('two pods to be gone', async () => {
      const rest = await site.kubectl.json<PodList>('get', 'pods', '-l', 'app.kubernetes.io/name=hello');
      return rest.items.length === 1;
    });
  });

  it('carries on with the same state after down and up', async () => {
    await site.kubectl('create', 'configmap', 'kept', '--from-literal=a=b');
    const before_ = await site.kubectl.json<PodList>('get', 'pods', '-l', 'app.kubernetes.io/name=hello');
    const { code, stderr } = await site.down();
    assert.equal(code, 0, stderr);
    assert.deepEqual(await tracesOf(...site.marks), []);
    const again = await site.up();
    assert.equal(again.code, 0, `${again.stderr}${await site.logs()}`);
    assert.equal(await site.kubectl('get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}'), 'b');
    const uid = before_.items[0]!.metadata.uid;
    const page = await eventually('the same pod to serve its page again', async () => {
      const { items } = await site.kubectl.json<PodList>('get', 'pods', '-l', 'app.kubernetes.io/name=hello');
      const pod = items.find(({ metadata }) => metadata.uid === uid);
      return pod && (await httpGet(`http://${pod.status.podIP}:8080/`));
    });
    assert.match(page, /It runs/);
  });
});
