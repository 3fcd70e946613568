// What pods ask for that not every node, or not every runtime, has: it is given whole, or the pod is refused.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { seconds } from '@kedge/core/time';
import type { Container, Node, PodSpec } from '@kedge/model/k8s-types';
import { SecurityProfile_ProfileType, SupplementalGroupsPolicy } from '@kedge/wire/cri';
import { EdgedFixture, image } from './edged-fixture.ts';

async function edged(t: TestContext, ...more: Parameters<EdgedFixture['start']>): Promise<EdgedFixture> {
  const fixture = new EdgedFixture();
  await fixture.start(...more);
  t.after(async () => assert.deepEqual(await fixture.stop(), []));
  return fixture;
}

const main = (more: Partial<Container>): Container => ({ name: 'main', image, command: ['serve'], ...more });
const sandboxes = (site: EdgedFixture) => [...site.fake.sandboxes.values()];

async function refusal(site: EdgedFixture, spec: Partial<PodSpec>): Promise<string> {
  site.put('wants', spec);
  await site.pass(seconds(1));
  const { phase, reason, message } = site.statuses.get('wants') ?? {};
  assert.equal(phase, 'Failed', 'the pod is refused');
  return `${reason}: ${message}`;
}

describe('a host name with its domain', () => {
  const named = (hostname: string) => ({ hostname, subdomain: 'sub', setHostnameAsFQDN: true });

  test('is the name of the pod', async (t) => {
    const site = await edged(t);
    site.put('web', named('host'));
    await site.pass(seconds(1));
    const [sandbox] = site.fake.sandboxes.values();
    assert.equal(sandbox?.config.hostname, 'host.sub.default.svc.cluster.local');
  });

  test('that is longer than the kernel takes is told, and no sandbox is tried with it', async (t) => {
    const site = await edged(t);
    site.put('web', named('h'.repeat(40)));
    await site.pass(seconds(5));
    const event = site.events.find(({ reason }) => reason === 'FailedCreatePodSandBox');
    assert.match(event?.message ?? '', /setHostnameAsFQDN: ".*" has 70 characters, and a host name at most 64/);
    assert.equal(site.fake.calls.get('runPodSandbox') ?? 0, 0);
    assert.equal(site.statuses.get('web')?.phase, 'Pending');
  });
});

describe('what Kubernetes has had since later than this kubelet', () => {
  const later: [string, object][] = [
    ['hostnameOverride', { hostnameOverride: 'other' }],
    ['stopSignal', { containers: [main({ lifecycle: { stopSignal: 'SIGQUIT' } as object })] }],
    ['restartPolicyRules', { containers: [main({ restartPolicyRules: [] } as object)] }],
    ['a restart policy of its own', { containers: [main({ restartPolicy: 'OnFailure' })] }],
    [
      'a restart policy other than Always',
      { initContainers: [main({ name: 'init', restartPolicy: 'Never' })], containers: [main({})] },
    ],
  ];
  for (const [what, spec] of later) {
    test(`is refused and named, not left out: ${what}`, async (t) => {
      const site = await edged(t);
      const said = await refusal(site, spec);
      assert.match(said, /^UnsupportedFeature: This node does not support: /);
      assert.ok(said.includes(what), said);
      assert.ok(site.reasons().includes('UnsupportedFeature'));
    });
  }
});

describe('sysctls', () => {
  const sysctls = (...names: string[]) => ({
    securityContext: { sysctls: names.map((name) => ({ name, value: '1' })) },
  });

  test('that reach beyond a pod are refused', async (t) => {
    const site = await edged(t);
    const said = await refusal(site, sysctls('kernel.msgmax'));
    assert.equal(said, 'SysctlForbidden: forbidden sysctl: "kernel.msgmax" not allowlisted');
  });

  test('are set where the administrator allows them', async (t) => {
    const site = await edged(t, { allowedUnsafeSysctls: ['kernel.msg*', 'net.core.somaxconn'] });
    site.put('wants', sysctls('kernel.msgmax', 'net/core/somaxconn'));
    await site.pass(seconds(1));
    assert.deepEqual(sandboxes(site)[0]?.config.linux?.sysctls, { 'kernel.msgmax': '1', 'net/core/somaxconn': '1' });
  });

  test("of a namespace that is the host's are refused", async (t) => {
    const site = await edged(t);
    const said = await refusal(site, { hostNetwork: true, ...sysctls('net.ipv4.tcp_syncookies') });
    assert.match(said, /not allowed with host net enabled/);
  });
});

