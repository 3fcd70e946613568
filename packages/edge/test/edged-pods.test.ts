// Pods from wanted to removed, as edged runs them.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { minutes, seconds } from '@kedge/core/time';
import { EdgedFixture, image } from './edged-fixture.ts';

async function edged(t: TestContext, ...options: ConstructorParameters<typeof EdgedFixture>): Promise<EdgedFixture> {
  const fixture = new EdgedFixture(...options);
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

describe('a pod', () => {
  test('is run, and its status says so', async (t) => {
    const site = await edged(t);
    site.put('web', {});
    await site.pass(seconds(1));
    assert.deepEqual(site.fake.running, ['main']);
    assert.equal(site.statuses.get('web')?.phase, 'Running');
    assert.equal(site.statuses.get('web')?.podIP, [...site.fake.sandboxes.values()][0]?.ip);
    assert.deepEqual(site.reasons(), ['Pulled', 'Created', 'Started']);
  });

  test('that is left alone costs neither calls nor statuses', async (t) => {
    const site = await edged(t);
    site.put('web', {});
    await site.pass(seconds(30));
    const [statuses, steps] = [site.history.length, site.fake.done.length];
    await site.pass(minutes(10));
    assert.equal(site.history.length, statuses);
    assert.equal(site.fake.done.length, steps);
  });

  test('has the folder of its log before its container, which some runtimes expect', async (t) => {
    const site = await edged(t);
    site.put('web', {});
    await site.pass(seconds(1));
    const folder = '/var/log/pods/default_web_uid-web/main';
    assert.equal((await site.files.info(folder))?.kind, 'directory');
    assert.equal([...site.fake.containers.values()][0]?.config.logPath, 'main/0.log');
  });

  test('gets its hosts file, resolver and labels', async (t) => {
    const site = await edged(t);
    site.put('web', { hostAliases: [{ ip: '192.0.2.9', hostnames: ['printer'] }] }, { labels: { app: 'a' } });
    await site.pass(seconds(1));
    const [sandbox] = [...site.fake.sandboxes.values()];
    const hosts = await site.files.readText('/var/lib/kedge/pods/uid-web/etc-hosts');
    assert.match(hosts ?? '', new RegExp(`^${sandbox?.ip}\tweb$`, 'm'));
    assert.match(hosts ?? '', /^192\.0\.2\.9\tprinter$/m);
    assert.deepEqual(sandbox?.config.dnsConfig?.servers, ['10.96.0.10']);
    assert.deepEqual(sandbox?.config.dnsConfig?.searches?.slice(0, 2), [
      'default.svc.cluster.local',
      'svc.cluster.local',
    ]);
    assert.equal(sandbox?.config.labels?.['app'], 'a');
    assert.equal(sandbox?.config.labels?.['kedge.io/site'], 'edge-1');
    assert.equal(sandbox?.config.linux?.cgroupParent, '/kedge/besteffort/poduid-web');
  });

  test('that ends for good has succeeded, and its sandbox is stopped', async (t) => {
    const site = await edged(t);
    site.put('job', { restartPolicy: 'Never' });
    await site.pass(seconds(1));
    site.fake.exit('main', 0);
    await site.pass(seconds(2));
    assert.equal(site.statuses.get('job')?.phase, 'Succeeded');
    assert.ok([...site.fake.sandboxes.values()].every(({ isReady }) => !isReady));
  });

  test('runs its init containers one after the other', async (t) => {
    const site = await edged(t);
    const init = (name: string) => ({ name, image, command: ['work'] });
    site.put('web', { initContainers: [init('one'), init('two')] });
    await site.pass(seconds(1));
    assert.deepEqual(site.fake.running, ['one']);
    assert.equal(site.state('web'), 'PodInitializing');
    site.fake.exit('one', 0);
    await site.pass(seconds(1));
    assert.deepEqual(site.fake.running, ['two']);
    site.fake.exit('two', 0);
    await site.pass(seconds(1));
    assert.deepEqual(site.fake.running, ['main']);
    assert.equal(site.statuses.get('web')?.phase, 'Running');
  });

  test('with a feature that is not supported is refused and says why', async (t) => {
    const site = await edged(t);
    site.put('db', { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'c' } }] });
    await site.pass(seconds(1));
    assert.deepEqual(site.fake.running, []);
    assert.equal(site.statuses.get('db')?.phase, 'Failed');
    assert.equal(site.statuses.get('db')?.reason, 'UnsupportedFeature');
    assert.equal(site.statuses.get('db')?.containerStatuses, undefined);
    assert.match(site.statuses.get('db')?.message ?? '', /persistentVolumeClaim volumes \("data"\)/);
    assert.deepEqual(site.reasons(), ['UnsupportedFeature']);
  });

  test('with names that lead elsewhere touches nothing', async (t) => {
    const site = await edged(t);
    await site.files.append('/var/lib/kedge/kept', 'x');
    for (const uid of ['', '..', '../..', 'a/../../..']) site.put('evil', {}, { uid });
    site.put('web', { containers: [{ name: '../../../../etc', image }] });
    await site.pass(seconds(2));
    assert.equal(await site.files.readText('/var/lib/kedge/kept'), 'x');
    assert.equal(site.statuses.get('web')?.reason, 'InvalidPod');
    assert.equal(site.fake.sandboxes.size, 0);
  });

  test('that is given an ephemeral container starts it once, in sight of the one it is to look into', async (t) => {
    const site = await edged(t);
    const pod = site.put('web', {});
    await site.pass(seconds(1));
    const debug = { name: 'debug', image, command: ['serve'], targetContainerName: 'main' };
    site.change({ ...pod, spec: { ...pod.spec!, ephemeralContainers: [debug] } });
    await site.pass(seconds(1));
    assert.deepEqual(site.fake.running, ['main', 'debug']);
    const { namespaceOptions } = site.fake.container('debug')?.config.linux?.securityContext ?? {};
    assert.equal(namespaceOptions?.targetId, site.fake.container('main')?.id);
    const shown = () => site.statuses.get('web')?.ephemeralContainerStatuses?.[0];
    assert.match(shown()?.containerID ?? '', /^fake:\/\//);
    assert.ok(shown()?.state?.running);
    site.fake.exit('debug', 3);
    await site.pass(minutes(10));
    assert.deepEqual(site.fake.running, ['main']);
    assert.equal(shown()?.state?.terminated?.exitCode, 3);
    assert.equal(site.statuses.get('web')?.phase, 'Running');
    await site.stop();
    await site.start();
    await site.pass(minutes(1));
    assert.deepEqual(site.fake.running, ['main']);
  });

  test('whose ephemeral container looks for one that is not there says so and waits for it', async (t) => {
    const site = await edged(t);
    const pod = site.put('web', {});
    await site.pass(seconds(1));
    const debug = { name: 'debug', image, command: ['serve'], targetContainerName: 'other' };
    site.change({ ...pod, spec: { ...pod.spec!, ephemeralContainers: [debug] } });
    await site.pass(seconds(5));
    const waiting = site.statuses.get('web')?.ephemeralContainerStatuses?.[0]?.state?.waiting;
    assert.equal(waiting?.reason, 'CreateContainerConfigError');
    assert.match(waiting?.message ?? '', /the container "other" that it looks into does not run/);
    assert.deepEqual(site.fake.running, ['main']);
  });

  test('with a gRPC probe is ready when the service says that it serves', async (t) => {
    const site = await edged(t);
    let status = 2;
    site.servingStatus = (service) => (service === 'shop' ? status : 1);
    const readinessProbe = { grpc: { port: 9_000, service: 'shop' }, periodSeconds: 1 };
    site.put('shop', { containers: [{ name: 'main', image, command: ['serve'], readinessProbe }] });
    await site.pass(seconds(3));
    assert.equal(site.statuses.get('shop')?.containerStatuses?.[0]?.ready, false);
    assert.ok(
      site.events.some(({ message }) => /service unhealthy \(responded with "NOT_SERVING"\)/.test(message ?? '')),
    );
    status = 1;
    await site.pass(seconds(3));
    assert.equal(site.statuses.get('shop')?.containerStatuses?.[0]?.ready, true);
  });

  test('that is past its deadline fails', async (t) => {
    const site = await edged(t);
    site.put('slow', { activeDeadlineSeconds: 60 });
    await site.pass(seconds(30));
    assert.deepEqual(site.fake.running, ['main']);
    await site.pass(seconds(40));
    assert.deepEqual(site.fake.running, []);
    assert.equal(site.statuses.get('slow')?.reason, 'DeadlineExceeded');
  });
});

