// Volumes, environments and probes of pods that edged runs.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { minutes, seconds } from '@kedge/core/time';
import { EdgedFixture, image } from './edged-fixture.ts';

async function edged(
  t: TestContext,
  options?: ConstructorParameters<typeof EdgedFixture>[0],
  prepare: (fixture: EdgedFixture) => void = () => undefined,
): Promise<EdgedFixture> {
  const fixture = new EdgedFixture(options);
  prepare(fixture);
  await fixture.start();
  t.after(async () => {
    assert.deepEqual(await fixture.stop(), []);
    assert.deepEqual(
      fixture.history.filter((line) => line.startsWith('FAILED')),
      [],
    );
  });
  return fixture;
}

const volumes = '/var/lib/kedge/pods/uid-web/volumes';

describe('a volume', () => {
  test('from a ConfigMap has its keys, and follows it', async (t) => {
    const site = await edged(t);
    site.putObject('configmap', 'cm', { a: '1' });
    site.put('web', { volumes: [{ name: 'v', configMap: { name: 'cm' } }] });
    await site.pass(seconds(1));
    const file = `${volumes}/kubernetes.io~configmap/v/a`;
    assert.equal(await site.files.readText(file), '1');
    site.putObject('configmap', 'cm', { a: '2', b: '3' });
    await site.pass(seconds(1));
    assert.equal(await site.files.readText(file), '2');
    assert.equal(site.state('web'), 'running');
  });

  for (const when of ['while its container is being made', 'while it is being refreshed']) {
    test(`shows labels that changed ${when}`, async (t) => {
      let onWrite = (): void => undefined;
      const site = await edged(t, {}, ({ files }) => {
        const { symlink } = files;
        Object.assign(files, { symlink: (...link: Parameters<typeof symlink>) => (onWrite(), symlink(...link)) });
      });
      const items = [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }];
      const relabel = (color: string): void =>
        void site.put('web', { volumes: [{ name: 'v', downwardAPI: { items } }] }, { labels: { color } });
      relabel('red');
      if (when === 'while it is being refreshed') {
        await site.pass(seconds(1));
        relabel('green');
      }
      onWrite = () => {
        onWrite = () => undefined;
        relabel('blue');
      };
      await site.pass(seconds(5));
      const file = `${volumes}/kubernetes.io~downward-api/v/labels`;
      assert.equal(await site.files.readText(file), 'color="blue"');
    });
  }

  test('whose ConfigMap is missing holds the pod until it comes', async (t) => {
    const site = await edged(t);
    site.put('web', { volumes: [{ name: 'v', configMap: { name: 'cm' } }] });
    await site.pass(seconds(20));
    assert.equal(site.state('web'), 'ContainerCreating');
    assert.ok(site.reasons().includes('FailedMount'));
    site.putObject('configmap', 'cm', { a: '1' });
    await site.pass(seconds(1));
    assert.equal(site.state('web'), 'running');
  });

  test('with a token gets a new one before the old one runs out', async (t) => {
    const site = await edged(t);
    const sources = [{ serviceAccountToken: { path: 'token', expirationSeconds: 3_600 } }];
    site.put('web', { volumes: [{ name: 'v', projected: { sources } }] });
    await site.pass(seconds(1));
    const file = `${volumes}/kubernetes.io~projected/v/token`;
    const first = await site.files.readText(file);
    await site.pass(minutes(40));
    assert.equal(await site.files.readText(file), first);
    await site.pass(minutes(15));
    assert.notEqual(await site.files.readText(file), first);
  });

  test('in memory is mounted, one of the host is checked', async (t) => {
    const site = await edged(t);
    await site.files.makeDirectory('/srv/data');
    site.put('web', {
      volumes: [
        { name: 'm', emptyDir: { medium: 'Memory' } },
        { name: 'h', hostPath: { path: '/srv/data', type: 'Directory' } },
      ],
      containers: [{ name: 'main', image, volumeMounts: [{ name: 'h', mountPath: '/data', subPath: 'inner' }] }],
    });
    site.put('bad', { volumes: [{ name: 'h', hostPath: { path: '/srv/none', type: 'Directory' } }] });
    await site.pass(seconds(1));
    assert.ok(site.mounted.has(`${volumes}/kubernetes.io~empty-dir/m`));
    const mount = site.fake.container('main')?.config.mounts?.find(({ containerPath }) => containerPath === '/data');
    // Mounted by what edged has looked at, and not by a name that somebody may have given to something else.
    const target = '/var/lib/kedge/pods/uid-web/volume-subpaths/h/main/0';
    assert.deepEqual([mount?.hostPath, site.bound.get(target)], [target, '/srv/data/inner']);
    assert.equal(site.state('bad'), 'ContainerCreating');
  });

  test('of a group belongs to it', async (t) => {
    const site = await edged(t);
    site.putObject('secret', 's', { key: 'dmFsdWU=' });
    site.put('web', {
      securityContext: { fsGroup: 2_000 },
      volumes: [
        { name: 's', secret: { secretName: 's', defaultMode: 0o400 } },
        { name: 'e', emptyDir: {} },
      ],
    });
    await site.pass(seconds(1));
    const data = await site.files.readLink(`${volumes}/kubernetes.io~secret/s/..data`);
    const file = `${volumes}/kubernetes.io~secret/s/${data}/key`;
    assert.equal((await site.files.info(file))?.mode, 0o440);
    assert.equal(site.files.ownerOf(file)?.gid, 2_000);
    assert.equal(site.files.ownerOf(`${volumes}/kubernetes.io~empty-dir/e`)?.gid, 2_000);
    const groups = site.fake.container('main')?.config.linux?.securityContext?.supplementalGroups;
    assert.deepEqual(groups, [2_000n]);
  });
});