describe('AppArmor', () => {
  const byAnnotation = (value: string) => ({
    annotations: { 'container.apparmor.security.beta.kubernetes.io/main': value },
  });
  const asked = (site: EdgedFixture, name: string) =>
    [...site.fake.containers.values()].find(
      ({ sandboxId }) => site.fake.sandboxes.get(sandboxId)?.config.metadata?.name === name,
    )?.config.linux?.securityContext?.apparmor;

  for (const type of ['RuntimeDefault', 'Localhost'])
    test(`a profile (${type}) is refused where the kernel has none`, async (t) => {
      const site = await edged(t);
      const said = await refusal(site, { securityContext: { appArmorProfile: { type, localhostProfile: 'own' } } });
      assert.match(said, /^AppArmor: Cannot enforce AppArmor: AppArmor is not enabled on the host; /);
      assert.ok(site.reasons().includes('AppArmor'));
    });

  test('no profile, and Unconfined, run anywhere', async (t) => {
    const site = await edged(t);
    site.put('none', {});
    site.put('unconfined', { securityContext: { appArmorProfile: { type: 'Unconfined' } } });
    site.put('old', {}, byAnnotation('unconfined'));
    await site.pass(seconds(1));
    assert.deepEqual(
      ['none', 'unconfined', 'old'].map((name) => site.statuses.get(name)?.phase),
      ['Running', 'Running', 'Running'],
    );
  });

  test('profiles of the container, of the pod and of the annotation are handed over, in this order', async (t) => {
    const site = await edged(t);
    site.hasAppArmor = true;
    const ofPod = { securityContext: { appArmorProfile: { type: 'Localhost', localhostProfile: 'of-pod' } } };
    site.put('container', {
      ...ofPod,
      containers: [main({ securityContext: { appArmorProfile: { type: 'RuntimeDefault' } } })],
    });
    site.put('pod', ofPod, byAnnotation('runtime/default'));
    site.put('old', {}, byAnnotation('localhost/of-annotation'));
    await site.pass(seconds(1));
    assert.deepEqual(
      ['container', 'pod', 'old'].map((name) => asked(site, name)),
      [
        { profileType: SecurityProfile_ProfileType.RuntimeDefault },
        { profileType: SecurityProfile_ProfileType.Localhost, localhostRef: 'of-pod' },
        { profileType: SecurityProfile_ProfileType.Localhost, localhostRef: 'of-annotation' },
      ],
    );
  });
});

describe('a runtime class', () => {
  test('is what the sandbox is made with', async (t) => {
    const site = await edged(t);
    site.fake.handlers.set('runsc', { recursiveReadOnlyMounts: false, userNamespaces: false });
    site.objects.set('runtimeclass/gvisor', { metadata: { name: 'gvisor' }, handler: 'runsc' });
    site.put('safe', { runtimeClassName: 'gvisor' });
    await site.pass(seconds(1));
    assert.equal(sandboxes(site)[0]?.runtimeHandler, 'runsc');
    assert.equal(site.statuses.get('safe')?.phase, 'Running');
  });

  test('that nobody knows is waited for, and told about', async (t) => {
    const site = await edged(t);
    site.put('safe', { runtimeClassName: 'gvisor' });
    await site.pass(seconds(1));
    assert.ok(site.reasons().includes('FailedCreatePodSandBox'));
    const told = site.events.find(({ reason }) => reason === 'FailedCreatePodSandBox');
    assert.match(told?.message ?? '', /RuntimeClass "gvisor": not found/);
    site.fake.handlers.set('runsc', { recursiveReadOnlyMounts: false, userNamespaces: false });
    site.objects.set('runtimeclass/gvisor', { metadata: { name: 'gvisor' }, handler: 'runsc' });
    await site.pass(seconds(30));
    assert.equal(site.statuses.get('safe')?.phase, 'Running');
  });
});

