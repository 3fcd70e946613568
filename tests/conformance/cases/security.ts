// What a container may do. After the groups "Security Context", "Sysctls", "RuntimeClass".
import assert from 'node:assert/strict';
import { type Case, containerOf, once, shell } from '../node-under-test.ts';

const status = 'grep -E "^(Seccomp|NoNewPrivs|CapEff):" /proc/self/status';

export const securityCases: readonly Case[] = [
  {
    name: 'a container runs as the user and group it names, before those of the pod, before those of the image',
    async run(node) {
      const pod = await node.pod({
        restartPolicy: 'Never',
        securityContext: { runAsUser: 1001, runAsGroup: 1002 },
        containers: [
          shell('echo $(id -u):$(id -g)'),
          shell('echo $(id -u):$(id -g)', { name: 'other', securityContext: { runAsUser: 2001 } }),
        ],
      });
      await pod.ended();
      assert.deepEqual([await pod.log(), await pod.log('other')], ['1001:1002\n', '2001:1002\n']);
    },
  },
  {
    name: 'supplemental groups and fsGroup are groups of every process, and a volume belongs to fsGroup',
    async run(node) {
      const pod = await node.pod({
        ...once('id -G; stat -c %g /v; touch /v/x && stat -c %g /v/x', {
          volumeMounts: [{ name: 'v', mountPath: '/v' }],
        }),
        securityContext: { runAsUser: 1000, runAsGroup: 1000, supplementalGroups: [1234, 5678], fsGroup: 3456 },
        volumes: [{ name: 'v', emptyDir: {} }],
      });
      await pod.ended();
      const [groups = '', ofVolume, ofFile] = (await pod.log()).trim().split('\n');
      for (const group of ['1000', '1234', '5678', '3456']) assert.ok(groups.split(' ').includes(group), groups);
      assert.deepEqual([ofVolume, ofFile], ['3456', '3456']);
    },
  },
  {
    name: 'runAsNonRoot lets a user start and refuses root, by number and by image',
    async run(node) {
      const [user, root, byImage] = await Promise.all([
        node.pod(once('id -u', { securityContext: { runAsNonRoot: true, runAsUser: 1234 } })),
        node.pod({ containers: [shell('id -u', { securityContext: { runAsNonRoot: true, runAsUser: 0 } })] }),
        node.pod({ containers: [shell('id -u', { securityContext: { runAsNonRoot: true } })] }),
      ]);
      assert.equal((await user.ended()).status!.phase, 'Succeeded');
      for (const pod of [root, byImage])
        await pod.until(
          'CreateContainerConfigError',
          (now) =>
            containerOf(now).state?.waiting?.reason === 'CreateContainerConfigError' &&
            /root/.test(containerOf(now).state?.waiting?.message ?? ''),
        );
    },
  },
  {
    name: 'a read-only root file system cannot be written, another one can',
    async run(node) {
      const [readOnly, writable] = await Promise.all([
        node.pod(once('touch /x', { securityContext: { readOnlyRootFilesystem: true } })),
        node.pod(once('touch /x', { securityContext: { readOnlyRootFilesystem: false } })),
      ]);
      assert.equal((await readOnly.ended()).status!.phase, 'Failed');
      assert.equal((await writable.ended()).status!.phase, 'Succeeded');
    },
  },
  {
    name: 'only a privileged container may change the network',
    async run(node) {
      const [plain, privileged] = await Promise.all([
        node.pod(once('ip link set lo mtu 1400')),
        node.pod(once('ip link set lo mtu 1400', { securityContext: { privileged: true } })),
      ]);
      assert.equal((await plain.ended()).status!.phase, 'Failed');
      assert.equal((await privileged.ended()).status!.phase, 'Succeeded');
    },
  },
  {
    name: 'allowPrivilegeEscalation: false sets no_new_privs; true or absent does not',
    async run(node) {
      const pods = await Promise.all(
        [false, true, undefined].map((allow) =>
          node.pod(
            once(status, {
              securityContext: { runAsUser: 1000, ...(allow === undefined ? {} : { allowPrivilegeEscalation: allow }) },
            }),
          ),
        ),
      );
      const seen = await Promise.all(
        pods.map(async (pod) => (await pod.ended(), /NoNewPrivs:\s+(\d)/.exec(await pod.log())![1])),
      );
      assert.deepEqual(seen, ['1', '0', '0']);
    },
  },
  {
    name: 'capabilities are added and dropped',
    async run(node) {
      const [none, one] = await Promise.all([
        node.pod(once(status, { securityContext: { capabilities: { drop: ['ALL'] } } })),
        node.pod(once(status, { securityContext: { capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] } } })),
      ]);
      const effective = async (pod: typeof none): Promise<bigint> => {
        await pod.ended();
        return BigInt(`0x${/CapEff:\s+([0-9a-f]+)/.exec(await pod.log())![1]}`);
      };
      assert.equal(await effective(none), 0n);
      assert.equal(await effective(one), 1n << 12n);
    },
  },
  {
    name: 'seccomp is the runtime default or off, as the pod says; a profile that is not there keeps it waiting',
    async run(node) {
      const [runtimeDefault, unconfined, absent] = await Promise.all([
        node.pod(once(status, { securityContext: { seccompProfile: { type: 'RuntimeDefault' } } })),
        node.pod(once(status, { securityContext: { seccompProfile: { type: 'Unconfined' } } })),
        node.pod(
          once('true', { securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: 'absent.json' } } }),
        ),
      ]);
      await Promise.all([runtimeDefault.ended(), unconfined.ended()]);
      assert.match(await runtimeDefault.log(), /Seccomp:\s+2/);
      assert.match(await unconfined.log(), /Seccomp:\s+0/);
      await absent.until('the reason', (now) => containerOf(now).state?.waiting?.reason?.startsWith('Create'));
    },
  },
  {
    name: 'safe sysctls are set in the pod, others are refused with SysctlForbidden',
    async run(node) {
      const [safe, unsafe] = await Promise.all([
        node.pod(
          once(
            'cat /proc/sys/kernel/shm_rmid_forced',
            {},
            { securityContext: { sysctls: [{ name: 'kernel.shm_rmid_forced', value: '1' }] } },
          ),
        ),
        node.pod(once('true', {}, { securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '10000' }] } })),
      ]);
      await safe.ended();
      assert.equal(await safe.log(), '1\n');
      const { status: refused } = await unsafe.until('to fail', (now) => now.status?.phase === 'Failed' && now);
      assert.equal(refused!.reason, 'SysctlForbidden');
    },
  },
  {
    name: "the host's processes, IPC and network are seen only by pods that ask for them",
    async run(node) {
      const script = 'readlink /proc/self/ns/net; readlink /proc/self/ns/ipc; readlink /proc/self/ns/pid';
      const [own, host] = await Promise.all([
        node.pod(once(script)),
        node.pod(once(script, {}, { hostNetwork: true, hostPID: true, hostIPC: true })),
      ]);
      const [{ status: ended }] = await Promise.all([host.ended(), own.ended()]);
      const [ofOwn, ofHost] = [(await own.log()).trim().split('\n'), (await host.log()).trim().split('\n')];
      assert.ok(
        ofOwn.every((namespace, n) => namespace !== ofHost[n]),
        `${ofOwn.join()} and ${ofHost.join()}`,
      );
      assert.equal(ended!.podIP, node.address);
    },
  },
  {
    name: 'a runtime class whose handler the runtime has is used, one that it lacks keeps the pod from starting',
    async run(node) {
      const [known, unknown] = await Promise.all([
        node.create('RuntimeClass', { handler: 'runc' }),
        node.create('RuntimeClass', { handler: 'absent' }),
      ]);
      const [starts, waits] = await Promise.all([
        node.pod(once('true', {}, { runtimeClassName: known })),
        node.pod(once('true', {}, { runtimeClassName: unknown })),
      ]);
      await starts.ended();
      await waits.until(
        'not to have started',
        (now) => now.status?.phase === 'Pending' || now.status?.phase === 'Failed',
      );
      await waits.delete(0);
      await node.remove('RuntimeClass', known);
      await node.remove('RuntimeClass', unknown);
    },
  },
];
