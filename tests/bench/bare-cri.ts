// The baseline of pod start: the same sandbox and container asked of the runtime directly, with nothing around it.
import { createCri } from '@kedge/wire/cri';
import { openGrpcChannel } from '@kedge/platform/grpc';
import { systemClock } from '@kedge/platform/node';

/** Milliseconds from asking for a sandbox to the container having started, once per run. */
export async function bareCriStarts(socketPath: string, image: string, runs: number): Promise<readonly number[]> {
  const channel = openGrpcChannel({ socketPath, clock: systemClock });
  const cri = createCri(channel);
  const signal = new AbortController().signal;
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
      const { podSandboxId } = await cri.runPodSandbox({ config: sandboxConfig }, signal);
      const { containerId } = await cri.createContainer(
        {
          podSandboxId,
          sandboxConfig,
          config: {
            metadata: { name: 'main', attempt: 0 },
            image: { image },
            command: ['sleep', '100000'],
            logPath: `${name}.log`,
          },
        },
        signal,
      );
      await cri.startContainer({ containerId }, signal);
      took.push(performance.now() - began);
      await cri.stopContainer({ containerId, timeout: 0n }, signal);
      await cri.stopPodSandbox({ podSandboxId }, signal);
      await cri.removePodSandbox({ podSandboxId }, signal);
    }
  } finally {
    channel.close();
  }
  return took;
}