describe('a container that crashes', () => {
  test('is started again with growing waits, and its status counts', async (t) => {
    const site = await edged(t);
    site.put('web', { containers: [{ name: 'main', image, command: ['sh', '-c', 'exit 3'] }] });
    await site.pass(seconds(5));
    assert.equal(site.state('web'), 'CrashLoopBackOff');
    const count = () => site.statuses.get('web')?.containerStatuses?.[0]?.restartCount;
    assert.equal(count(), 1);
    await site.pass(seconds(10));
    assert.equal(count(), 2);
    await site.pass(minutes(30));
    const afterHalfAnHour = count() ?? 0;
    await site.pass(minutes(30));
    assert.equal((count() ?? 0) - afterHalfAnHour, 6);
    assert.ok(site.fake.containers.size <= 2, 'old containers are removed');
  });

  test('keeps its waits when edged is restarted', async (t) => {
    const site = await edged(t);
    site.put('web', { containers: [{ name: 'main', image, command: ['sh', '-c', 'exit 3'] }] });
    await site.pass(seconds(50));
    const restarts = () => site.statuses.get('web')?.containerStatuses?.[0]?.restartCount;
    const before = restarts();
    await site.stop();
    await site.start();
    await site.pass(seconds(10));
    assert.equal(restarts(), before);
    assert.equal(site.state('web'), 'CrashLoopBackOff');
  });

  test('leaves its last words in the status', async (t) => {
    const site = await edged(t);
    site.put('web', { restartPolicy: 'Never' });
    await site.pass(seconds(1));
    await site.files.append('/var/lib/kedge/pods/uid-web/containers/main/0', 'no database');
    site.fake.exit('main', 1);
    await site.pass(seconds(2));
    const end = site.statuses.get('web')?.containerStatuses?.[0]?.state?.terminated;
    assert.equal(end?.message, 'no database');
  });

  test('shares the room for last words with the others of its pod', async (t) => {
    const site = await edged(t);
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    site.put('web', { restartPolicy: 'Never', containers: names.map((name) => ({ name, image, command: ['serve'] })) });
    await site.pass(seconds(1));
    await site.files.append('/var/lib/kedge/pods/uid-web/containers/a/0', 'x'.repeat(5_000));
    site.fake.exit('a', 1);
    await site.pass(seconds(2));
    const end = site.statuses.get('web')?.containerStatuses?.[0]?.state?.terminated;
    assert.equal(end?.message?.length, 2_048);
  });

  test('that says nothing else leaves the end of its log: whole lines out of pieces, and not more bytes than may be', async (t) => {
    const site = await edged(t);
    const containers = [{ name: 'main', image, command: ['serve'], terminationMessagePolicy: 'FallbackToLogsOnError' }];
    site.put('web', { restartPolicy: 'Never', containers });
    await site.pass(seconds(1));
    const at = '2026-01-01T00:00:00.000000000Z';
    const long = 'ü'.repeat(2_000);
    const log = `${at} stdout F ${long}\n${at} stdout P one \n${at} stderr F line\n${at} stdout F two\n`;
    await site.files.append('/var/log/pods/default_web_uid-web/main/0.log', log);
    site.fake.exit('main', 1);
    await site.pass(seconds(2));
    const message = site.statuses.get('web')?.containerStatuses?.[0]?.state?.terminated?.message ?? '';
    assert.ok(message.endsWith('ü\none line\ntwo'), message.slice(-40));
    const { length } = new TextEncoder().encode(message);
    assert.ok(length > 2_040 && length <= 2_048, `${length} bytes`);
    assert.ok(!message.includes('\uFFFD'));
  });
});

