// Puts the parts that run pods together: one reconciler over pod uids, fed by wanted pods, the runtime and time.
import { createReconciler } from '@kedge/core/control';
import { explain } from '@kedge/core/errors';
import type { Scope } from '@kedge/core/flow';
import type { HostFacts } from '@kedge/core/ports';
import { seconds } from '@kedge/core/time';
import { amountsOf } from '@kedge/model/k8s-scheduling';
import type { ContainerImage, Node, Pod } from '@kedge/model/k8s-types';
import { createEventRecorder, type EventRecorder } from './events.ts';
import { createEvictor } from './eviction/evictor.ts';
import { watchStorageLimits } from './eviction/storage-limits.ts';
import type { Pressure } from './eviction/thresholds.ts';
import { createNodeGrants } from './grants/node-grants.ts';
import { createImageGc } from './images/image-gc.ts';
import { createImages } from './images/images.ts';
import { allocatableOf } from './node/node-object.ts';
import { createPodAdmission } from './pod/admission.ts';
import { createCarryOut } from './pod/carry-out.ts';
import { createContainerStarter } from './pod/container-starter.ts';
import { createContainerStops } from './pod/container-stops.ts';
import { createLifecycle } from './pod/lifecycle.ts';
import type { PodFailure, PodMemory } from './pod/pod-memory.ts';
import { createPodReconciler, type PodReconciler } from './pod/pod-reconciler.ts';
import { createPodRemoval } from './pod/pod-removal.ts';
import { createPodSetup } from './pod/pod-setup.ts';
import { describePod, gracePeriodOf, isTerminating, uidOf } from './pod/pod-spec.ts';
import { createWantedPods } from './pod/wanted-pods.ts';
import { mentions } from './pod/referenced-names.ts';
import { findUnable, needsAbilities, type Refusal, noAppArmor, wantsAppArmor } from './pod/unsupported.ts';
import { planAdmission } from './pod/plan-admission.ts';
import { withAllocation } from './pod/plan-resize.ts';
import { createResizer } from './pod/resizer.ts';
import { createProber } from './probes/prober.ts';
import { createRunProbe } from './probes/run-probe.ts';
import { createObserver } from './runtime/observe.ts';
import { createLogRotation } from './runtime/log-rotation.ts';
import { createPodPaths, type PodPaths } from './runtime/pod-paths.ts';
import { readAbilities } from './runtime/runtime-abilities.ts';
import { runtimeHandlerOf } from './runtime/runtime-classes.ts';
import { createRuntimeWatch } from './runtime/runtime-watch.ts';
import { usageByPod } from './runtime/container-usage.ts';
import { createStatusReporter } from './status/report-status.ts';
import { createVolumes } from './volumes/volumes.ts';
import type { EdgedDeps } from './edged-deps.ts';

export interface RunningPods {
  readonly events: EventRecorder;
  /** At every pod, as after a clock that was set. */
  lookAgain(): void;
  /** Every status counts as changed. */
  reportAllAgain(): void;
  /** With the newest status of each. */
  list(): readonly Pod[];
  /** What the node is short of. */
  readonly pressures: ReadonlySet<Pressure>;
  onPressure(listener: () => void): void;
  /** The largest images on the node, as its status shows them. */
  images(signal: AbortSignal): Promise<readonly ContainerImage[]>;
  /** The runtime has come back. */
  onReturn(listener: () => void): void;
  /** What device plugins offer, by resource. */
  extendedResources(): ReadonlyMap<string, { readonly capacity: number; readonly allocatable: number }>;
  onResources(listener: () => void): void;
  /** Taken and not over. */
  accepted(): readonly Pod[];
  /** Ends a pod; it does not come back. */
  end(pod: Pod, failure: PodFailure): void;
  isOver(pod: Pod): boolean;
  /** No pod is taken from here on, for this reason; undefined: they are again. */
  refuseAll(refusal: Refusal | undefined): void;
}

/** How many pods are worked on at once; each takes the runtime for a while. */
const podsAtOnce = 8;
/** One that takes longer, as for a pull or a hook, makes room for another. */
const longLook = seconds(5);

