// Starts containers: image, environment, mounts, then create and start. What goes wrong is remembered per container with
// the reason that users know.
import type { Log } from '@kedge/core/log';
import type { Files, HostFacts, Mounts } from '@kedge/core/ports';
import type { Clock, Instant } from '@kedge/core/time';
import type { ConfigMap, Container, Pod, Secret, Volume } from '@kedge/model/k8s-types';
import type { Cri } from '@kedge/wire/cri';
import { rpcCodeOf, rpcMessage } from '@kedge/wire/rpc';
import type { EdgedConfig } from '../config.ts';
import { buildEnvironment } from '../env/environment.ts';
import { serviceVariables } from '../env/service-variables.ts';
import { edgedErrors } from '../errors.ts';
import type { EventRecorder } from '../events.ts';
import { allocatableOf } from '../node/node-object.ts';
import type { FoundImage, ImageResult, Images } from '../images/images.ts';
import type { NodeGrants } from '../grants/node-grants.ts';
import type { Objects, Services, Tokens } from '../ports.ts';
import { containerConfig } from '../runtime/container-config.ts';
import type { PodPaths } from '../runtime/pod-paths.ts';
import { latestContainer, type SeenPod, type SeenSandbox } from '../runtime/seen.ts';
import { readAbilities } from '../runtime/runtime-abilities.ts';
import { runtimeHandlerOf } from '../runtime/runtime-classes.ts';
import { effectiveContext } from '../runtime/security-context.ts';
import { containerMounts } from '../volumes/container-mounts.ts';
import type { Volumes, VolumesResult } from '../volumes/volumes.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { PodAction } from './pod-action.ts';
import { earlier, type PodMemory } from './pod-memory.ts';
import type { PodSetup } from './pod-setup.ts';
import { allContainersOf, describePod, ephemeralContainersOf, specOf, uidOf } from './pod-spec.ts';

type Start = Extract<PodAction, { do: 'start-container' }>;

export interface Prepared {
  readonly volumes: VolumesResult;
  readonly images: ReadonlyMap<string, ImageResult>;
  /** Variables that name services. */
  readonly services: ReadonlyMap<string, string>;
  /** By volume. */
  readonly imageVolumes: ReadonlyMap<string, ImageResult>;
}

export interface StartWork {
  readonly pod: Pod;
  readonly starts: readonly Start[];
  readonly attempt: number;
  readonly memory: PodMemory;
}

export interface ContainerStarter {
  prepare(work: StartWork, signal: AbortSignal): Promise<Prepared>;
  start(
    work: StartWork & { readonly sandbox: SeenSandbox; readonly ready: Prepared; readonly seen: SeenPod },
    signal: AbortSignal,
  ): Promise<{
    readonly failed: boolean;
    readonly retryAt: Instant | undefined;
    /** By name: those that the runtime did not make or start. */
    readonly unstarted: readonly string[];
  }>;
  /** Sets up volumes, or brings them up to date. */
  volumes(pod: Pod, signal: AbortSignal): Promise<VolumesResult>;
}

export interface StarterDeps {
  readonly cri: Cri;
  readonly clock: Clock;
  readonly log: Log;
  readonly files: Files;
  readonly events: EventRecorder;
  readonly images: Images;
  readonly volumes: Volumes;
  readonly mounts: Pick<Mounts, 'bindBelow'>;
  readonly objects: Objects;
  readonly tokens: Tokens;
  readonly services: Services;
  readonly lifecycle: Lifecycle;
  readonly setup: PodSetup;
  readonly paths: PodPaths;
  readonly config: EdgedConfig;
  readonly facts: () => HostFacts;
  readonly grants: Pick<NodeGrants, 'of' | 'beforeStart'>;
}