describe('a container', () => {
  test('gets its environment, with its own address in it', async (t) => {
    const site = await edged(t);
    const env = [
      { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'URL', value: 'http://$(IP)' },
    ];
    site.put('web', { containers: [{ name: 'main', image, env, args: ['--at', '$(URL)'] }] });
    await site.pass(seconds(1));
    const ip = [...site.fake.sandboxes.values()][0]?.ip;
    assert.deepEqual(site.fake.container('main')?.config.args, ['--at', `http://${ip}`]);
  });

  test('whose Secret is missing says so, and starts when it comes', async (t) => {
    const site = await edged(t);
    const env = [{ name: 'A', valueFrom: { secretKeyRef: { name: 's', key: 'a' } } }];
    site.put('web', { containers: [{ name: 'main', image, env }] });
    await site.pass(seconds(1));
    assert.equal(site.state('web'), 'CreateContainerConfigError');
    site.putObject('secret', 's', { a: 'MQ==' });
    await site.pass(seconds(1));
    assert.equal(site.state('web'), 'running');
  });

  test('that must not run as root does not', async (t) => {
    const site = await edged(t);
    site.put('web', { securityContext: { runAsNonRoot: true } });
    await site.pass(seconds(1));
    assert.equal(site.state('web'), 'CreateContainerConfigError');
  });

  test('has the resources and the confinement that it asks for', async (t) => {
    const site = await edged(t);
    const resources = { limits: { cpu: '500m', memory: '64Mi' }, requests: { cpu: '250m', memory: '64Mi' } };
    const securityContext = {
      runAsUser: 1_000,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] },
    };
    site.put('web', { containers: [{ name: 'main', image, resources, securityContext }] });
    await site.pass(seconds(1));
    const linux = site.fake.container('main')?.config.linux;
    assert.deepEqual(linux?.resources, {
      cpuPeriod: 100_000n,
      cpuQuota: 50_000n,
      cpuShares: 256n,
      memoryLimitInBytes: 67_108_864n,
      oomScoreAdj: 985n,
    });
    assert.equal(linux?.securityContext?.runAsUser?.value, 1_000n);
    assert.equal(linux?.securityContext?.readonlyRootfs, true);
    assert.equal(linux?.securityContext?.noNewPrivs, true);
    assert.deepEqual(linux?.securityContext?.capabilities, {
      addCapabilities: ['NET_ADMIN'],
      dropCapabilities: ['ALL'],
    });
    assert.equal(site.statuses.get('web')?.qosClass, 'Burstable');
  });
});