describe('users of its own', () => {
  test('are refused where the runtime has none', async (t) => {
    const site = await edged(t);
    assert.match(await refusal(site, { hostUsers: false }), /The container runtime .* hostUsers: false/);
  });

  test('are another range for each pod, the same for all its containers and mounts, and stay', async (t) => {
    const site = await edged(t);
    site.fake.handlers.set('', { recursiveReadOnlyMounts: false, userNamespaces: true });
    const volumeMounts = [{ name: 'data', mountPath: '/data' }];
    site.put('one', {
      hostUsers: false,
      volumes: [{ name: 'data', emptyDir: {} }],
      containers: [main({ volumeMounts })],
    });
    site.put('two', { hostUsers: false });
    await site.pass(seconds(1));
    const ranges = sandboxes(site).map(
      ({ config }) => config.linux?.securityContext?.namespaceOptions?.usernsOptions?.uids?.[0]?.hostId,
    );
    assert.deepEqual(new Set(ranges), new Set([65_536, 131_072]));
    const container = [...site.fake.containers.values()].find(({ config }) => (config.mounts?.length ?? 0) > 2);
    const mapping = container?.config.linux?.securityContext?.namespaceOptions?.usernsOptions?.gids;
    for (const mount of container?.config.mounts ?? []) assert.deepEqual(mount.uidMappings, mapping);
    const first = ranges[sandboxes(site).findIndex(({ config }) => config.metadata?.name === 'one')];
    await site.stop();
    site.fake.loseEverything();
    await site.start();
    await site.pass(seconds(5));
    const again = sandboxes(site).find(({ config }) => config.metadata?.name === 'one');
    assert.equal(again?.config.linux?.securityContext?.namespaceOptions?.usernsOptions?.uids?.[0]?.hostId, first);
  });
});

describe('mounts that are read-only all the way down', () => {
  const withMount = (recursiveReadOnly: string): Partial<PodSpec> => ({
    volumes: [{ name: 'data', emptyDir: {} }],
    containers: [main({ volumeMounts: [{ name: 'data', mountPath: '/data', readOnly: true, recursiveReadOnly }] })],
  });
  const isRecursive = (site: EdgedFixture) =>
    site.fake.container('main')?.config.mounts?.find(({ containerPath }) => containerPath === '/data')
      ?.recursiveReadOnly;

  test('are refused where the runtime cannot, unless only if possible', async (t) => {
    const site = await edged(t);
    assert.match(await refusal(site, withMount('Enabled')), /recursiveReadOnly mounts \(container "main"\)/);
    site.put('tries', withMount('IfPossible'));
    await site.pass(seconds(1));
    assert.equal(isRecursive(site), false);
  });

  test('are had where it can', async (t) => {
    const site = await edged(t);
    site.fake.handlers.set('', { recursiveReadOnlyMounts: true, userNamespaces: false });
    site.put('wants', withMount('Enabled'));
    await site.pass(seconds(1));
    assert.equal(isRecursive(site), true);
  });
});

describe('an image as a volume', () => {
  const spec: Partial<PodSpec> = {
    volumes: [{ name: 'model', image: { reference: 'docker.io/library/model:1' } }],
    containers: [main({ volumeMounts: [{ name: 'model', mountPath: '/model' }] })],
  };

  test('is pulled and mounted read-only', async (t) => {
    const site = await edged(t);
    site.fake.registry.add('docker.io/library/model:1');
    site.put('infers', spec);
    await site.pass(seconds(1));
    assert.equal(site.statuses.get('infers')?.phase, 'Running');
    const mount = site.fake.container('main')?.config.mounts?.find(({ containerPath }) => containerPath === '/model');
    assert.match(mount?.image?.image ?? '', /^sha256:/);
    assert.equal(mount?.readonly, true);
  });

  test('that cannot be pulled keeps the container waiting with the reason', async (t) => {
    const site = await edged(t);
    site.put('infers', spec);
    await site.pass(seconds(1));
    assert.equal(site.state('infers'), 'ImagePullBackOff');
  });
});