export async function runPods(deps: EdgedDeps, facts: () => HostFacts, scope: Scope): Promise<RunningPods> {
  const { clock, log, config, cri, files, objects } = deps;
  const wanted = createWantedPods(deps);
  const { pods, outbox } = wanted;
  const paths = createPodPaths(config);
  const events = createEventRecorder({
    clock,
    random: deps.random,
    outbox,
    node: config.node,
    enabled: config.reportEvents,
  });
  const observer = createObserver({ cri, site: config.site });
  const images = createImages({
    cri,
    clock,
    events,
    parallel: config.imagePullParallel,
    fromPlugins: await loadCredentialPlugins(deps),
  });
  const volumes = createVolumes({ files, mounts: deps.mounts, clock, paths });
  const setup = createPodSetup({ files, paths, config, facts, events });
  const stops = createContainerStops({ cri, clock, log, scope });
  const prober = createProber({
    clock,
    scope,
    events,
    run: createRunProbe({ cri, clock, network: deps.network }),
    hostIps: () => setup.hostAddresses(),
    changed: (uid) => queue.enqueue(uid),
  });
  const lifecycle = createLifecycle({
    cri,
    clock,
    network: deps.network,
    events,
    addressOf: (pod) => reconciler.memoryOf(uidOf(pod)).status?.podIP,
  });
  const moreResources: (() => void)[] = [];
  const grants = createNodeGrants({
    ...deps,
    rpc: deps.rpc,
    changed: () => moreResources.forEach((tell) => tell()),
  });
  await grants.start(scope);
  const starter = createContainerStarter({
    ...deps,
    events,
    images,
    volumes,
    lifecycle,
    setup,
    paths,
    facts,
    grants,
  });
  const returned: (() => void)[] = [];
  const watch = createRuntimeWatch({
    cri,
    clock,
    log,
    site: config.site,
    observer,
    changed: (uid) => queue.enqueue(uid),
    returned: () => {
      for (const pod of pods.list()) reconciler.memoryOf(uidOf(pod)).holds.clear();
      void enqueueAll();
      for (const listener of returned) listener();
    },
  });
  const imageGc = createImageGc({
    cri,
    clock,
    log,
    files,
    events,
    settings: config.imageGc,
    pods: () => pods.list(),
    sandboxImage: config.podSandboxImage,
  });
  const pressed: (() => void)[] = [];
  const evictor = createEvictor({
    clock,
    log,
    host: deps.host,
    files,
    events,
    settings: config.eviction,
    rootDirectory: config.rootDirectory,
    imageDirectory: (signal) => imageGc.directory(signal),
    pods: () =>
      [...pods.list()].filter((pod) => {
        const memory = reconciler.memoryOf(uidOf(pod));
        return !hasEnded(memory) && memory.failure === undefined;
      }),
    isOver: (pod) => pods.get(uidOf(pod)) === undefined || reconciler.memoryOf(uidOf(pod)).isOver,
    usage: (of, signal) => usageByPod(cri, config.site, of, signal),
    freeDisk: (signal) => imageGc.freeAll(signal),
    evict,
    pressuresChanged: () => pressed.forEach((tell) => tell()),
  });
  const logRotation = createLogRotation({
    cri,
    clock,
    log,
    files,
    settings: config.logRotation,
    running: () => runningLogs(pods.list(), reconciler, paths),
  });
  const reconciler = createPodReconciler({
    clock,
    log,
    files,
    paths,
    pods,
    store: deps.store,
    observer,
    starter,
    prober,
    events,
    carryOut: createCarryOut({
      cri,
      log,
      files,
      paths,
      events,
      observer,
      stops,
      lifecycle,
      setup,
      starter,
      objects,
      cgroups: deps.cgroups,
      config,
      accepted,
      lookAgain: (uid) => queue.enqueue(uid),
    }),
    removal: createPodRemoval({ cri, log, files, cgroups: deps.cgroups, observer, volumes, images, paths, config }),
    reporter: createStatusReporter({ outbox }),
    hostIps: () => setup.hostAddresses(),
    resizer: createResizer({
      cri,
      log,
      files,
      paths,
      events,
      cgroups: deps.cgroups,
      config,
      memoryCapacity: () => facts().memoryBytes,
      fits: fitsResized,
    }),
    policy: config,
    admission: createPodAdmission({
      events,
      accepted,
      node: nodeFor,
      accept: (pod) => void (reconciler.memoryOf(uidOf(pod)).isAccepted = true),
      pressure: (pod) => closed ?? evictor.refusal(pod),
      unable: findUnableHere,
      async give(pod, signal) {
        await grants.pods(isHere);
        return grants.give(pod, signal);
      },
      preempt(pod, message) {
        endPod(pod, { reason: 'Preempting', message, disrupted: { grace: gracePeriodOf(pod) } });
      },
    }),
    expectChange: () => watch.expectChange(),
  });
  let closed: Refusal | undefined;
  const queue = createReconciler({
    name: 'edged',
    clock,
    log,
    parallel: podsAtOnce,
    slowAfter: longLook,
    reconcile: (uid, signal) => reconciler.reconcile(uid, signal),
  });

  function evict(pod: Pod, message: string, grace: number): void {
    endPod(pod, { reason: 'Evicted', message, disrupted: { grace: seconds(Math.max(1, grace)) } });
  }

  function endPod(pod: Pod, failure: PodFailure): void {
    reconciler.memoryOf(uidOf(pod)).failure ??= failure;
    queue.enqueue(uidOf(pod));
  }

  /** Wanted, or at least not over: what it was given is its own. */
  const isHere = (uid: string): boolean => {
    const pod = pods.get(uid);
    return pod !== undefined && !reconciler.memoryOf(uid).isOver;
  };

  /** Taken, and something of them runs or will; with the resources that they have. */
  function accepted(): Pod[] {
    const taken = [...pods.list()].filter((pod) => {
      const { isAccepted, isOver, failure, status = pod.status } = reconciler.memoryOf(uidOf(pod));
      if (isOver || !(isAccepted || pod.status?.startTime !== undefined)) return false;
      return failure !== undefined || (status?.phase !== 'Succeeded' && status?.phase !== 'Failed');
    });
    return taken.map((pod) => withAllocation(pod, reconciler.memoryOf(uidOf(pod)).allocated));
  }

  /** The Node is asked for only where its labels matter: a copy would be older than what the pod was bound by. */
  async function nodeFor(pod: Pod, signal: AbortSignal) {
    const disk = await files.space(config.rootDirectory);
    const allocatable = amountsOf(allocatableOf({ host: facts(), disk, extended: grants.amounts() }, config));
    if (!pod.spec?.nodeSelector && !pod.spec?.affinity?.nodeAffinity) return { allocatable, node: undefined };
    const ref = { type: 'node', namespace: undefined, name: config.node };
    const found = await deps.asks.ask<Node>({ kind: 'object.get', ref }, signal);
    return { allocatable, node: found.ok ? found.value : undefined };
  }

  /** Whole processors of its own stay what they are. */
  async function fitsResized(pod: Pod, signal: AbortSignal): Promise<'now' | 'later' | 'never'> {
    if (grants.hasOwnCpus(uidOf(pod))) return 'never';
    const on = { ...(await nodeFor(pod, signal)), node: undefined };
    const others = accepted().filter((other) => uidOf(other) !== uidOf(pod));
    if (planAdmission({ pod, others: [], ...on }).do !== 'admit') return 'never';
    return planAdmission({ pod, others, ...on }).do === 'admit' ? 'now' : 'later';
  }

  /** What the kernel or the runtime would leave out of a pod; they are asked only about what not every one can. */
  async function findUnableHere(pod: Pod, signal: AbortSignal): Promise<Refusal | undefined> {
    if (wantsAppArmor(pod) && !(await deps.host.hasAppArmor())) return noAppArmor;
    if (!needsAbilities(pod)) return undefined;
    return findUnable(pod, await readAbilities(cri, await runtimeHandlerOf(pod, objects, signal), signal));
  }

  /** Wanted pods, and whatever the runtime or the disk has of others. */
  async function enqueueAll(): Promise<void> {
    for (const pod of pods.list()) queue.enqueue(uidOf(pod));
    try {
      for (const uid of new Set((await observer.owners(scope.signal)).values())) queue.enqueue(uid);
      for (const uid of (await files.list(paths.podsDirectory)) ?? []) queue.enqueue(uid);
    } catch (error) {
      if (!scope.signal.aborted) log.warn('leftovers could not be looked for', { reason: explain(error) });
    }
  }

  /** Pods that use a ConfigMap or Secret get its new content, and those that lack it look again. */
  function followObjects(type: 'configmap' | 'secret'): () => void {
    const touched = ({ metadata }: { metadata: { namespace?: string; name?: string } }): void => {
      for (const pod of pods.list()) {
        if (pod.metadata.namespace !== metadata.namespace || !mentions(pod, type, metadata.name ?? '')) continue;
        const memory = reconciler.memoryOf(uidOf(pod));
        memory.renewAt = clock.now();
        memory.holds.clear();
        queue.enqueue(uidOf(pod));
      }
    };
    return objects.listen(type, { onPut: touched, onDelete: touched });
  }

  queue.start(scope);
  for (const pod of pods.list()) grants.notice(pod);
  const changed = (pod: Pod): void => {
    grants.notice(pod);
    const memory = reconciler.memoryOf(uidOf(pod));
    if (isTerminating(pod) && !(memory.pod && isTerminating(memory.pod))) reconciler.interrupt(uidOf(pod));
    // Volumes may show labels and annotations.
    if (memory.pod && !hasSameFields(memory.pod, pod)) memory.renewAt = clock.now();
    memory.pod = pod;
    memory.holds.clear();
    queue.enqueue(uidOf(pod));
  };
  const gone = (pod: Pod): void => {
    void grants.pods((uid) => uid !== uidOf(pod) || isHere(uid)).catch(() => undefined);
    reconciler.interrupt(uidOf(pod));
    changed(pod);
  };
  scope.defer('pods', pods.listen({ onPut: changed, onDelete: gone }));
  scope.defer('configmaps', followObjects('configmap'));
  scope.defer('secrets', followObjects('secret'));
  scope.defer(
    'link',
    deps.link.listen((isOnline) => {
      if (!isOnline) return;
      // What was asked for before the link broke may not have arrived; asking twice does no harm.
      for (const pod of pods.list()) {
        if (!isTerminating(pod)) continue;
        reconciler.memoryOf(uidOf(pod)).removalAsked = false;
        queue.enqueue(uidOf(pod));
      }
    }),
  );
  await wanted.start(scope, async (uid, signal) => {
    const { sandboxes, containers } = await observer.observe(uid, signal);
    return sandboxes.length + containers.length === 0;
  });
  evictor.start(scope);
  watchStorageLimits(
    {
      clock,
      log,
      files,
      cri,
      site: config.site,
      paths,
      pods: () => accepted().filter((pod) => reconciler.memoryOf(uidOf(pod)).failure === undefined),
      evict(pod, message) {
        log.warn('pod evicted', { pod: describePod(pod), reason: message });
        events.pod(pod, 'Warning', 'Evicted', message);
        evict(pod, message, 0);
      },
    },
    scope,
  );
  imageGc.start(scope);
  logRotation.start(scope);
  scope.spawn('runtime watch', (signal) => watch.run(signal));
  return {
    events,
    lookAgain: () => void enqueueAll(),
    reportAllAgain() {
      for (const pod of pods.list()) {
        reconciler.reportAgain(uidOf(pod));
        queue.enqueue(uidOf(pod));
      }
    },
    list: () =>
      [...pods.list()].map((pod) => {
        const { status } = reconciler.memoryOf(uidOf(pod));
        return status ? { ...pod, status } : pod;
      }),
    get pressures() {
      return evictor.pressures;
    },
    onPressure: (listener) => void pressed.push(listener),
    images: (signal) =>
      config.imagesInStatus === 0 ? Promise.resolve([]) : imageGc.list(config.imagesInStatus, signal),
    onReturn: (listener) => void returned.push(listener),
    extendedResources: () => grants.amounts(),
    onResources: (listener) => void moreResources.push(listener),
    accepted,
    end(pod, failure) {
      endPod(pod, failure);
      // A pull that is under way is not worth waiting for.
      reconciler.interrupt(uidOf(pod));
    },
    isOver: (pod) => reconciler.memoryOf(uidOf(pod)).isOver,
    refuseAll: (refusal) => void (closed = refusal),
  };
}

