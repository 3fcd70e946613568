// What every container runtime must do for edged, whether it is in memory or real.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ContainerState, type Cri, PodSandboxState } from '@kedge/wire/cri';
import { rpcCodeOf } from '@kedge/wire/rpc';

export interface CriUnderTest {
  readonly cri: Cri;
  /** On the node; has `sh` and `sleep`. */
  readonly image: string;
  readonly logDirectory: string;
  readonly cgroupParent: string;
  /** Some runtimes expect the folder of a container's log. */
  makeDirectory?(path: string): Promise<void>;
  close(): Promise<void>;
}

/** `open` is called once for the whole suite: a real runtime takes a while to start. */
export function describeCri(what: string, open: () => Promise<CriUnderTest>, skip?: string): void {
  describe(`container runtime: ${what}`, { skip: skip ?? false }, () => {
    let under: CriUnderTest;
    let serial = 0;
    before(async () => {
      under = await open();
    });
    after(async () => {
      await under?.close();
    });

    const sandboxConfig = (uid: string, attempt = 0) => ({
      metadata: { name: 'pod', namespace: 'default', uid, attempt },
      hostname: 'pod',
      logDirectory: `${under.logDirectory}/${uid}`,
      labels: { uid, app: 'contract' },
      linux: { cgroupParent: `${under.cgroupParent}/${uid}` },
    });
    const newSandbox = async () => {
      serial += 1;
      const config = sandboxConfig(`contract-${serial}`);
      const { podSandboxId } = await under.cri.runPodSandbox({ config });
      return { config, podSandboxId };
    };
    type Sandbox = Awaited<ReturnType<typeof newSandbox>>;
    const create = async (sandbox: Sandbox, command: string[], attempt = 0) => {
      await under.makeDirectory?.(`${sandbox.config.logDirectory}/main`);
      return under.cri.createContainer({
        podSandboxId: sandbox.podSandboxId,
        config: {
          metadata: { name: 'main', attempt },
          image: { image: under.image, userSpecifiedImage: under.image },
          command,
          labels: { uid: sandbox.config.metadata.uid },
          annotations: { note: 'kept' },
          logPath: `main/${attempt}.log`,
        },
        sandboxConfig: sandbox.config,
      });
    };
    const exited = async (containerId: string) => {
      for (;;) {
        const { status } = await under.cri.containerStatus({ containerId });
        if (status?.state === ContainerState.CONTAINER_EXITED) return status;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    const away = async ({ podSandboxId }: Sandbox) => {
      await under.cri.stopPodSandbox({ podSandboxId });
      await under.cri.removePodSandbox({ podSandboxId });
    };

    test('says what running containers use', async () => {
      const sandbox = await newSandbox();
      const { containerId } = await create(sandbox, ['sleep', '60']);
      await under.cri.startContainer({ containerId });
      const filter = { labelSelector: { uid: sandbox.config.metadata.uid } };
      const { stats } = await under.cri.listContainerStats({ filter });
      assert.deepEqual(
        stats.map(({ attributes }) => [attributes?.id, attributes?.labels['uid']]),
        [[containerId, sandbox.config.metadata.uid]],
      );
      assert.ok((stats[0]?.memory?.workingSetBytes?.value ?? 0n) > 0n);
      assert.ok(stats[0]?.cpu?.usageCoreNanoSeconds !== undefined);
      await under.cri.stopPodSandbox({ podSandboxId: sandbox.podSandboxId });
      await under.cri.removePodSandbox({ podSandboxId: sandbox.podSandboxId });
    });

    test('it says who it is and that it is ready', async () => {
      const { runtimeName, runtimeApiVersion } = await under.cri.version({ version: 'v1' });
      assert.notEqual(runtimeName, '');
      assert.equal(runtimeApiVersion, 'v1');
      const { status } = await under.cri.status({});
      assert.deepEqual(
        status?.conditions.map(({ type, status: isTrue }) => [type, isTrue]),
        [
          ['RuntimeReady', true],
          ['NetworkReady', true],
        ],
      );
    });

    test('a sandbox is ready, has an address, and keeps its labels', async () => {
      const sandbox = await newSandbox();
      const { status } = await under.cri.podSandboxStatus({ podSandboxId: sandbox.podSandboxId });
      assert.equal(status?.state, PodSandboxState.SANDBOX_READY);
      assert.match(status?.network?.ip ?? '', /^\d+\.\d+\.\d+\.\d+$/);
      assert.equal(status?.labels['app'], 'contract');
      await away(sandbox);
    });

    test('lists are filtered by labels', async () => {
      const one = await newSandbox();
      const other = await newSandbox();
      const filter = { labelSelector: { uid: one.config.metadata.uid } };
      const { items } = await under.cri.listPodSandbox({ filter });
      assert.deepEqual(
        items.map(({ id }) => id),
        [one.podSandboxId],
      );
      await away(one);
      await away(other);
    });

    test('a container is created, runs, and is stopped', async () => {
      const sandbox = await newSandbox();
      const { containerId } = await create(sandbox, ['sleep', '1000']);
      assert.equal((await under.cri.containerStates()).get(containerId), ContainerState.CONTAINER_CREATED);
      await under.cri.startContainer({ containerId });
      const { status } = await under.cri.containerStatus({ containerId });
      assert.equal(status?.state, ContainerState.CONTAINER_RUNNING);
      assert.ok(status.startedAt > 0n);
      assert.equal(status.annotations['note'], 'kept');
      await under.cri.stopContainer({ containerId, timeout: 0n });
      // With no time to wait, a runtime may still ask first.
      assert.ok([137, 143].includes((await exited(containerId)).exitCode));
      assert.equal((await under.cri.containerStates()).get(containerId), ContainerState.CONTAINER_EXITED);
      await away(sandbox);
    });

    test('a container that ends by itself says with which code', async () => {
      const sandbox = await newSandbox();
      const { containerId } = await create(sandbox, ['sh', '-c', 'exit 3']);
      await under.cri.startContainer({ containerId });
      const status = await exited(containerId);
      assert.equal(status.exitCode, 3);
      assert.equal(status.reason, 'Error');
      assert.ok(status.finishedAt > 0n);
      await away(sandbox);
    });

    test('a name is taken until its container is removed', async () => {
      const sandbox = await newSandbox();
      const { containerId } = await create(sandbox, ['sleep', '1000']);
      // It is refused, or what is there already is given once more.
      const twice = await create(sandbox, ['sleep', '1000']).catch((error: unknown) => String(error));
      assert.ok(typeof twice === 'string' ? /reserved/.test(twice) : twice.containerId === containerId);
      await create(sandbox, ['sleep', '1000'], 1);
      await under.cri.removeContainer({ containerId });
      await create(sandbox, ['sleep', '1000']);
      await away(sandbox);
    });

    test('stopping a sandbox ends its containers, and twice is no error', async () => {
      const sandbox = await newSandbox();
      const { containerId } = await create(sandbox, ['sleep', '1000']);
      await under.cri.startContainer({ containerId });
      const { podSandboxId } = sandbox;
      await under.cri.stopPodSandbox({ podSandboxId });
      assert.equal((await exited(containerId)).state, ContainerState.CONTAINER_EXITED);
      assert.equal((await under.cri.sandboxStates()).get(podSandboxId), PodSandboxState.SANDBOX_NOTREADY);
      await under.cri.stopPodSandbox({ podSandboxId });
      await assert.rejects(create(sandbox, ['sleep', '1000'], 1));
      await under.cri.removePodSandbox({ podSandboxId });
      assert.equal((await under.cri.sandboxStates()).has(podSandboxId), false);
      assert.equal((await under.cri.containerStates()).has(containerId), false);
    });

    test('what is not there is NOT_FOUND, and removing it again is no error', async () => {
      const nothing = 'f'.repeat(64);
      const notFound = (error: unknown) => rpcCodeOf(error) === 'NOT_FOUND';
      await assert.rejects(under.cri.containerStatus({ containerId: nothing }), notFound);
      await assert.rejects(under.cri.podSandboxStatus({ podSandboxId: nothing }), notFound);
      await under.cri.removeContainer({ containerId: nothing });
      await under.cri.removePodSandbox({ podSandboxId: nothing });
    });

    test('a command runs inside a container', async () => {
      const sandbox = await newSandbox();
      const { containerId } = await create(sandbox, ['sleep', '1000']);
      await under.cri.startContainer({ containerId });
      const { exitCode } = await under.cri.execSync({ containerId, cmd: ['true'], timeout: 5n });
      assert.equal(exitCode, 0);
      await away(sandbox);
    });

    test('an image that is not there is no error to ask for', async () => {
      assert.ok((await under.cri.imageStatus({ image: { image: under.image } })).image?.id);
      assert.equal((await under.cri.imageStatus({ image: { image: 'localhost:1/none:1' } })).image, undefined);
      await assert.rejects(under.cri.pullImage({ image: { image: 'localhost:1/none:1' } }));
    });
  });
}