describe('huge pages', () => {
  test('are shown by the node, limited for the container and mounted for the pod', async (t) => {
    const site = new EdgedFixture();
    site.hugePages = new Map([
      [2 * 1_024 ** 2, 64],
      [1_024 ** 3, 0],
    ]);
    await site.start();
    t.after(() => site.stop());
    const { capacity, allocatable } = (site.cloud.objects.get('node/edge-1') as Node).status ?? {};
    assert.deepEqual([capacity?.['hugepages-2Mi'], capacity?.['hugepages-1Gi']], ['128Mi', '0']);
    assert.equal(allocatable?.['memory'], `${4 * 1_024 ** 2 - 128 * 1_024 - 100 * 1_024}Ki`);
    const resources = { limits: { 'hugepages-2Mi': '16Mi', memory: '64Mi' } };
    site.put('dpdk', {
      volumes: [{ name: 'pages', emptyDir: { medium: 'HugePages' } }],
      containers: [main({ resources, volumeMounts: [{ name: 'pages', mountPath: '/hugepages' }] })],
    });
    await site.pass(seconds(1));
    assert.deepEqual(site.fake.container('main')?.config.linux?.resources?.hugepageLimits, [
      { pageSize: '2MB', limit: 16n * 1_024n ** 2n },
    ]);
    assert.ok([...site.mounted].some((path) => path.endsWith('empty-dir/pages')));
  });
});

describe('confinement', () => {
  test('without a profile is none, or that of the runtime where the node says so', async (t) => {
    const site = await edged(t, { seccompDefault: true });
    site.put('web', { containers: [main({ securityContext: { procMount: 'Unmasked' } })] });
    await site.pass(seconds(1));
    const security = site.fake.container('main')?.config.linux?.securityContext;
    assert.equal(security?.seccomp?.profileType, 0, 'RuntimeDefault');
    assert.deepEqual([security?.maskedPaths, security?.readonlyPaths], [undefined, undefined]);
  });

  test('by SELinux is handed to the runtime: of the pod for its sandbox and its containers, unless one says otherwise', async (t) => {
    const site = await edged(t);
    site.put('web', {
      securityContext: { seLinuxOptions: { level: 's0:c1', type: 'pod_t' } },
      containers: [main({}), main({ name: 'own', securityContext: { seLinuxOptions: { type: 'own_t' } } })],
    });
    await site.pass(seconds(1));
    const of = (name: string) => site.fake.container(name)?.config.linux?.securityContext?.selinuxOptions;
    assert.deepEqual(sandboxes(site)[0]?.config.linux?.securityContext?.selinuxOptions, {
      level: 's0:c1',
      type: 'pod_t',
    });
    assert.deepEqual([of('main'), of('own')], [{ level: 's0:c1', type: 'pod_t' }, { type: 'own_t' }]);
  });

  test('of mounts is private, or as the container says', async (t) => {
    const site = await edged(t);
    const mount = (name: string, mountPropagation?: string) => ({
      name,
      mountPath: `/${name}`,
      ...(mountPropagation === undefined ? {} : { mountPropagation }),
    });
    site.put('web', {
      volumes: ['a', 'b', 'c'].map((name) => ({ name, hostPath: { path: '/data' } })),
      containers: [
        main({
          securityContext: { privileged: true },
          volumeMounts: [mount('a'), mount('b', 'HostToContainer'), mount('c', 'Bidirectional')],
        }),
      ],
    });
    await site.pass(seconds(1));
    const mounts = site.fake.container('main')?.config.mounts ?? [];
    const of = (path: string) => mounts.find(({ containerPath }) => containerPath === path)?.propagation;
    assert.deepEqual(['/a', '/b', '/c'].map(of), [0, 1, 2]);
  });

  test('by groups of the pod alone is refused where the runtime adds those of the image', async (t) => {
    const site = await edged(t);
    const strict = { securityContext: { supplementalGroupsPolicy: 'Strict' } };
    assert.match(await refusal(site, strict), /supplementalGroupsPolicy Strict/);
    site.fake.hasStrictGroups = true;
    site.put('strict', strict);
    await site.pass(seconds(1));
    const { supplementalGroupsPolicy } = site.fake.container('main')?.config.linux?.securityContext ?? {};
    assert.equal(supplementalGroupsPolicy, SupplementalGroupsPolicy.Strict);
  });
});

