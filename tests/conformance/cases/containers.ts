// Containers and what starts them: images, commands, environment, init containers, ends and their messages.
// After the groups "Containers", "InitContainer", "Container Runtime blackbox", "Variable Expansion", "Kubelet".
import assert from 'node:assert/strict';
import type { Pod, PodSpec } from '@kedge/model/k8s-types';
import { type Case, containerOf, forever, imageWithDefaults, once, shell } from '../node-under-test.ts';

const ofImage = (more: object): PodSpec => ({
  restartPolicy: 'Never',
  containers: [{ name: 'main', image: imageWithDefaults, imagePullPolicy: 'IfNotPresent', ...more }],
});

const endOf = (pod: Pod, name?: string): { exitCode: number; message?: string; reason?: string } =>
  containerOf(pod, name).state!.terminated!;

export const containerCases: readonly Case[] = [
  {
    name: 'a container without command and arguments runs what its image says',
    async run(node) {
      const pod = await node.pod(ofImage({}));
      assert.equal((await pod.ended()).status!.phase, 'Succeeded');
      assert.equal(await pod.log(), 'from the image\n');
    },
  },
  {
    name: "arguments take the place of the image's command",
    async run(node) {
      const pod = await node.pod(ofImage({ args: ['from', 'the', 'pod'] }));
      await pod.ended();
      assert.equal(await pod.log(), 'from the pod\n');
    },
  },
  {
    name: "a command takes the place of the image's entry point and of its command",
    async run(node) {
      const pod = await node.pod(ofImage({ command: ['pwd'] }));
      await pod.ended();
      assert.equal(await pod.log(), '/tmp\n');
    },
  },
  {
    name: 'command and arguments together leave nothing of the image but its environment, user and directory',
    async run(node) {
      const args = ['-c', 'echo $FROM_IMAGE $(id -u) $PWD'];
      const pod = await node.pod(ofImage({ command: ['sh'], args }));
      await pod.ended();
      assert.equal(await pod.log(), 'yes 1234 /tmp\n');
    },
  },
  {
    name: 'a working directory is made and entered',
    async run(node) {
      const pod = await node.pod(once('pwd', { workingDir: '/made/for/it' }));
      await pod.ended();
      assert.equal(await pod.log(), '/made/for/it\n');
    },
  },
  {
    name: '$(VAR) is replaced in the environment, in command and in arguments; $$(VAR) and unknown names stay',
    async run(node) {
      const pod = await node.pod({
        restartPolicy: 'Never',
        containers: [
          {
            ...shell(''),
            command: ['sh', '-c', 'echo "$0" "$1" "$BOTH"', '$(ONE)'],
            args: ['$$(ONE)-$(UNKNOWN)'],
            env: [
              { name: 'ONE', value: 'one' },
              { name: 'BOTH', value: '$(ONE);;$(TWO)' },
              { name: 'TWO', value: 'two' },
            ],
          },
        ],
      });
      await pod.ended();
      assert.equal(await pod.log(), 'one $(ONE)-$(UNKNOWN) one;;$(TWO)\n');
    },
  },
  {
    name: 'init containers run one after the other before the others, where the pod never restarts',
    async run(node) {
      const volumeMounts = [{ name: 'shared', mountPath: '/shared' }];
      const pod = await node.pod({
        ...once('cat /shared/order', { volumeMounts }),
        initContainers: ['first', 'second'].map((name) =>
          shell(`echo ${name} >> /shared/order`, { name, volumeMounts }),
        ),
        volumes: [{ name: 'shared', emptyDir: {} }],
      });
      const ended = await pod.ended();
      assert.equal(await pod.log(), 'first\nsecond\n');
      assert.deepEqual(
        ended.status!.initContainerStatuses!.map(({ ready, state }) => [ready, state!.terminated!.reason]),
        [
          [true, 'Completed'],
          [true, 'Completed'],
        ],
      );
    },
  },
  {
    name: 'init containers run before the others where the pod always restarts, and are Initialized afterwards',
    async run(node) {
      const pod = await node.pod({
        initContainers: [shell('true', { name: 'init' })],
        containers: [shell(forever)],
      });
      const { status } = await pod.ready();
      assert.equal(containerOf({ status } as Pod, 'init').state!.terminated!.exitCode, 0);
      assert.ok(status!.conditions!.some(({ type, status: is }) => type === 'Initialized' && is === 'True'));
    },
  },
  {
    name: 'an init container that fails is tried again and the others wait, where the pod always restarts',
    async run(node) {
      const pod = await node.pod({
        initContainers: [shell('exit 1', { name: 'init' }), shell('true', { name: 'next' })],
        containers: [shell(forever)],
      });
      const again = await pod.until('its init container to be tried again', (seen) => {
        const { restartCount } = containerOf(seen, 'init');
        return restartCount >= 2 && seen;
      });
      assert.equal(again.status!.phase, 'Pending');
      assert.equal(containerOf(again, 'next').state!.waiting!.reason, 'PodInitializing');
      assert.equal(containerOf(again).state!.waiting!.reason, 'PodInitializing');
      assert.match(
        again.status!.conditions!.find(({ type }) => type === 'Initialized')!.message!,
        /containers with incomplete status: \[init next\]/,
      );
    },
  },
  {
    name: 'an init container that fails makes the pod fail without starting the others, where it never restarts',
    async run(node) {
      const pod = await node.pod({ ...once('echo never'), initContainers: [shell('exit 7', { name: 'init' })] });
      const ended = await pod.ended();
      assert.equal(ended.status!.phase, 'Failed');
      assert.equal(endOf(ended, 'init').exitCode, 7);
      assert.equal(containerOf(ended).started ?? false, false);
    },
  },
  {
    name: 'a sidecar starts before the next init container, runs beside the others, and ends after them',
    async run(node) {
      const volumeMounts = [{ name: 'shared', mountPath: '/shared' }];
      const pod = await node.pod({
        ...once('cat /shared/sidecar', { volumeMounts }),
        initContainers: [
          {
            ...shell(`echo up > /shared/sidecar; ${forever}`, { name: 'sidecar', volumeMounts }),
            restartPolicy: 'Always',
            startupProbe: { exec: { command: ['test', '-s', '/shared/sidecar'] }, periodSeconds: 1 },
          },
          shell('grep up /shared/sidecar', { name: 'after', volumeMounts }),
        ],
        volumes: [{ name: 'shared', emptyDir: {} }],
      });
      const ended = await pod.ended();
      assert.equal(ended.status!.phase, 'Succeeded');
      assert.equal(await pod.log(), 'up\n');
      assert.equal(endOf(ended, 'after').exitCode, 0);
      assert.equal(endOf(ended, 'sidecar').exitCode, 0);
    },
  },
  {
    name: 'a sidecar that ends is started again while the others run',
    async run(node) {
      const pod = await node.pod({
        initContainers: [{ ...shell('sleep 1', { name: 'sidecar' }), restartPolicy: 'Always' }],
        containers: [shell(forever)],
      });
      await pod.until('its sidecar to be started again', (seen) => containerOf(seen, 'sidecar').restartCount > 0);
      assert.equal(containerOf(await pod.get()).restartCount, 0);
    },
  },
  {
    name: 'a container that ends is started again by the policy Always, whatever its code',
    async run(node) {
      const pod = await node.pod({ restartPolicy: 'Always', containers: [shell('exit 0')] });
      const seen = await pod.until('a restart', (now) => containerOf(now).restartCount > 0 && now);
      assert.equal(containerOf(seen).lastState!.terminated!.exitCode, 0);
      assert.equal(seen.status!.phase, 'Running');
    },
  },
  {
    name: 'by the policy OnFailure a container is started again until it ends well',
    async run(node) {
      const pod = await node.pod({
        restartPolicy: 'OnFailure',
        containers: [
          shell('[ -e /kept/once ] || { touch /kept/once; exit 3; }', {
            volumeMounts: [{ name: 'kept', mountPath: '/kept' }],
          }),
        ],
        volumes: [{ name: 'kept', emptyDir: {} }],
      });
      const ended = await pod.ended();
      assert.equal(ended.status!.phase, 'Succeeded');
      assert.equal(containerOf(ended).restartCount, 1);
      assert.equal(containerOf(ended).lastState!.terminated!.exitCode, 3);
    },
  },
  {
    name: 'by the policy Never a container that fails makes the pod fail, with its code',
    async run(node) {
      const ended = await (await node.pod(once('exit 42'))).ended();
      assert.equal(ended.status!.phase, 'Failed');
      assert.deepEqual([endOf(ended).exitCode, endOf(ended).reason], [42, 'Error']);
      assert.equal(containerOf(ended).restartCount, 0);
    },
  },
  {
    name: 'a container that fails again and again waits longer each time, as CrashLoopBackOff',
    async run(node) {
      const pod = await node.pod({ containers: [shell('exit 1')] });
      const seen = await pod.until('CrashLoopBackOff', (now) => {
        const { state, restartCount } = containerOf(now);
        return state!.waiting?.reason === 'CrashLoopBackOff' && restartCount >= 1 && now;
      });
      assert.match(containerOf(seen).state!.waiting!.message!, /back-off \d+s restarting failed container=main/);
      assert.equal(containerOf(seen).lastState!.terminated!.exitCode, 1);
    },
  },
  {
    name: "a container's message is what it wrote to its termination message path, also as another user",
    async run(node) {
      const pod = await node.pod(
        once('echo -n DONE > /dev/termination-custom-log', {
          terminationMessagePath: '/dev/termination-custom-log',
          securityContext: { runAsUser: 1000 },
        }),
      );
      assert.equal(endOf(await pod.ended()).message, 'DONE');
    },
  },
  {
    name: 'with FallbackToLogsOnError the message of a failure is the end of the output',
    async run(node) {
      const policy = { terminationMessagePolicy: 'FallbackToLogsOnError' } as const;
      const pod = await node.pod(once('echo -n FAILED; exit 1', policy));
      assert.equal(endOf(await pod.ended()).message, 'FAILED');
    },
  },
  {
    name: 'with FallbackToLogsOnError a success has no message, unless one was written',
    async run(node) {
      const policy = { terminationMessagePolicy: 'FallbackToLogsOnError' } as const;
      const [silent, written] = await Promise.all([
        node.pod(once('echo output', policy)),
        node.pod(once('echo output; echo -n OK > /dev/termination-log', policy)),
      ]);
      assert.equal(endOf(await silent.ended()).message ?? '', '');
      assert.equal(endOf(await written.ended()).message, 'OK');
    },
  },
  {
    name: 'a message is cut at 4096 bytes',
    async run(node) {
      const pod = await node.pod(once('head -c 10000 /dev/zero | tr "\\0" x > /dev/termination-log'));
      assert.equal(endOf(await pod.ended()).message!.length, 4096);
    },
  },
  {
    name: 'what a container prints is in its log',
    async run(node) {
      const pod = await node.pod(once('echo to stdout; echo to stderr >&2'));
      await pod.ended();
      assert.deepEqual((await pod.log()).trim().split('\n').sort(), ['to stderr', 'to stdout']);
    },
  },
  {
    name: 'a pod whose command always fails has a reason and can be deleted',
    async run(node) {
      const pod = await node.pod({ containers: [shell('', { command: ['/bin/false'] })] });
      await pod.until('the reason of its end', (now) => {
        const { state, lastState } = containerOf(now);
        return (state?.terminated ?? lastState?.terminated)?.reason === 'Error';
      });
      await pod.delete();
    },
  },
  {
    name: 'a command that does not exist gives a container error that names it',
    async run(node) {
      const pod = await node.pod({
        restartPolicy: 'Never',
        containers: [shell('', { command: ['/no/such/program'] })],
      });
      // containerd finds out when it starts the container, CRI-O when it makes it: then it is tried again.
      const told = await pod.until('to tell', (now) => {
        const waiting = containerOf(now).state?.waiting;
        return endOf(now)?.message ?? (waiting?.reason === 'CreateContainerError' && waiting.message);
      });
      assert.match(told, /exec: \\?"\/no\/such/);
      await pod.delete(0);
    },
  },
  {
    name: 'an image that nobody has keeps the container waiting, with the reason',
    async run(node) {
      const image = '127.0.0.1:1/nobody/has:1';
      const pod = await node.pod({ containers: [{ name: 'main', image }] });
      await pod.until('ErrImagePull or ImagePullBackOff', (now) =>
        /^(ErrImagePull|ImagePullBackOff)$/.test(containerOf(now).state?.waiting?.reason ?? ''),
      );
      await pod.delete(0);
    },
  },
  {
    name: 'an image that may not be pulled and is not there gives ErrImageNeverPull',
    async run(node) {
      const image = 'conformance.local/absent:1';
      const pod = await node.pod({ containers: [{ name: 'main', image, imagePullPolicy: 'Never' }] });
      await pod.until('ErrImageNeverPull', (now) => containerOf(now).state?.waiting?.reason === 'ErrImageNeverPull');
    },
  },
  {
    name: 'an image name that is none gives InvalidImageName',
    async run(node) {
      const pod = await node.pod({ containers: [{ name: 'main', image: 'Not:A:Name' }] });
      await pod.until('InvalidImageName', (now) => containerOf(now).state?.waiting?.reason === 'InvalidImageName');
    },
  },
  {
    name: 'an ephemeral container is added to a running pod and sees its processes',
    async run(node) {
      const pod = await node.pod({ containers: [shell(forever)] });
      await pod.running();
      const debug = { ...shell('ps', { name: 'debug' }), targetContainerName: 'main' };
      await pod.patch({ spec: { ephemeralContainers: [debug] } }, 'ephemeralcontainers');
      await pod.until('its end', (now) => containerOf(now, 'debug').state?.terminated);
      assert.match(await pod.log('debug'), /sleep 1/);
    },
  },
  {
    name: 'the memory of a running container is raised without a new start',
    async run(node) {
      const sized = (memory: string) => ({ requests: { memory }, limits: { memory } });
      const limit = 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null';
      const script = `trap "exit 0" TERM; while true; do ${limit}; sleep 1 & wait $!; done`;
      const pod = await node.pod({ containers: [shell(script, { resources: sized('32Mi') })] });
      await pod.says(/^33554432$/m);
      // It speaks before its status has come this far.
      const { containerID } = containerOf(await pod.running());
      await pod.patch({ spec: { containers: [{ name: 'main', resources: sized('48Mi') }] } }, 'resize');
      await pod.says(/^50331648$/m);
      const status = await pod.until('the resize to be over', (now) => {
        const main = containerOf(now);
        return now.status?.resize === undefined && main.resources?.limits?.['memory'] === '48Mi' && main;
      });
      assert.deepEqual([status.containerID, status.restartCount], [containerID, 0]);
      assert.equal(status.allocatedResources?.['memory'], '48Mi');
    },
  },
];
