// The pods that this node is to run: those that the cloud has bound to it, and those from files of the node. Mirrors, the
// cloud's pictures of the latter, are not run; they get the status of what they stand for.
import type { Scope } from '@kedge/core/flow';
import { type Clock, minutes } from '@kedge/core/time';
import type { Pod } from '@kedge/model/k8s-types';
import type { EdgedDeps } from '../edged-deps.ts';
import type { DesiredPods, Outbox } from '../ports.ts';
import type { StaticPods } from '../static-pods/static-pods.ts';
import { uidOf } from './pod-spec.ts';

const mirrorAnnotation = 'kubernetes.io/config.mirror';
const isMirror = ({ metadata }: Pod): boolean => metadata.annotations?.[mirrorAnnotation] !== undefined;

export interface WantedPods {
  readonly pods: DesiredPods;
  readonly outbox: Outbox;
  /** Looks for files from now on. */
  start(scope: Scope, isGone: (uid: string, signal: AbortSignal) => Promise<boolean>): Promise<void>;
}

type Listener = Parameters<DesiredPods['listen']>[0];

/** Where there is no folder or nothing in it, it is looked into so often. */
const lookForFolder = minutes(1);

export function createWantedPods(
  deps: Pick<EdgedDeps, 'clock' | 'log' | 'files' | 'pods' | 'outbox' | 'asks' | 'link' | 'config'> & { clock: Clock },
): WantedPods {
  const { pods, outbox, config, files, clock } = deps;
  const listeners = new Set<Listener>();
  let statics: StaticPods | undefined;
  /** Of static pods, the newest: a mirror that is made, or made again, gets it. */
  const statuses = new Map<string, Parameters<Outbox['podStatus']>[0]>();

  async function load(directory: string, scope: Scope, isGone: Parameters<WantedPods['start']>[1]): Promise<void> {
    const { createStaticPods } = await import('@kedge/edge/edged/static-pods');
    statics = createStaticPods({
      ...deps,
      node: config.node,
      directory,
      every: config.staticPods?.every ?? lookForFolder,
      mirrors: () => [...pods.list()].filter(isMirror),
      isGone,
      onPut: (pod) => listeners.forEach((listener) => listener.onPut(pod)),
      onDelete: (pod) => listeners.forEach((listener) => listener.onDelete(pod)),
    });
    statics.start(scope);
    scope.defer(
      'mirrors',
      deps.link.listen((isOnline) => isOnline && statics?.lookNow()),
    );
  }

  function mirrorCame(mirror: Pod): void {
    statics?.lookNow();
    const hash = mirror.metadata.annotations?.[mirrorAnnotation] ?? '';
    for (const uid of statuses.keys()) if (!statics?.get(uid)) statuses.delete(uid);
    const report = statuses.get(hash);
    // The cloud says nothing of a status it has been told before.
    if (report && !mirror.status?.startTime) void outbox.podStatus({ ...report, uid: uidOf(mirror) });
  }

  /** Mirrors that are left without any file have to go too. */
  const isNeeded = async (directory: string): Promise<boolean> =>
    [...pods.list()].some(isMirror) || ((await files.list(directory).catch(() => undefined)) ?? []).length > 0;

  return {
    pods: {
      *list() {
        for (const pod of pods.list()) if (!isMirror(pod)) yield pod;
        if (statics) yield* statics.list();
      },
      get(uid) {
        const pod = pods.get(uid);
        return pod && isMirror(pod) ? undefined : (pod ?? statics?.get(uid));
      },
      listen(listener) {
        listeners.add(listener);
        const stop = pods.listen({
          onPut: (pod) => (isMirror(pod) ? mirrorCame(pod) : listener.onPut(pod)),
          onDelete: (pod) => (isMirror(pod) ? statics?.lookNow() : listener.onDelete(pod)),
        });
        return () => {
          listeners.delete(listener);
          stop();
        };
      },
    },
    outbox: {
      event: (report) => outbox.event(report),
      async podStatus(report) {
        const pod = statics?.get(report.uid);
        if (!pod) return outbox.podStatus(report);
        statuses.set(report.uid, report);
        const mirror = statics?.mirrorOf(pod);
        if (mirror) await outbox.podStatus({ ...report, uid: uidOf(mirror) });
      },
      podDelete: (report) => outbox.podDelete(report),
    },
    async start(scope, isGone) {
      if (!config.staticPods) return;
      const { directory } = config.staticPods;
      if (await isNeeded(directory)) return load(directory, scope, isGone);
      scope.spawn('static pods', async (signal) => {
        while (!signal.aborted) {
          await clock.sleep('folder of static pods', lookForFolder, signal).catch(() => undefined);
          if (!signal.aborted && (await isNeeded(directory))) return load(directory, scope, isGone);
        }
      });
    },
  };
}