describe('a node that is full', () => {
  const cpu = (amount: string, more: Partial<PodSpec> = {}): Partial<PodSpec> => ({
    containers: [main({ resources: { requests: { cpu: amount } } })],
    ...more,
  });

  test('refuses what it has no room for, also after a restart, and takes it when there is room', async (t) => {
    const site = await edged(t, { reserved: { cpuMillis: 1_000, memoryBytes: 0, diskBytes: 0 } });
    assert.equal((site.cloud.objects.get('node/edge-1') as Node).status?.allocatable?.['cpu'], '3');
    site.put('first', cpu('2'));
    await site.pass(seconds(1));
    await site.stop();
    await site.start({ reserved: { cpuMillis: 1_000, memoryBytes: 0, diskBytes: 0 } });
    await site.pass(seconds(1));
    assert.match(await refusal(site, cpu('1500m')), /^OutOfcpu: Pod was rejected: .* used: 2000, capacity: 3000$/);
    site.markDeleted('first', 1);
    await site.pass(seconds(3));
    site.forget('first');
    site.put('second', cpu('1500m'));
    await site.pass(seconds(1));
    assert.equal(site.statuses.get('second')?.phase, 'Running');
  });

  test('takes one of two that come at once', async (t) => {
    const site = await edged(t);
    site.put('one', cpu('3'));
    site.put('two', cpu('3'));
    await site.pass(seconds(1));
    assert.deepEqual(['one', 'two'].map((name) => site.statuses.get(name)?.phase).toSorted(), ['Failed', 'Running']);
  });

  test('ends others for a pod that the system needs, and starts it when they have ended', async (t) => {
    const site = await edged(t);
    site.put('modest', cpu('1'));
    site.put('large', cpu('3'));
    await site.pass(seconds(1));
    site.put('agent', cpu('2', { priority: 2_000_001_000 }));
    await site.pass(seconds(5));
    assert.equal(site.statuses.get('agent')?.phase, 'Running');
    assert.equal(site.statuses.get('modest')?.phase, 'Running');
    const { phase, reason, conditions } = site.statuses.get('large') ?? {};
    assert.deepEqual([phase, reason], ['Failed', 'Preempting']);
    assert.equal(conditions?.find(({ type }) => type === 'DisruptionTarget')?.reason, 'TerminationByKubelet');
    assert.ok(site.reasons().includes('Preempting'));
  });

  test('takes a pod by labels that the cloud has, as it has them now', async (t) => {
    const site = await edged(t);
    const known = site.cloud.objects.get('node/edge-1') as Node;
    site.cloud.objects.set('node/edge-1', { ...known, metadata: { ...known.metadata, labels: { line: '3' } } });
    site.put('here', { nodeSelector: { line: '3' } });
    await site.pass(seconds(1));
    assert.equal(site.statuses.get('here')?.phase, 'Running');
    assert.match(await refusal(site, { nodeSelector: { line: '4' } }), /^NodeAffinity: /);
  });
});