describe('an image', () => {
  const remote = 'reg.example.com/app:2';
  const pulling = { containers: [{ name: 'main', image: remote, imagePullPolicy: 'IfNotPresent' }] };

  test('that is not on the node is pulled', async (t) => {
    const site = await edged(t, { registry: [remote] });
    site.put('web', pulling);
    await site.pass(seconds(1));
    assert.equal(site.state('web'), 'running');
    assert.deepEqual(site.reasons(), ['Pulling', 'Pulled', 'Created', 'Started']);
  });

  test('that cannot be pulled is tried again with growing waits', async (t) => {
    const site = await edged(t);
    site.put('web', pulling);
    await site.pass(seconds(1));
    assert.equal(site.state('web'), 'ImagePullBackOff');
    assert.ok(site.reasons().includes('Failed'));
    await site.pass(minutes(5));
    const pulls = site.fake.done.filter((step) => step.startsWith('pullImage')).length;
    assert.ok(pulls >= 4 && pulls <= 6, `${pulls} pulls in five minutes`);
    site.fake.registry.add(remote);
    await site.pass(minutes(5));
    assert.equal(site.state('web'), 'running');
  });

  test('that cannot be pulled shows the failure, then the wait, each time', async (t) => {
    const site = await edged(t);
    const pulls = (): number => site.fake.done.filter((step) => step.startsWith('pullImage')).length;
    site.put('web', pulling);
    await site.pass(seconds(1));
    const seen: string[] = [];
    for (let second = 0; second < 60; second++) {
      await site.pass(seconds(1));
      const state = site.state('web');
      if (seen.at(-1) !== state) seen.push(state);
    }
    assert.deepEqual(new Set(seen), new Set(['ErrImagePull', 'ImagePullBackOff']));
    assert.equal(seen.at(-1), 'ImagePullBackOff');
    assert.equal(pulls(), 3, 'at once, after ten seconds, and after twenty more');
  });

  test('behind a secret that is not there is tried without it, and an event names the secret', async (t) => {
    const site = await edged(t, { registry: [remote] });
    site.put('web', { ...pulling, imagePullSecrets: [{ name: 'gone' }] });
    await site.pass(seconds(1));
    assert.equal(site.state('web'), 'running');
    const event = site.events.find(({ reason }) => reason === 'FailedToRetrieveImagePullSecret');
    assert.match(event?.message ?? '', /\(gone\)/);
  });

  test('that must not be pulled is waited for', async (t) => {
    const site = await edged(t);
    site.put('web', { containers: [{ name: 'main', image: remote, imagePullPolicy: 'Never' }] });
    await site.pass(seconds(1));
    assert.equal(site.state('web'), 'ErrImageNeverPull');
    site.fake.images.add(remote);
    await site.pass(minutes(2));
    assert.equal(site.state('web'), 'running');
  });

  test('with a name that is none is said to be so', async (t) => {
    const site = await edged(t);
    site.put('web', { containers: [{ name: 'main', image: 'Not An Image' }] });
    await site.pass(seconds(1));
    assert.equal(site.state('web'), 'InvalidImageName');
  });
});

