// The baseline of pod start: the same sandbox and container asked of the runtime directly, with nothing around it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ContainerState, createCri, type Cri, PodSandboxState } from '@kedge/wire/cri';
import { eventually } from '../e2e/harness/run.ts';
import { openGrpcChannel } from '@kedge/platform/grpc';

/** Milliseconds from asking for a sandbox to the container having started, of `count` of them at once. */
export async function bareCriStarts(socketPath: string, image: string, count: number): Promise<readonly number[]> {
  const channel = openGrpcChannel({ socketPath });
  const cri = createCri(channel);
  const logDirectory = await mkdtemp(join(tmpdir(), 'kedge-bare-'));
  try {
    const names = Array.from({ length: count }, (_, n) => `bare-${n}`);
    const started = await Promise.all(names.map((name) => start(cri, { name, image, logDirectory })));
    for (const { containerId, podSandboxId } of started) {
      await cri.stopContainer({ containerId, timeout: 0n });
      await cri.stopPodSandbox({ podSandboxId });
      await cri.removePodSandbox({ podSandboxId });
    }
    return started.map(({ took }) => took);
  } finally {
    channel.close();
    await rm(logDirectory, { recursive: true, force: true });
  }
}

async function start(
  cri: Cri,
  { name, image, logDirectory }: { readonly name: string; readonly image: string; readonly logDirectory: string },
): Promise<{ readonly podSandboxId: string; readonly containerId: string; readonly took: number }> {
  const sandboxConfig = {
    metadata: { name, uid: name, namespace: 'bench', attempt: 0 },
    logDirectory,
    linux: { cgroupParent: '' },
  };
  const began = performance.now();
  const { podSandboxId } = await cri.runPodSandbox({ config: sandboxConfig });
  const { containerId } = await cri.createContainer({
    podSandboxId,
    sandboxConfig,
    config: {
      metadata: { name: 'main', attempt: 0 },
      image: { image },
      command: ['sleep', '100000'],
      logPath: `${name}.log`,
    },
  });
  await cri.startContainer({ containerId });
  return { podSandboxId, containerId, took: performance.now() - began };
}

/** Until nothing runs any more: taking a pod down would slow down the start of the next. */
export async function untilNothingRuns(socketPath: string): Promise<void> {
  const channel = openGrpcChannel({ socketPath });
  const cri = createCri(channel);
  const runs = async (): Promise<boolean> =>
    [...(await cri.sandboxStates()).values()].includes(PodSandboxState.SANDBOX_READY) ||
    [...(await cri.containerStates()).values()].includes(ContainerState.CONTAINER_RUNNING);
  try {
    await eventually('the runtime to run nothing', async () => !(await runs()));
  } finally {
    channel.close();
  }
}