describe("a pod's own cgroup", () => {
  test('is limited to what its containers may use together, and that of its class', async (t) => {
    const site = await edged(t, { podPidsLimit: 200 });
    const resources = { requests: { cpu: '250m', memory: '32Mi' }, limits: { cpu: '500m', memory: '64Mi' } };
    site.put('web', {
      containers: [main({ resources }), main({ name: 'side', resources })],
      overhead: { memory: '8Mi' },
    });
    await site.pass(seconds(1));
    assert.deepEqual(site.cgroupLimits.get('/kedge/burstable/poduid-web'), {
      cpuShares: 512,
      cpuQuota: 100_000,
      memoryBytes: 136 * 1_024 ** 2,
      processes: 200,
    });
    assert.deepEqual(site.cgroupLimits.get('/kedge/burstable'), { cpuShares: 512 });
    site.put('idle', {});
    await site.pass(seconds(1));
    assert.deepEqual(site.cgroupLimits.get('/kedge/besteffort'), { cpuShares: 2 });
  });

  test('is limited to what the pod says for itself as a whole', async (t) => {
    const site = await edged(t);
    const whole = { cpu: '1', memory: '100Mi' };
    site.put('web', { resources: { requests: whole, limits: whole } });
    await site.pass(seconds(1));
    assert.deepEqual(site.cgroupLimits.get('/kedge/poduid-web'), {
      cpuShares: 1_024,
      cpuQuota: 100_000,
      memoryBytes: 100 * 1_024 ** 2,
    });
    assert.equal(site.statuses.get('web')?.qosClass, 'Guaranteed');
  });

  test('that the kernel refuses keeps the pod waiting, and says why', async (t) => {
    const site = await edged(t);
    site.cgroupsRefuse = true;
    site.put('web', {});
    await site.pass(seconds(1));
    assert.equal(site.state('web'), 'ContainerCreating');
    const told = site.events.find(({ reason }) => reason === 'FailedCreatePodContainer');
    assert.match(told?.message ?? '', /no space left on device/);
    site.cgroupsRefuse = false;
    await site.pass(seconds(30));
    assert.equal(site.statuses.get('web')?.phase, 'Running');
  });
});