export function createContainerStarter(deps: StarterDeps): ContainerStarter {
  const { cri, files, events, images, setup, paths, config } = deps;

  /** Undefined when the API says that there is none; throws when it cannot be asked. */
  async function read<T>(
    type: 'configmap' | 'secret',
    pod: Pod,
    name: string,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    const outcome = await deps.objects.get(type, pod.metadata.namespace ?? '', name, signal);
    if (outcome.ok) return outcome.value as T;
    if (outcome.status.reason === 'NotFound') return undefined;
    const reason = `${type} "${name}" cannot be read: ${outcome.status.message ?? outcome.status.reason}`;
    throw edgedErrors.MOUNT({ volume: name, reason });
  }

  const sources = async (pod: Pod, signal: AbortSignal) => ({
    configMap: (name: string) => read<ConfigMap>('configmap', pod, name, signal),
    secret: (name: string) => read<Secret>('secret', pod, name, signal),
    allocatable: allocatableOf(
      { host: deps.facts(), disk: await files.space(config.rootDirectory), extended: new Map() },
      config,
    ),
  });

  const addresses = (pod: Pod, sandbox: SeenSandbox | undefined) => ({
    podIps: specOf(pod).hostNetwork ? setup.hostAddresses() : (sandbox?.addresses ?? []),
    hostIps: setup.hostAddresses(),
  });

  const volumes = async (pod: Pod, signal: AbortSignal): Promise<VolumesResult> =>
    deps.volumes.setUp(
      pod,
      { ...(await sources(pod, signal)), addresses: addresses(pod, undefined), tokens: deps.tokens },
      signal,
    );

  async function pullSecrets(pod: Pod, signal: AbortSignal): Promise<Secret[]> {
    const names = (specOf(pod).imagePullSecrets ?? []).map(({ name = '' }) => name);
    const found = await Promise.all(
      names.map((name) => read<Secret>('secret', pod, name, signal).catch(() => undefined)),
    );
    signal.throwIfAborted();
    const missing = names.filter((_, n) => found[n] === undefined);
    if (missing.length > 0) {
      const message = `Unable to retrieve some image pull secrets (${missing.join(', ')}); attempting to pull the image may not succeed.`;
      events.pod(pod, 'Warning', 'FailedToRetrieveImagePullSecret', message);
    }
    return found.filter((secret) => secret !== undefined);
  }

  async function startOne(
    { pod, memory, attempt, sandbox, ready, seen }: Parameters<ContainerStarter['start']>[0],
    { name, restartCount, backoff }: Start,
    image: FoundImage,
    signal: AbortSignal,
  ): Promise<void> {
    const container = allContainersOf(pod).find((one) => one.name === name)!;
    const inputs = {
      pod,
      container,
      restartCount,
      addresses: addresses(pod, sandbox),
      ...(await sources(pod, signal)),
    };
    const environment = await buildEnvironment(container, { ...inputs, services: ready.services });
    checkUser(pod, container, image);
    const mountable = ready.volumes.ok ? ready.volumes.paths : new Map<string, string>();
    const users = await setup.users(pod);
    const grants = deps.grants.of(pod, name);
    await deps.grants.beforeStart(pod, name, signal);
    const mounts = await containerMounts(
      {
        ...inputs,
        volumes: mountable,
        images: imagesOf(ready),
        environment,
        users,
        canReadOnlyRecursively: await canReadOnlyRecursively(pod, container, signal),
      },
      { files, mounts: deps.mounts, paths },
    );
    // containerd makes it; CRI-O expects it.
    await files.makeDirectory(`${paths.logDirectory(pod)}/${name}`, { mode: 0o755 });
    const made = await cri.createContainer(
      {
        podSandboxId: sandbox.id,
        config: containerConfig(
          {
            pod,
            container,
            restartCount,
            backoff,
            imageRef: image.id,
            environment,
            mounts,
            targetId: targetOf(pod, name, seen),
            users,
            grants,
          },
          {
            site: config.site,
            memoryCapacity: deps.facts().memoryBytes,
            seccompDefault: config.seccompDefault,
            paths,
          },
        ),
        sandboxConfig: await setup.sandbox(pod, attempt),
      },
      { signal },
    );
    events.pod(pod, 'Normal', 'Created', `Created container: ${name}`, name);
    // From here on the container is started or looked at again; what it waited for is past.
    memory.problems.delete(name);
    await because('RunContainerError', cri.startContainer(made, { signal }), signal);
    events.pod(pod, 'Normal', 'Started', `Started container ${name}`, name);
    if (!container.lifecycle?.postStart) return;
    const [address] = inputs.addresses.podIps;
    const hook = deps.lifecycle.postStart(pod, container, made.containerId, address, signal);
    await because('PostStartHookError', hook, signal);
  }

  /** Asked for only where it matters. */
  async function canReadOnlyRecursively(pod: Pod, { volumeMounts }: Container, signal: AbortSignal): Promise<boolean> {
    const wanted = volumeMounts?.some(({ recursiveReadOnly = 'Disabled' }) => recursiveReadOnly !== 'Disabled');
    if (!wanted) return false;
    const handler = await runtimeHandlerOf(pod, deps.objects, signal);
    return (await readAbilities(cri, handler, signal)).recursiveReadOnlyMounts;
  }

  function remember(memory: PodMemory, pod: Pod, name: string, failure: unknown): void {
    const step = edgedErrors.STEP.is(failure) ? failure : undefined;
    const error = step ? step.cause : failure;
    const isOurs = edgedErrors.CONFIG.is(error) || edgedErrors.MOUNT.is(error);
    const reason = step?.details.reason ?? (isOurs ? 'CreateContainerConfigError' : 'CreateContainerError');
    const message = edgedErrors.CONFIG.is(error) ? error.details.reason : rpcMessage(error);
    memory.problems.set(name, { reason, message });
    events.pod(pod, 'Warning', 'Failed', `Error: ${message}`, name);
    deps.log.warn('container could not be started', { pod: describePod(pod), container: name, reason: message });
  }

  return {
    volumes,
    async prepare({ pod, starts, attempt }, signal) {
      const sandbox = await setup.sandbox(pod, attempt);
      const secrets = (): Promise<Secret[]> => pullSecrets(pod, signal);
      const ensured = starts.map(async ({ name }) => {
        const container = allContainersOf(pod).find((one) => one.name === name)!;
        return [name, await images.ensure({ pod, container, sandbox, secrets }, signal)] as const;
      });
      const mounted = imageVolumes(pod).map(async ({ name, image: { reference = '', pullPolicy } }) => {
        const container: Container = { name, image: reference, ...(pullPolicy ? { imagePullPolicy: pullPolicy } : {}) };
        return [name, await images.ensure({ pod, container, sandbox, secrets }, signal)] as const;
      });
      const [volumesReady, imagesReady, imageVolumesReady, services] = await Promise.all([
        volumes(pod, signal),
        Promise.all(ensured),
        Promise.all(mounted),
        deps.services.around(pod.metadata.namespace ?? '', signal),
      ]);
      return {
        volumes: volumesReady,
        images: new Map(imagesReady),
        imageVolumes: new Map(imageVolumesReady),
        services: serviceVariables(services, pod),
      };
    },
    async start(work, signal) {
      const { pod, starts, ready, memory, sandbox } = work;
      if (!ready.volumes.ok) {
        events.pod(pod, 'Warning', 'FailedMount', `MountVolume.SetUp failed: ${ready.volumes.problem}`);
        deps.log.warn('volumes could not be set up', { pod: describePod(pod), reason: ready.volumes.problem });
        return { failed: true, retryAt: undefined, unstarted: [] };
      }
      memory.renewAt = earlier(memory.renewAt, ready.volumes.renewAt);
      await setup.writeHostsFile(pod, addresses(pod, sandbox).podIps);
      let failed = false;
      let retryAt: Instant | undefined;
      const unstarted: string[] = [];
      for (const start of starts) {
        const image = imageFor(work, start.name);
        if (!image?.ok) {
          memory.problems.set(start.name, { reason: image?.reason ?? 'ErrImagePull', message: image?.message ?? '' });
          if (image?.retryAt === undefined) failed = true;
          else if (retryAt === undefined || image.retryAt < retryAt) retryAt = image.retryAt;
          continue;
        }
        try {
          await startOne(work, start, image.image, signal);
        } catch (error) {
          signal.throwIfAborted();
          // A name that is taken belongs to a container made by a call whose answer was lost: it shows at the next look.
          if (rpcCodeOf(error) !== 'ALREADY_EXISTS' || memory.failures > 0) remember(memory, pod, start.name, error);
          failed = true;
          unstarted.push(start.name);
        }
      }
      return { failed, retryAt, unstarted };
    },
  };

  function checkUser(pod: Pod, container: Container, image: FoundImage): void {
    const { runAsNonRoot, runAsUser } = effectiveContext(pod, container);
    if (!runAsNonRoot) return;
    const reject = (reason: string): Error => edgedErrors.CONFIG({ container: container.name, reason });
    if (runAsUser === 0) throw reject("container's runAsUser breaks non-root policy");
    if (runAsUser !== undefined) return;
    if (image.username !== '')
      throw reject(`container has runAsNonRoot and image has non-numeric user (${image.username})`);
    if ((image.uid ?? 0n) === 0n)
      throw reject(`container has runAsNonRoot and image will run as root (pod: ${uidOf(pod)})`);
  }
}