describe('a deleted pod', () => {
  test('ends, reports how, is cleaned away, and is removed from the API once', async (t) => {
    const site = await edged(t);
    site.put('web', { volumes: [{ name: 'tmp', emptyDir: { medium: 'Memory' } }] });
    await site.pass(seconds(1));
    assert.equal(site.mounted.size, 1);
    site.markDeleted('web');
    await site.pass(seconds(2));
    assert.equal(site.statuses.get('web')?.phase, 'Succeeded');
    assert.deepEqual(site.removals, ['web']);
    assert.equal(site.fake.sandboxes.size + site.fake.containers.size, 0);
    assert.equal(site.mounted.size, 0);
    assert.equal(await site.files.info('/var/lib/kedge/pods/uid-web'), undefined);
    assert.deepEqual(site.cgroupsRemoved, ['/kedge/besteffort/poduid-web']);
    site.forget('web');
    await site.pass(minutes(1));
    assert.deepEqual(site.removals, ['web']);
    assert.equal(await site.files.info('/var/log/pods/default_web_uid-web'), undefined);
  });

  test('whose container does not listen is killed after the grace', async (t) => {
    const site = await edged(t, { obeys: () => false });
    site.put('web', {});
    await site.pass(seconds(1));
    site.markDeleted('web', 20);
    await site.pass(seconds(15));
    assert.deepEqual(site.fake.running, ['main']);
    await site.pass(seconds(10));
    assert.deepEqual(site.removals, ['web']);
    assert.equal(site.state('web'), 'exited 137');
  });

  test('is hurried by a shorter grace', async (t) => {
    const site = await edged(t, { obeys: () => false });
    site.put('web', {});
    await site.pass(seconds(1));
    site.markDeleted('web', 600);
    await site.pass(seconds(5));
    site.markDeleted('web', 1);
    await site.pass(seconds(5));
    assert.deepEqual(site.removals, ['web']);
  });

  test('that the API dropped at once is ended too', async (t) => {
    const site = await edged(t);
    site.put('web', {});
    await site.pass(seconds(1));
    site.forget('web');
    await site.pass(seconds(3));
    assert.equal(site.fake.sandboxes.size + site.fake.containers.size, 0);
  });

  test('sends the requests of its hooks to itself, from its first start on', async (t) => {
    const site = await edged(t);
    const httpGet = (path: string) => ({ httpGet: { port: 8_080, path, host: '' } });
    const lifecycle = { postStart: httpGet('/hello'), preStop: httpGet('/bye') };
    site.put('web', { containers: [{ name: 'main', image, command: ['serve'], lifecycle }] });
    await site.pass(seconds(2));
    const address = site.statuses.get('web')?.podIP;
    assert.match(address ?? '', /^10\./);
    site.markDeleted('web');
    await site.pass(seconds(5));
    assert.deepEqual(site.probed, [`http://${address}:8080/hello`, `http://${address}:8080/bye`]);
  });

  test('runs its preStop hook first', async (t) => {
    const commands: string[] = [];
    const site = await edged(t, {
      exec: (_container, command) => {
        commands.push(command.join(' '));
        return { exitCode: 0 };
      },
    });
    const lifecycle = { preStop: { exec: { command: ['say', 'goodbye'] } } };
    site.put('web', { containers: [{ name: 'main', image, lifecycle }] });
    await site.pass(seconds(1));
    site.markDeleted('web');
    await site.pass(seconds(2));
    assert.deepEqual(commands, ['say goodbye']);
    assert.deepEqual(site.removals, ['web']);
  });

  test('is not kept waiting by a pull', async (t) => {
    const remote = 'reg.example.com/big:1';
    const site = await edged(t);
    site.fake.pullsHang = true;
    site.put('web', { containers: [{ name: 'main', image: remote }] });
    await site.pass(minutes(5));
    assert.equal(site.state('web'), 'ContainerCreating');
    site.markDeleted('web');
    await site.pass(seconds(3));
    assert.deepEqual(site.removals, ['web']);
  });

  test('is asked to be removed again after the link was down', async (t) => {
    const site = await edged(t);
    site.put('web', {});
    await site.pass(seconds(1));
    site.setOnline(false);
    site.markDeleted('web');
    await site.pass(seconds(5));
    site.setOnline(true);
    await site.pass(seconds(5));
    assert.deepEqual(site.removals, ['web', 'web']);
  });
});