describe('a pod whose resources are changed while it runs', () => {
  const sized = (cpu: string, memory: string, resizePolicy: Container['resizePolicy'] = []): Partial<PodSpec> => ({
    containers: [main({ resources: { requests: { cpu, memory }, limits: { cpu, memory } }, resizePolicy })],
  });
  const resize = (site: EdgedFixture, name: string, spec: Partial<PodSpec>): void => {
    const pod = site.pods.get(`uid-${name}`)!;
    site.change({ ...pod, spec: { ...pod.spec!, ...spec } });
  };
  const status = (site: EdgedFixture, name = 'web') => site.statuses.get(name);

  test('gets them without a new start, the pod before the container', async (t) => {
    const site = await edged(t);
    site.put('web', sized('500m', '64Mi'));
    await site.pass(seconds(1));
    const { id } = site.fake.container('main')!;
    resize(site, 'web', sized('1', '128Mi'));
    await site.pass(seconds(1));
    const { resources, state } = site.fake.containers.get(id)!;
    assert.deepEqual(
      [state, resources.cpuQuota, resources.cpuShares, resources.memoryLimitInBytes],
      ['running', 100_000n, 1_024n, BigInt(128 * 1_024 ** 2)],
    );
    assert.equal(site.cgroupLimits.get('/kedge/poduid-web')?.memoryBytes, 128 * 1_024 ** 2);
    const [container] = status(site)?.containerStatuses ?? [];
    assert.deepEqual(container?.resources?.limits, { cpu: '1', memory: '128Mi' });
    assert.deepEqual(container?.allocatedResources, { cpu: '1', memory: '128Mi' });
    assert.deepEqual([container?.restartCount, status(site)?.resize], [0, undefined]);
  });

  test('gets them with a new start where it says so', async (t) => {
    const site = await edged(t);
    const policy = [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }];
    site.put('web', sized('500m', '64Mi', policy));
    await site.pass(seconds(1));
    resize(site, 'web', sized('500m', '128Mi', policy));
    await site.pass(seconds(30));
    assert.equal(status(site)?.containerStatuses?.[0]?.restartCount, 1);
    assert.equal(site.fake.container('main')?.config.linux?.resources?.memoryLimitInBytes, BigInt(128 * 1_024 ** 2));
    assert.equal(status(site)?.resize, undefined);
  });

  test('waits for room, or is told that there will never be any', async (t) => {
    const site = await edged(t);
    site.put('web', sized('1', '64Mi'));
    site.put('other', sized('2', '64Mi'));
    await site.pass(seconds(1));
    resize(site, 'web', sized('3', '64Mi'));
    await site.pass(seconds(1));
    assert.equal(status(site)?.resize, 'Deferred');
    site.markDeleted('other', 1);
    await site.pass(seconds(3));
    site.forget('other');
    await site.pass(seconds(15));
    assert.deepEqual(
      [status(site)?.resize, status(site)?.containerStatuses?.[0]?.resources?.limits?.['cpu']],
      [undefined, '3'],
    );
    resize(site, 'web', sized('9', '64Mi'));
    await site.pass(seconds(15));
    assert.equal(status(site)?.resize, 'Infeasible');
    assert.equal(status(site)?.containerStatuses?.[0]?.resources?.limits?.['cpu'], '3');
  });

  test('is told again what stands in the way when the API has marked the pod anew', async (t) => {
    const site = await edged(t);
    site.put('web', sized('1', '64Mi'));
    await site.pass(seconds(1));
    resize(site, 'web', sized('9', '64Mi'));
    await site.pass(seconds(1));
    assert.equal(status(site)?.resize, 'Infeasible');
    site.statuses.delete('web');
    const pod = site.pods.get('uid-web')!;
    site.change({ ...pod, spec: { ...pod.spec!, ...sized('10', '64Mi') }, status: { resize: 'Proposed' } });
    await site.pass(seconds(1));
    assert.equal(status(site)?.resize, 'Infeasible');
  });

  test('while edged was away gets them when it is back, and keeps them through another restart', async (t) => {
    const site = await edged(t);
    site.put('web', sized('500m', '64Mi'));
    await site.pass(seconds(1));
    const { id } = site.fake.container('main')!;
    await site.stop();
    resize(site, 'web', sized('1', '64Mi'));
    await site.start();
    await site.pass(seconds(5));
    assert.equal(site.fake.containers.get(id)?.resources.cpuQuota, 100_000n);
    await site.stop();
    const steps = site.fake.done.length;
    await site.start();
    await site.pass(seconds(5));
    assert.equal(site.fake.done.length, steps, 'nothing is done again');
  });

  test('is tried again when the runtime does not take them', async (t) => {
    const site = await edged(t);
    site.put('web', sized('500m', '64Mi'));
    await site.pass(seconds(1));
    site.fake.fail('updateContainerResources', 'UNKNOWN', 'device or resource busy');
    resize(site, 'web', sized('1', '64Mi'));
    await site.pass(seconds(1));
    assert.equal(status(site)?.resize, 'InProgress');
    assert.ok(site.reasons().includes('FailedResize'));
    await site.pass(seconds(15));
    assert.equal(status(site)?.resize, undefined);
    assert.equal(site.fake.container('main')?.resources.cpuQuota, 100_000n);
  });
});

describe('DNS', () => {
  test('that a pod does not get is told: of the pod what does not fit, once of the node that the cluster has none', async (t) => {
    const site = await edged(t, { clusterDns: [] });
    site.put('a', { dnsConfig: { nameservers: ['192.0.2.1', '192.0.2.2', '192.0.2.3'] } });
    site.put('b', {});
    await site.pass(seconds(1));
    const told = site.events
      .filter(({ reason }) => reason?.includes('DNS'))
      .map(({ reason, involvedObject }) => `${reason} ${involvedObject?.kind} ${involvedObject?.name}`);
    assert.deepEqual(told.toSorted(), ['DNSConfigForming Pod a', 'MissingClusterDNS Node edge-1']);
  });
});