describe('a probe', () => {
  const http = { httpGet: { path: '/', port: 80 }, periodSeconds: 5, failureThreshold: 2 };
  const isReady = (site: EdgedFixture) => site.statuses.get('web')?.containerStatuses?.[0]?.ready;

  test('makes a container ready, and unready again', async (t) => {
    const site = await edged(t);
    site.httpStatus = 503;
    site.put('web', { containers: [{ name: 'main', image, readinessProbe: http }] });
    await site.pass(seconds(8));
    assert.equal(isReady(site), false);
    site.httpStatus = 200;
    await site.pass(seconds(6));
    assert.equal(isReady(site), true);
    site.httpStatus = 500;
    await site.pass(seconds(4));
    assert.equal(isReady(site), true, 'one failure is not enough');
    await site.pass(seconds(5));
    assert.equal(isReady(site), false);
    assert.ok(site.reasons().includes('Unhealthy'));
  });

  test('of liveness replaces the container', async (t) => {
    const site = await edged(t);
    site.put('web', { containers: [{ name: 'main', image, livenessProbe: http }] });
    await site.pass(seconds(30));
    site.httpStatus = 500;
    await site.pass(seconds(12));
    site.httpStatus = 200;
    await site.pass(seconds(30));
    assert.equal(site.statuses.get('web')?.containerStatuses?.[0]?.restartCount, 1);
    assert.equal(site.state('web'), 'running');
    assert.ok(site.reasons().includes('Killing'));
  });

  test('by HTTP goes where it is sent on the same host, and is judged by what it finds there', async (t) => {
    const site = await edged(t);
    site.redirects.set('/', '/health?deep=1');
    site.httpStatus = 500;
    site.put('web', { containers: [{ name: 'main', image, readinessProbe: http }] });
    await site.pass(seconds(2));
    assert.match(site.probed.join(' '), /^http:\/\/([^ /]+):80\/ http:\/\/\1:80\/health\?deep=1$/);
    assert.equal(isReady(site), false);
    site.httpStatus = 200;
    await site.pass(seconds(6));
    assert.equal(isReady(site), true);
    assert.ok(!site.reasons().includes('ProbeWarning'));
  });

  for (const [what, location, asks] of [
    ['to another host', 'https://login.example.com/', 1],
    ['in circles', '/', 11],
  ] as const) {
    test(`by HTTP that is sent ${what} counts, with a warning`, async (t) => {
      const site = await edged(t);
      site.redirects.set('/', location);
      site.put('web', { containers: [{ name: 'main', image, readinessProbe: http }] });
      await site.pass(seconds(2));
      assert.equal(isReady(site), true);
      assert.equal(site.probed.length, asks);
      const warning = site.events.find(({ reason }) => reason === 'ProbeWarning');
      assert.match(warning?.message ?? '', /^Readiness probe warning: Probe terminated redirects/);
    });
  }

  test('of startup holds the others back', async (t) => {
    const commands: string[] = [];
    let hasStarted = false;
    const site = await edged(t, {
      exec: (_container, [command = '']) => {
        commands.push(command);
        return { exitCode: command === 'started' && !hasStarted ? 1 : 0 };
      },
    });
    const exec = (command: string) => ({ exec: { command: [command] }, periodSeconds: 2, failureThreshold: 30 });
    site.put('web', {
      containers: [{ name: 'main', image, startupProbe: exec('started'), readinessProbe: exec('ready') }],
    });
    await site.pass(seconds(10));
    assert.equal(isReady(site), false);
    assert.ok(!commands.includes('ready'));
    hasStarted = true;
    await site.pass(seconds(6));
    assert.equal(isReady(site), true);
  });

  test('does not make a container unready because edged was restarted', async (t) => {
    const site = await edged(t);
    const pod = site.put('web', { containers: [{ name: 'main', image, readinessProbe: http }] });
    await site.pass(seconds(8));
    assert.equal(isReady(site), true);
    await site.stop();
    site.change({ ...pod, status: site.statuses.get('web') ?? {} });
    site.history.length = 0;
    await site.start();
    await site.pass(seconds(1));
    assert.equal(isReady(site), true);
  });
});