describe('edged that was away', () => {
  test('does not touch containers that run', async (t) => {
    const site = await edged(t);
    site.put('web', {});
    await site.pass(seconds(1));
    const before = site.fake.container('main')?.id;
    await site.stop();
    site.fake.done.length = 0;
    await site.start();
    await site.pass(minutes(1));
    assert.deepEqual(site.fake.done, []);
    assert.equal(site.fake.container('main')?.id, before);
    assert.equal(site.statuses.get('web')?.phase, 'Running');
  });

  test('ends pods that were removed meanwhile, and none of others', async (t) => {
    const site = await edged(t);
    site.put('web', {});
    await site.pass(seconds(1));
    await site.stop();
    site.pods.clear();
    const config = {
      metadata: { name: 'foreign', namespace: 'default', uid: 'other', attempt: 0 },
      labels: { 'io.kubernetes.pod.uid': 'other', 'kedge.io/site': 'another' },
    };
    await site.fake.cri.runPodSandbox({ config });
    await site.start();
    await site.pass(seconds(5));
    assert.deepEqual(
      [...site.fake.sandboxes.values()].map((sandbox) => sandbox.config.metadata?.name),
      ['foreign'],
    );
  });

  test('keeps what runs while its store is still to be filled', async (t) => {
    const site = await edged(t);
    const pod = site.put('web', {});
    site.put('old', {});
    await site.pass(seconds(1));
    await site.stop();
    site.pods.clear();
    site.isStoreEmpty = true;
    await site.start();
    await site.pass(minutes(1));
    assert.equal(site.fake.running.length, 2);
    site.change(pod);
    site.isStoreEmpty = false;
    await site.pass(seconds(10));
    assert.deepEqual(
      [...site.fake.sandboxes.values()].map((sandbox) => sandbox.config.metadata?.name),
      ['web'],
    );
  });

  test('brings every pod back after a reboot of the host', async (t) => {
    const site = await edged(t);
    site.put('web', {});
    site.put('job', { restartPolicy: 'Never', containers: [{ name: 'job', image, command: ['sh', '-c', 'exit 0'] }] });
    await site.pass(seconds(3));
    await site.stop();
    site.fake.reboot();
    site.fake.done.length = 0;
    await site.start();
    await site.pass(seconds(5));
    assert.deepEqual(site.fake.running, ['main']);
    assert.deepEqual(
      site.fake.done.filter((step) => step.startsWith('start')),
      ['startContainer main'],
    );
    assert.equal(site.statuses.get('web')?.containerStatuses?.[0]?.restartCount, 1);
  });

  test('finishes a deletion that it had begun', async (t) => {
    const site = await edged(t, { obeys: () => false });
    site.put('web', {});
    await site.pass(seconds(1));
    site.markDeleted('web', 20);
    await site.pass(seconds(2));
    await site.stop();
    await site.start();
    await site.pass(seconds(30));
    assert.deepEqual(site.removals, ['web']);
  });
});