/** A failure of `step` carries the reason that users read. */
async function because(reason: string, step: Promise<unknown>, signal: AbortSignal): Promise<void> {
  try {
    await step;
  } catch (error) {
    signal.throwIfAborted();
    throw edgedErrors.STEP({ reason }, error);
  }
}

interface ImageVolume {
  readonly name: string;
  readonly image: NonNullable<Volume['image']>;
}

const imageVolumes = (pod: Pod): ImageVolume[] =>
  (specOf(pod).volumes ?? []).flatMap(({ name, image }) => (image ? [{ name, image }] : []));

/** What the runtime calls the images of volumes, by volume. */
const imagesOf = ({ imageVolumes: results }: Prepared): ReadonlyMap<string, string> =>
  new Map([...results].flatMap(([name, result]) => (result.ok ? [[name, result.imageRef] as const] : [])));

/** A container starts when its own image is there, and that of every volume it mounts. */
function imageFor({ pod, ready }: { pod: Pod; ready: Prepared }, name: string): ImageResult | undefined {
  const container = allContainersOf(pod).find((one) => one.name === name);
  const missing = (container?.volumeMounts ?? []).map((mount) => ready.imageVolumes.get(mount.name));
  return missing.find((result) => result?.ok === false) ?? ready.images.get(name);
}

/** Which container an ephemeral one looks into; one that is not there just now is an error that is tried again. */
function targetOf(pod: Pod, name: string, seen: SeenPod): string | undefined {
  const target = ephemeralContainersOf(pod).find((one) => one.name === name)?.targetContainerName;
  if (!target) return undefined;
  const running = latestContainer(seen, target);
  if (running?.state.at === 'running') return running.id;
  throw edgedErrors.CONFIG({ container: name, reason: `the container "${target}" that it looks into does not run` });
}
