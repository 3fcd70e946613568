// The baseline of pod start: the same sandbox and container asked of the runtime directly, with nothing around it.
import { ContainerState, createCri, PodSandboxState } from '@kedge/wire/cri';
import { eventually } from '../e2e/harness/run.ts';
import { openGrpcChannel } from '@kedge/platform/grpc';

/** Milliseconds from asking for a sandbox to the container having started, once per run. */
export async function bareCriStarts(socketPath: string, image: string, runs: number): Promise<readonly number[]> {
  const channel = openGrpcChannel({ socketPath });
  const cri = createCri(channel);
  const took: number[] = [];
  try {
    for (let run = 0; run < runs; run++) {
      const name = `bare-${run}`;
      const sandboxConfig = {
        metadata: { name, uid: name, namespace: 'bench', attempt: 0 },
        logDirectory: '/tmp',
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
      took.push(performance.now() - began);
      await cri.stopContainer({ containerId, timeout: 0n });
      await cri.stopPodSandbox({ podSandboxId });
      await cri.removePodSandbox({ podSandboxId });
    }
  } finally {
    channel.close();
  }
  return took;
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