/** Loaded only where there are any. */
async function loadCredentialPlugins({ clock, log, processes, config }: EdgedDeps) {
  const { credentialProviders: settings } = config;
  if (!settings || !processes) return undefined;
  const { createCredentialPlugins } = await import('./images/credential-plugins.ts');
  return createCredentialPlugins({ clock, log, processes, settings }).credentials;
}

/** The files that running containers write to. */
function* runningLogs(
  pods: Iterable<Pod>,
  { memoryOf }: Pick<PodReconciler, 'memoryOf'>,
  paths: PodPaths,
): Generator<{ containerId: string; directory: string; name: string }> {
  for (const pod of pods) {
    const { status } = memoryOf(uidOf(pod));
    for (const { name, restartCount, state, containerID = '' } of [
      ...(status?.initContainerStatuses ?? []),
      ...(status?.containerStatuses ?? []),
    ]) {
      const containerId = containerID.split('://')[1];
      if (!state?.running || !containerId) continue;
      const [folder = '', file = ''] = paths.logFile(name, restartCount).split('/');
      yield { containerId, directory: `${paths.logDirectory(pod)}/${folder}`, name: file };
    }
  }
}

const hasEnded = ({ status }: PodMemory): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';

const hasSameFields = ({ metadata: a }: Pod, { metadata: b }: Pod): boolean =>
  JSON.stringify([a.labels, a.annotations]) === JSON.stringify([b.labels, b.annotations]);