describe('a runtime', () => {
  test('that loses a sandbox gets a new one', async (t) => {
    const site = await edged(t);
    site.put('web', {});
    await site.pass(seconds(1));
    site.fake.killSandbox([...site.fake.sandboxes.keys()][0] ?? '');
    await site.pass(seconds(3));
    assert.deepEqual(site.fake.running, ['main']);
    assert.deepEqual(
      [...site.fake.sandboxes.values()].filter(({ isReady }) => isReady).map((s) => s.config.metadata?.attempt),
      [1],
    );
  });

  test('that loses everything gets everything again', async (t) => {
    const site = await edged(t);
    site.put('web', {});
    await site.pass(seconds(1));
    site.fake.loseEverything();
    await site.pass(seconds(3));
    assert.deepEqual(site.fake.running, ['main']);
  });

  test('that tells of changes is listened to, and hardly asked', async (t) => {
    const site = await edged(t, { events: true });
    site.put('web', { containers: [{ name: 'main', image, command: ['serve'] }] });
    await site.pass(seconds(10));
    site.fake.exit('main', 1);
    await site.pass(seconds(10));
    assert.equal(site.state('web'), 'running');
    const asked = site.fake.asked;
    await site.pass(minutes(10));
    assert.ok(site.fake.asked - asked < 60, `${site.fake.asked - asked} questions in ten idle minutes`);
    site.fake.exit('main', 1);
    await site.pass(seconds(0));
    assert.equal(site.statuses.get('web')?.containerStatuses?.[0]?.lastState?.terminated?.exitCode, 1);
  });

  test('whose events are turned off is asked for them ever more rarely, and after it was away at once', async (t) => {
    const site = await edged(t, { events: 'off' });
    site.put('web', { containers: [{ name: 'main', image, command: ['serve'] }] });
    await site.pass(minutes(60));
    const { eventStreams } = site.fake;
    assert.ok(eventStreams < 25, `${eventStreams} times in an hour`);
    site.fake.exit('main', 1);
    await site.pass(seconds(15));
    assert.equal(site.state('web'), 'running');
    site.fake.isDown = true;
    await site.pass(seconds(5));
    site.fake.isDown = false;
    await site.pass(seconds(5));
    assert.ok(site.fake.eventStreams > eventStreams);
  });

  test('that is down is waited for', async (t) => {
    const site = await edged(t);
    site.fake.isDown = true;
    site.put('web', {});
    await site.pass(minutes(1));
    site.fake.isDown = false;
    await site.pass(seconds(5));
    assert.equal(site.statuses.get('web')?.phase, 'Running');
  });

  test('that refuses a step is asked again', async (t) => {
    const site = await edged(t);
    site.fake.fail('runPodSandbox', 'UNKNOWN', 'no network', 2);
    site.fake.fail('startContainer', 'UNKNOWN', 'no memory');
    site.put('web', {});
    await site.pass(seconds(30));
    assert.equal(site.statuses.get('web')?.phase, 'Running');
    assert.ok(site.reasons().includes('FailedCreatePodSandBox'));
    assert.ok(site.reasons().includes('Failed'));
  });
});
