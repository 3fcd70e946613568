// Edged on real container runtimes: a pod's whole life, with edged and the runtime restarted in the middle of it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { after, before, describe, test } from 'node:test';
import type { PodSpec } from '@kedge/model/k8s-types';
import { openGrpcChannel } from '@kedge/platform/grpc';
import { createProbeNetwork } from '@kedge/platform/linux';
import { freePort } from '@kedge/testing/free-port';
import {
  openImageRegistry,
  type PrivateRuntime,
  privateRuntime,
  runtimeKinds,
  runtimeMissing,
} from '@kedge/testing/runtime';
import { registerDevicePlugin } from '@kedge/wire/deviceplugin';
import { startDevicePlugin } from './device-plugin-fixture.ts';
import { Edge } from './real-edge-fixture.ts';

for (const kind of runtimeKinds)
  describe(`edged on ${kind}`, { skip: runtimeMissing(kind) ?? false }, () => {
    let runtime: PrivateRuntime;
    let edge: Edge;
    const main = (script: string, more: Partial<PodSpec['containers'][number]> = {}) => ({
      name: 'main',
      image: runtime.image,
      command: ['sh', '-c', script],
      ...more,
    });

    before(async () => {
      runtime = await privateRuntime(kind);
      edge = new Edge(runtime);
      await edge.start();
    });
    after(async () => {
      await edge.stop();
      await runtime.remove();
    });

    test('a pod runs with its volumes, environment, hosts file and limits', async () => {
      const script = [
        'cat /settings/greeting /token/token',
        'echo " $IP $(hostname) $(id -u)"',
        'grep -c "$IP.web" /etc/hosts',
        'mount | grep -c "/scratch type tmpfs"',
        'touch /read-only 2>/dev/null || echo read-only',
        'trap "exit 0" TERM; while :; do sleep 0.1; done',
      ].join('; ');
      edge.put('web', {
        containers: [
          main(script, {
            env: [{ name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
            resources: { limits: { memory: '32Mi', cpu: '500m' } },
            securityContext: { runAsUser: 1_000, readOnlyRootFilesystem: true },
            volumeMounts: [
              { name: 'settings', mountPath: '/settings' },
              { name: 'token', mountPath: '/token' },
              { name: 'scratch', mountPath: '/scratch' },
            ],
          }),
        ],
        volumes: [
          { name: 'settings', configMap: { name: 'settings' } },
          { name: 'token', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } },
          { name: 'scratch', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
        ],
      });
      await edge.until('the pod runs', () => edge.statuses.get('web')?.phase === 'Running');
      await edge.until('it has spoken', () => edge.log('web').includes('read-only'));
      const words = edge.words('web');
      const { podIP, qosClass } = edge.statuses.get('web') ?? {};
      assert.equal(words, `helloa-token ${podIP} web 1000\n1\n1\nread-only\n`);
      assert.equal(qosClass, 'Guaranteed');
      // The pod as a whole has the limit too, in whichever version of cgroups the machine has.
      const { cgroupRoot } = runtime.site;
      const limits = [`memory${cgroupRoot}/poduid-web/memory.limit_in_bytes`, `${cgroupRoot}/poduid-web/memory.max`]
        .map((path) => `/sys/fs/cgroup/${path}`)
        .filter((path) => existsSync(path));
      assert.deepEqual(
        limits.map((path) => readFileSync(path, 'utf8').trim()),
        [String(32 * 1_024 ** 2)],
      );
    });

    test('a running pod gets more memory, and less, without a new start', async () => {
      const { cgroupRoot } = runtime.site;
      const limits = (): string[] => {
        const [, id = ''] = edge.main('sized')?.containerID?.split('//') ?? [];
        // CRI-O puts its name before the container's.
        const names = ['', `/${id}`, `/crio-${id}`].map((name) => `${cgroupRoot}/poduid-sized${name}`);
        return names.flatMap((path) =>
          [`memory${path}/memory.limit_in_bytes`, `${path}/memory.max`]
            .map((file) => `/sys/fs/cgroup/${file}`)
            .filter((file) => existsSync(file))
            .map((file) => readFileSync(file, 'utf8').trim()),
        );
      };
      const sized = (memory: string): void =>
        edge.put('sized', {
          containers: [
            main('trap "exit 0" TERM; while :; do sleep 0.1; done', { resources: { limits: { memory, cpu: '100m' } } }),
          ],
        });
      sized('32Mi');
      await edge.until('it runs', () => edge.statuses.get('sized')?.phase === 'Running');
      for (const mebibytes of [48, 24]) {
        sized(`${mebibytes}Mi`);
        const wanted = String(mebibytes * 1_024 ** 2);
        await edge.until(`it has ${mebibytes} MiB`, () => limits().join() === `${wanted},${wanted}`);
      }
      await edge.until('the status says so', () => edge.main('sized')?.resources?.limits?.['memory'] === '24Mi');
      assert.deepEqual([edge.main('sized')?.restartCount, edge.statuses.get('sized')?.resize], [0, undefined]);
    });

    test('a static pod runs from its file', async () => {
      mkdirSync(edge.manifests, { recursive: true });
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'agent', namespace: 'kube-system' },
        spec: { terminationGracePeriodSeconds: 1, containers: [main('sleep 1000')] },
      };
      await writeFile(`${edge.manifests}/agent.json`, JSON.stringify(pod));
      const running = async (): Promise<number> =>
        (await runtime.cri.listContainers({ filter: { labelSelector: { 'io.kubernetes.pod.name': 'agent-edge-1' } } }))
          .containers.length;
      await edge.stop();
      await edge.start();
      await edge.until('it runs', async () => (await running()) === 1);
      rmSync(`${edge.manifests}/agent.json`);
      await edge.until('it is gone with its file', async () => (await running()) === 0);
    });

    test('a container gets a device of a plugin, and keeps it when it is started again', async () => {
      const volumes = [{ name: 'plugins', hostPath: { path: edge.plugins } }];
      edge.put('plugin', { volumes, containers: [main('sleep 1000')] });
      await edge.until('the node listens for plugins', () => existsSync(`${edge.plugins}/kubelet.sock`));
      const end = await startDevicePlugin(`${edge.plugins}/nulls.sock`, ['null-a', 'null-b']);
      try {
        const channel = openGrpcChannel({ socketPath: `${edge.plugins}/kubelet.sock` });
        await registerDevicePlugin(channel, {
          version: 'v1beta1',
          endpoint: 'nulls.sock',
          resourceName: 'a.example/null',
        });
        channel.close();
        const checkpoint = `${edge.plugins}/kubelet_internal_checkpoint`;
        await edge.until(
          'its devices are known',
          () => existsSync(checkpoint) && /null-b/.test(readFileSync(checkpoint, 'utf8')),
        );
        const resources = { limits: { 'a.example/null': '1' }, requests: { 'a.example/null': '1' } };
        edge.put('uses', {
          containers: [main('echo gone > /dev/$DEVICES && echo has $DEVICES; sleep 1', { resources })],
        });
        await edge.until('it has run', () => edge.log('uses').includes('has null-a'));
        await end();
        await edge.until('it has run again, without the plugin', () => edge.log('uses', 1).includes('has null-a'));
      } finally {
        await end().catch(() => undefined);
      }
    });

    test('a container that is killed is started again', async () => {
      const [, id = ''] = edge.main('web')?.containerID?.split('//') ?? [];
      process.kill((await runtime.site.running()).get(id)!, 'SIGKILL');
      await edge.until(
        'it was restarted',
        () => edge.main('web')?.restartCount === 1 && edge.main('web')?.state?.running !== undefined,
      );
      assert.equal(edge.main('web')?.lastState?.terminated?.exitCode, 137);
    });

    test('edged and the runtime are restarted without touching what runs', async () => {
      const before = edge.main('web')?.containerID;
      await edge.stop();
      await runtime.restart();
      edge.statuses.clear();
      await edge.start();
      await edge.until('the pod is seen again', () => edge.statuses.get('web')?.phase === 'Running');
      assert.equal(edge.main('web')?.containerID, before);
      assert.equal(edge.main('web')?.restartCount, 1);
    });

    test('a pod that runs to its end keeps its status and its log', async () => {
      edge.put('job', {
        restartPolicy: 'Never',
        initContainers: [{ ...main('echo first'), name: 'first' }],
        containers: [main('echo working; echo the end > /dev/termination-log; exit 4')],
      });
      await edge.until('it has ended', () => edge.statuses.get('job')?.phase === 'Failed');
      assert.equal(edge.main('job')?.state?.terminated?.exitCode, 4);
      assert.equal(edge.main('job')?.state?.terminated?.message, 'the end\n');
      assert.match(edge.log('job'), / stdout F working\n$/);
    });

    test('an ephemeral container sees the processes of the one it looks into', async () => {
      edge.put('looked-at', { containers: [main('exec sleep 1000')] });
      await edge.until('it runs', () => edge.statuses.get('looked-at')?.phase === 'Running');
      const { spec } = edge.pods.get('uid-looked-at')!;
      const debug = { ...main('ps'), name: 'debug', targetContainerName: 'main' };
      edge.put('looked-at', { ...spec, ephemeralContainers: [debug] });
      const shown = () => edge.statuses.get('looked-at')?.ephemeralContainerStatuses?.[0];
      await edge.until('it has looked', () => shown()?.state?.terminated !== undefined);
      const log = readFileSync(`${edge.logs}/default_looked-at_uid-looked-at/debug/0.log`, 'utf8');
      assert.match(log, /sleep 1000/);
      assert.equal(edge.statuses.get('looked-at')?.phase, 'Running');
    });

    test('a log that gets long is put aside, and what follows goes into a new one', async () => {
      edge.put('talker', {
        containers: [
          main(
            'for i in $(seq 2000); do echo line $i of a long story; done; sleep 2; while sleep 0.2; do echo later; done',
          ),
        ],
      });
      const folder = `${edge.logs}/default_talker_uid-talker/main`;
      const names = () => (existsSync(folder) ? readdirSync(folder) : []);
      await edge.until('there are two files', () => names().length >= 2);
      await edge.until('the new one is written', () => edge.log('talker').includes('later'));
      assert.ok(
        names().every((name) => /^0\.log(\.\d{8}-\d{6})?$/.test(name)),
        names().join(' '),
      );
    });

    test('probes reach a container', async () => {
      edge.put('served', {
        containers: [
          main('mkdir /www; echo ok > /www/index.html; exec httpd -f -p 8080 -h /www', {
            readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
            livenessProbe: {
              exec: { command: ['test', '-e', '/www/index.html'] },
              periodSeconds: 1,
              failureThreshold: 1,
            },
          }),
        ],
      });
      await edge.until('it is ready', () => edge.main('served')?.ready === true);
      const [, containerId = ''] = edge.main('served')?.containerID?.split('//') ?? [];
      await runtime.cri.execSync({ containerId, cmd: ['rm', '/www/index.html'], timeout: 5n });
      await edge.until('it was replaced', () => edge.main('served')?.restartCount === 1);
    });

    test('a pod in the network of the host has its address and its name', async () => {
      edge.put('hosted', {
        hostNetwork: true,
        hostPID: true,
        containers: [main('hostname; exec sleep 1000', { securityContext: { privileged: true } })],
      });
      await edge.until('it runs', () => edge.log('hosted').includes('\n'));
      await edge.until('it is reported', () => edge.statuses.get('hosted')?.phase === 'Running');
      assert.match(edge.log('hosted'), new RegExp(` ${hostname()}\n`));
      assert.equal(edge.statuses.get('hosted')?.podIP, edge.statuses.get('hosted')?.hostIP);
    });

    test('an image behind a password is pulled with the secret of the pod', async () => {
      const files = [{ type: 'file', path: 'busybox', mode: 0o755, content: readFileSync('/bin/busybox') } as const];
      const registry = await openImageRegistry(
        { files, command: ['/busybox', 'sleep', '1000'] },
        { user: 'me', password: 'x:y' },
      );
      try {
        const { host } = registry;
        const containers = [{ name: 'main', image: `${host}/team/app:1`, imagePullPolicy: 'Always' }];
        edge.put('without', { containers });
        await edge.until(
          'it is refused',
          () =>
            edge.main('without')?.state?.waiting?.reason === 'ErrImagePull' ||
            edge.main('without')?.state?.waiting?.reason === 'ImagePullBackOff',
        );
        assert.match(edge.main('without')?.state?.waiting?.message ?? '', /401|authorization|authentication required/i);
        const auth = Buffer.from('me:x:y').toString('base64');
        const config = Buffer.from(JSON.stringify({ auths: { [host]: { auth } } })).toString('base64');
        edge.objects.set('secret/pull', { '.dockerconfigjson': config });
        edge.put('with', { containers, imagePullSecrets: [{ name: 'pull' }] });
        await edge.until('it runs', () => edge.statuses.get('with')?.phase === 'Running');
        assert.equal(edge.main('with')?.image, `${host}/team/app:1`);
        assert.match(edge.main('with')?.imageID ?? '', new RegExp(`^${host}/team/app@sha256:`));
      } finally {
        await registry.close();
      }
    });

    test('an image that is damaged on its way is not run, and is once it comes whole', async () => {
      // A layer that the runtime has is not pulled again.
      const own = { type: 'file', path: 'own', mode: 0o644, content: Buffer.from(runtime.site.cgroupRoot) } as const;
      const busybox = { type: 'file', path: 'busybox', mode: 0o755, content: readFileSync('/bin/busybox') } as const;
      const files = [busybox, own];
      const registry = await openImageRegistry({ files, command: ['/busybox', 'sleep', '1001'] });
      try {
        registry.isSpoiled = true;
        edge.put('spoiled', { containers: [{ name: 'main', image: `${registry.host}/team/spoiled:1` }] });
        const waiting = () => edge.main('spoiled')?.state?.waiting;
        await edge.until('it is refused', () => /ErrImagePull|ImagePullBackOff/.test(waiting()?.reason ?? ''));
        assert.match(waiting()?.message ?? '', /digest|checksum|corrupt/i);
        registry.isSpoiled = false;
        await edge.until('it runs', () => edge.statuses.get('spoiled')?.phase === 'Running');
      } finally {
        await registry.close();
      }
    });

    test("parts of volumes are mounted, and the host's stay when the pod goes", async () => {
      const kept = `${runtime.directory}/kept`;
      mkdirSync(`${kept}/inner`, { recursive: true });
      await writeFile(`${kept}/inner/here`, 'the host has it');
      edge.put('parts', {
        volumes: [
          { name: 'host', hostPath: { path: kept } },
          { name: 'own', emptyDir: {} },
        ],
        containers: [
          main('cat /host/here; echo; echo new > /host/new; ls -d /own /file; exec sleep 1000', {
            volumeMounts: [
              { name: 'host', mountPath: '/host', subPath: 'inner' },
              { name: 'host', mountPath: '/file', subPath: 'inner/here' },
              { name: 'own', mountPath: '/own', subPath: 'made/for/it' },
            ],
          }),
        ],
      });
      await edge.until('it has spoken', () => edge.words('parts').includes('/own'));
      assert.equal(edge.words('parts'), 'the host has it\n/file\n/own\n');
      edge.delete('parts');
      await edge.until('it has ended', () => edge.removals.includes('parts'));
      edge.forget('parts');
      await edge.until('its folder is gone', () => !existsSync(`${edge.root}/pods/uid-parts`));
      assert.deepEqual(readdirSync(`${kept}/inner`), ['here', 'new']);
      assert.equal(readFileSync(`${kept}/inner/here`, 'utf8'), 'the host has it');
      edge.statuses.delete('parts');
      edge.removals.splice(edge.removals.indexOf('parts'), 1);
    });

    test('a port of the host leads to a container', async () => {
      const port = await freePort();
      const script = 'mkdir /www; echo found > /www/index.html; exec httpd -f -p 80 -h /www';
      edge.put('mapped', { containers: [main(script, { ports: [{ containerPort: 80, hostPort: port }] })] });
      await edge.until('it runs', () => edge.statuses.get('mapped')?.phase === 'Running');
      const address = edge.statuses.get('mapped')?.hostIP ?? '';
      const network = createProbeNetwork();
      const get = () =>
        network
          .get({ scheme: 'http', host: address, port, path: '/', headers: [] }, AbortSignal.timeout(2_000))
          .catch(() => undefined);
      await edge.until('it answers', async () => (await get())?.body === 'found\n');
    });

    test('deleted pods leave nothing behind', async () => {
      const all = [...edge.statuses.keys()];
      for (const name of all) edge.delete(name);
      await edge.until('they have ended', () => edge.removals.length === all.length);
      assert.equal(edge.main('web')?.state?.terminated?.exitCode, 0, 'it was asked politely');
      for (const name of all) edge.forget(name);
      await edge.until('logs are gone', () => readdirSync(edge.logs).length === 0);
      assert.equal((await runtime.cri.sandboxStates()).size + (await runtime.cri.containerStates()).size, 0);
      assert.deepEqual(readdirSync(`${edge.root}/pods`), []);
      assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(edge.root));
      const cgroups = execFileSync('find', ['/sys/fs/cgroup', '-path', `*${runtime.site.cgroupRoot}/*pod*`]).toString();
      assert.equal(cgroups, '');
    });
  });
