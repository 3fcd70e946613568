// Stops every pod sandbox through the runtime, so that network plugins give back addresses, interfaces and port rules.
import { seconds } from '@kedge/core/time';
import { createCri } from '@kedge/wire/cri';
import { openGrpcChannel } from '../grpc/index.ts';

/** Best effort: what does not stop in time is killed afterwards by other means. */
export async function stopSandboxes(socketPath: string): Promise<void> {
  const channel = openGrpcChannel({ socketPath, timeout: seconds(10) });
  const cri = createCri(channel);
  try {
    const ids = [...(await cri.sandboxStates()).keys()];
    await Promise.allSettled(
      ids.map(async (podSandboxId) => {
        await cri.stopPodSandbox({ podSandboxId });
        await cri.removePodSandbox({ podSandboxId });
      }),
    );
  } catch {
    // The daemon does not answer: the caller goes on without it.
  } finally {
    channel.close();
  }
}
