// The hooks around a container's life: after its start and before its end; by exec, HTTP or a plain pause.
import { explain } from '@kedge/core/errors';
import type { ProbeNetwork } from '@kedge/core/ports';
import { type Clock, type Duration, milliseconds, minutes, seconds } from '@kedge/core/time';
import type { Container, LifecycleHandler, Pod } from '@kedge/model/k8s-types';
import type { Cri } from '@kedge/wire/cri';
import type { EventRecorder } from '../events.ts';
import { portNumber } from '../probes/probe-target.ts';

export interface Lifecycle {
  /** A hook that fails, or takes longer than `within`, does not keep the container from ending. */
  preStop(pod: Pod, container: Container, id: string, within: Duration, signal: AbortSignal): Promise<void>;
  /**
   * A hook that fails ends the container; its restart policy decides what follows. `address` is the pod's, which nobody has been
   * told yet.
   */
  postStart(
    pod: Pod,
    container: Container,
    id: string,
    address: string | undefined,
    signal: AbortSignal,
  ): Promise<void>;
}

const longestPostStart = minutes(10);

export function createLifecycle(deps: {
  cri: Cri;
  clock: Clock;
  network: ProbeNetwork;
  events: EventRecorder;
  addressOf: (pod: Pod) => string | undefined;
}): Lifecycle {
  const { cri, clock, network, events } = deps;

  async function run(
    container: Container,
    { id, address }: { readonly id: string; readonly address: string | undefined },
    { exec, httpGet, sleep }: LifecycleHandler,
    within: Duration,
    signal: AbortSignal,
  ): Promise<void> {
    if (exec) {
      const cmd = exec.command ?? [];
      const timeout = BigInt(Math.ceil(within / 1_000));
      const options = { signal, timeout: milliseconds(within + 2_000) };
      const { exitCode, stderr } = await cri.execSync({ containerId: id, cmd, timeout }, options);
      if (exitCode !== 0)
        throw new Error(`command exited with ${exitCode}: ${new TextDecoder().decode(stderr).trim()}`);
    } else if (sleep) {
      await clock.sleep('hook of a container', milliseconds(Math.min(within, seconds(sleep.seconds))), signal);
    } else if (httpGet) {
      const host = httpGet.host || address;
      // The node itself would answer in its place.
      if (host === undefined) throw new Error('the pod has no address yet');
      const port = portNumber(container, httpGet.port);
      if (port === undefined) throw new Error(`there is no port "${httpGet.port}"`);
      const headers = (httpGet.httpHeaders ?? []).map(({ name, value }) => [name, value] as const);
      const scheme = httpGet.scheme === 'HTTPS' ? 'https' : 'http';
      const { status } = await network.get({ scheme, host, port, path: httpGet.path || '/', headers }, signal);
      if (status >= 400) throw new Error(`HTTP status ${status}`);
    }
  }

  return {
    async preStop(pod, container, id, within, signal) {
      const hook = container.lifecycle?.preStop;
      if (!hook) return;
      const late = new AbortController();
      const timer = clock
        .sleep('preStop hook', within, late.signal)
        .then(() => Promise.reject(new Error('it took too long')));
      try {
        const at = { id, address: deps.addressOf(pod) };
        await Promise.race([run(container, at, hook, within, AbortSignal.any([signal, late.signal])), timer]);
      } catch (error) {
        events.pod(pod, 'Warning', 'FailedPreStopHook', `PreStopHook failed: ${explain(error)}`, container.name);
      } finally {
        late.abort();
      }
    },
    async postStart(pod, container, id, address, signal) {
      const hook = container.lifecycle?.postStart;
      if (!hook) return;
      try {
        await run(container, { id, address }, hook, longestPostStart, signal);
      } catch (error) {
        signal.throwIfAborted();
        events.pod(pod, 'Warning', 'FailedPostStartHook', `PostStartHook failed: ${explain(error)}`, container.name);
        await cri.stopContainer({ containerId: id, timeout: 2n }, { signal });
        throw error;
      }
    },
  };
}
