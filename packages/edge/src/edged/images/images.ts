// Makes sure that an image is on the node, by the container's pull policy. Failures back off per image and pod; pulls
// beyond a limit wait their turn.
import { type Backoff, createBackoff } from '@kedge/core/flow';
import { type Clock, type Duration, formatDuration, type Instant, minutes, plus, seconds } from '@kedge/core/time';
import type { Container, Pod, Secret } from '@kedge/model/k8s-types';
import type { AuthConfig, Cri, PodSandboxConfig } from '@kedge/wire/cri';
import { rpcMessage } from '@kedge/wire/rpc';
import { describePod, uidOf } from '../pod/pod-spec.ts';
import type { EventRecorder } from '../events.ts';
import { createLimit } from './limit.ts';
import { type ImageReference, parseImage } from './image-reference.ts';
import { credentialsFor } from './pull-secrets.ts';

export type ImageResult =
  | { readonly ok: true; readonly imageRef: string; readonly image: FoundImage }
  | { readonly ok: false; readonly reason: string; readonly message: string; readonly retryAt: Instant | undefined };

export interface FoundImage {
  readonly id: string;
  /** The user that the image asks for: a number, a name, or nothing (root). */
  readonly uid: bigint | undefined;
  readonly username: string;
}

export interface Images {
  ensure(
    request: {
      readonly pod: Pod;
      readonly container: Container;
      readonly sandbox: PodSandboxConfig;
      readonly secrets: () => Promise<readonly Secret[]>;
    },
    signal: AbortSignal,
  ): Promise<ImageResult>;
  /** Drops what is remembered about a pod's failed pulls. */
  forget(podUid: string): void;
}

interface Failure {
  readonly backoff: Backoff;
  readonly retryAt: Instant;
  readonly message: string;
}

const pullTimeout: Duration = minutes(30);
/** How long a failure shows as such before it shows as a wait. */
const showFailure = seconds(2);

export function createImages(deps: {
  cri: Cri;
  clock: Clock;
  events: EventRecorder;
  parallel: number;
  /** What programs on the node say, after the pod's own secrets. */
  fromPlugins?: ((image: ImageReference, signal: AbortSignal) => Promise<AuthConfig[]>) | undefined;
}): Images {
  const { cri, clock, events } = deps;
  const limit = createLimit(deps.parallel);
  const failures = new Map<string, Failure>();

  async function find(image: string, signal: AbortSignal): Promise<FoundImage | undefined> {
    const { image: found } = await cri.imageStatus({ image: { image } }, { signal });
    return found && { id: found.id, uid: found.uid?.value, username: found.username };
  }

  async function pull(
    reference: ImageReference,
    request: Parameters<Images['ensure']>[0],
    signal: AbortSignal,
  ): Promise<string> {
    const credentials = [
      ...credentialsFor(reference, await request.secrets()),
      ...((await deps.fromPlugins?.(reference, signal)) ?? []),
    ];
    let last: unknown;
    for (const auth of credentials.length > 0 ? credentials : [undefined]) {
      try {
        const message = { image: { image: reference.name }, auth, sandboxConfig: request.sandbox };
        return (await cri.pullImage(message, { signal, timeout: pullTimeout })).imageRef;
      } catch (error) {
        signal.throwIfAborted();
        last = error;
      }
    }
    throw last;
  }

  function uninspected(pod: Pod, { name, image }: Container, error: unknown, signal: AbortSignal): ImageResult {
    signal.throwIfAborted();
    const message = `Failed to inspect image "${image}": ${rpcMessage(error)}`;
    events.pod(pod, 'Warning', 'InspectFailed', message, name);
    return { ok: false, reason: 'ImageInspectError', message, retryAt: undefined };
  }

  return {
    async ensure(request, signal) {
      const { pod, container } = request;
      const written = container.image ?? '';
      const reference = parseImage(written);
      if (!reference) {
        const message = `Failed to apply default image tag "${written}": couldn't parse image reference`;
        return { ok: false, reason: 'InvalidImageName', message, retryAt: undefined };
      }
      const policy = container.imagePullPolicy ?? (reference.isLatest ? 'Always' : 'IfNotPresent');
      let present: FoundImage | undefined;
      try {
        present = await find(reference.name, signal);
      } catch (error) {
        return uninspected(pod, container, error, signal);
      }
      if (present && policy !== 'Always') {
        events.pod(pod, 'Normal', 'Pulled', `Container image "${written}" already present on machine`, container.name);
        return { ok: true, imageRef: present.id, image: present };
      }
      if (policy === 'Never') {
        const message = `Container image "${written}" is not present with pull policy of Never`;
        events.pod(pod, 'Warning', 'ErrImageNeverPull', message, container.name);
        return { ok: false, reason: 'ErrImageNeverPull', message, retryAt: plus(clock.now(), seconds(60)) };
      }

      const key = `${uidOf(pod)}/${reference.name}`;
      const failed = failures.get(key);
      if (failed && clock.now() < failed.retryAt) {
        events.pod(pod, 'Normal', 'BackOff', `Back-off pulling image "${written}"`, container.name);
        const message = `Back-off pulling image "${written}": ${failed.message}`;
        return { ok: false, reason: 'ImagePullBackOff', message, retryAt: failed.retryAt };
      }

      events.pod(pod, 'Normal', 'Pulling', `Pulling image "${written}"`, container.name);
      const began = clock.monotonic();
      try {
        await limit(() => pull(reference, request, signal), signal);
      } catch (error) {
        signal.throwIfAborted();
        const backoff = failed?.backoff ?? createBackoff({ first: seconds(10), max: minutes(5) });
        const message = rpcMessage(error);
        const retryAt = plus(clock.now(), backoff.next());
        failures.set(key, { backoff, retryAt, message });
        events.pod(pod, 'Warning', 'Failed', `Failed to pull image "${written}": ${message}`, container.name);
        return { ok: false, reason: 'ErrImagePull', message, retryAt: plus(clock.now(), showFailure) };
      }
      failures.delete(key);
      const took = formatDuration(Math.round(clock.monotonic() - began) as Duration);
      events.pod(pod, 'Normal', 'Pulled', `Successfully pulled image "${written}" in ${took}`, container.name);
      let image: FoundImage | undefined;
      try {
        image = await find(reference.name, signal);
      } catch (error) {
        return uninspected(pod, container, error, signal);
      }
      if (image) return { ok: true, imageRef: image.id, image };
      const message = `image "${written}" of ${describePod(pod)} was pulled and is not there`;
      return { ok: false, reason: 'ErrImagePull', message, retryAt: plus(clock.now(), seconds(10)) };
    },
    forget(podUid) {
      for (const key of failures.keys()) if (key.startsWith(`${podUid}/`)) failures.delete(key);
    },
  };
}
