// The resize subresource of pods on a real server: what it changes, what it refuses, and who is asked.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { KubeApi } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';
import type { Pod, ResourceQuota, ResourceRequirements } from '@kedge/model/k8s-types';
import { refusal } from './refusal.ts';
import { type OpenServer, openTestServer } from './test-server.ts';

const core = (resource: string) => ({ group: '', version: 'v1', resource });
const pods = core('pods');

let running: OpenServer;
let api: KubeApi;
before(async () => {
  running = await openTestServer('resize');
  ({ api } = running);
});
after(() => running.stop());

const sized = (requests: string, limits = '1'): ResourceRequirements => ({
  requests: { cpu: requests, memory: '32Mi' },
  limits: { cpu: limits, memory: '64Mi' },
});
const containers = (resources: ResourceRequirements) => [{ name: 'main', image: 'busybox:1', resources }];

async function namespaceWithPod(namespace: string, ...more: [resource: string, KubeObject][]) {
  await api.create(core('namespaces'), undefined, { metadata: { name: namespace } });
  await api.create(core('serviceaccounts'), namespace, { metadata: { name: 'default' } }).catch(() => undefined);
  for (const [resource, object] of more) await api.create(core(resource), namespace, object);
  await api.create(pods, namespace, { metadata: { name: 'web' }, spec: { containers: containers(sized('100m')) } });
  const target = { namespace, name: 'web' };
  const patch = (spec: object, subresource: string | undefined = 'resize') =>
    api.patch(pods, { ...target, ...(subresource ? { subresource } : {}) }, 'strategic', JSON.stringify({ spec }));
  return {
    target,
    patch,
    resize: (resources: ResourceRequirements) => patch({ containers: [{ name: 'main', resources }] }),
    get: async (): Promise<Pod> => (await api.get(pods, target)) as unknown as Pod,
  };
}

test('discovery and OpenAPI name it', async () => {
  const read = async (path: string): Promise<string> => {
    const response = await running.admin.request({ method: 'GET', url: running.url(path) });
    return response.text();
  };
  assert.match(await read('/api/v1'), /"name":"pods\/resize"/);
  assert.match(await read('/openapi/v3/api/v1'), /pods\/\{name\}\/resize/);
});

test('a pod gets other resources there, and nothing else', async () => {
  const web = await namespaceWithPod('taken');
  const answer = (await web.patch({
    hostNetwork: true,
    containers: [{ name: 'main', image: 'other:1', resources: { requests: { cpu: '200m' } } }],
  })) as unknown as Pod;
  assert.deepEqual(answer.spec!.containers[0]!.resources, sized('200m'));
  const { spec, status } = await web.get();
  assert.deepEqual(spec!.containers[0]!.resources, sized('200m'));
  assert.deepEqual([spec!.containers[0]!.image, spec!.hostNetwork], ['busybox:1', undefined]);
  assert.equal(status!.resize, 'Proposed');

  const read = (await api.get(pods, { ...web.target, subresource: 'resize' })) as unknown as Pod;
  read.spec!.containers[0]!.resources = sized('300m');
  await api.update(pods, read as unknown as KubeObject, { subresource: 'resize' });
  assert.deepEqual((await web.get()).spec!.containers[0]!.resources, sized('300m'));
  const { code } = await refusal(api.update(pods, read as unknown as KubeObject, { subresource: 'resize' }));
  assert.equal(code, 409, 'what was read is outdated by now');
});

test('the node says through the status how far it is', async () => {
  const web = await namespaceWithPod('told');
  await web.resize(sized('200m'));
  const of = { name: 'main', allocatedResources: { cpu: '200m' }, resources: sized('200m') };
  const told = { resize: 'InProgress', containerStatuses: [of] };
  const report = (status: object) =>
    api.patch(pods, { ...web.target, subresource: 'status' }, 'strategic', JSON.stringify({ status }));
  await report(told);
  const { status } = await web.get();
  assert.equal(status!.resize, 'InProgress');
  assert.deepEqual(status!.containerStatuses![0]!.resources, sized('200m'));
  assert.deepEqual(status!.containerStatuses![0]!.allocatedResources, { cpu: '200m' });
  await report({ resize: null });
  assert.equal((await web.get()).status!.resize, undefined);
});

test('what may not change is refused with its cause', async () => {
  const web = await namespaceWithPod('refused');
  const says = async (run: Promise<unknown>, message: RegExp): Promise<void> => {
    const status = await refusal(run);
    assert.equal(status.code, 422);
    assert.match(status.message!, message);
  };
  await says(
    web.resize({ requests: { cpu: '1', memory: '64Mi' } }),
    /^Pod "web" is invalid: spec: Invalid value: "Guaranteed": Pod QOS Class may not change as a result of resizing$/,
  );
  await says(web.resize({ requests: { cpu: '2' } }), /must be less than or equal to cpu limit of 1/);
  const gone = '{"spec":{"containers":[{"name":"main","resources":{"limits":{"cpu":null}}}]}}';
  await says(
    api.patch(pods, { ...web.target, subresource: 'resize' }, 'strategic', gone),
    /spec.containers\[0\].resources.limits: Forbidden: resource limits cannot be removed/,
  );
  await says(web.patch({ containers: containers(sized('200m')) }, ''), /pod updates may not change fields other than/);
  assert.deepEqual((await web.get()).spec!.containers[0]!.resources, sized('100m'));
});

test('quotas are charged and limit ranges are asked', async () => {
  const web = await namespaceWithPod(
    'limited',
    ['limitranges', { metadata: { name: 'few' }, spec: { limits: [{ type: 'Container', max: { cpu: '2' } }] } }],
    ['resourcequotas', { metadata: { name: 'few' }, spec: { hard: { 'requests.cpu': '500m' } } }],
  );
  const used = async (): Promise<string | undefined> => {
    const quota = await api.get(core('resourcequotas'), { namespace: 'limited', name: 'few' });
    return (quota as unknown as ResourceQuota).status?.used?.['requests.cpu'];
  };
  await web.resize(sized('400m'));
  assert.equal(await used(), '400m');
  const over = await refusal(web.resize(sized('600m')));
  assert.equal(over.code, 403);
  assert.match(over.message!, /exceeded quota: few, requested: requests.cpu=200m, used: requests.cpu=400m/);
  const large = await refusal(web.resize(sized('400m', '3')));
  assert.equal(large.code, 403);
  assert.match(large.message!, /maximum cpu usage per Container is 2, but limit is 3/);
});

test('it takes a permission of its own', async () => {
  const web = await namespaceWithPod('permitted');
  await api.create({ group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'roles' }, 'permitted', {
    metadata: { name: 'resizer' },
    rules: [{ apiGroups: [''], resources: ['pods/resize'], verbs: ['patch'] }],
  });
  await api.create({ group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'rolebindings' }, 'permitted', {
    metadata: { name: 'ann' },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'ann' }],
    roleRef: { kind: 'Role', apiGroup: 'rbac.authorization.k8s.io', name: 'resizer' },
  });
  const may = async (subresource: string): Promise<unknown> => {
    const review = await api.create(
      { group: 'authorization.k8s.io', version: 'v1', resource: 'subjectaccessreviews' },
      undefined,
      {
        metadata: {},
        spec: {
          user: 'ann',
          resourceAttributes: { namespace: 'permitted', verb: 'patch', resource: 'pods', subresource, name: 'web' },
        },
      },
    );
    return (review['status'] as { allowed: boolean }).allowed;
  };
  assert.deepEqual([await may('resize'), await may('')], [true, false]);
  assert.equal((await web.get()).status!.resize, undefined);
});
