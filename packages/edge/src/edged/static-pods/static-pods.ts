// Pods from files of the node: they run without any cloud. So that the cloud can see them, each has a mirror pod there,
// which is made and kept equal from here; what the cloud does to a mirror does nothing to the pod.
import { explain } from '@kedge/core/errors';
import { type Scope, Wakeup } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Files } from '@kedge/core/ports';
import { type Clock, type Duration, seconds, toTime } from '@kedge/core/time';
import { type NodeName, uid as asUid } from '@kedge/model/k8s';
import type { Node, Pod } from '@kedge/model/k8s-types';
import { uidOf } from '../pod/pod-spec.ts';
import type { Asks, Link } from '../ports.ts';
import { configHash, readManifest } from './read-manifest.ts';

export interface StaticPodsDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly files: Pick<Files, 'list' | 'info' | 'readText'>;
  readonly asks: Asks;
  readonly link: Pick<Link, 'isOnline'>;
  readonly node: NodeName;
  readonly directory: string;
  readonly every: Duration;
  /** Mirrors that the cloud has told of. */
  readonly mirrors: () => Iterable<Pod>;
  /** Nothing of the pod is left in the runtime. */
  readonly isGone: (uid: string, signal: AbortSignal) => Promise<boolean>;
  readonly onPut: (pod: Pod) => void;
  readonly onDelete: (last: Pod) => void;
}

export interface StaticPods {
  start(scope: Scope): void;
  list(): Iterable<Pod>;
  get(uid: string): Pod | undefined;
  /** The mirror that stands for this static pod in the cloud. */
  mirrorOf(pod: Pod): Pod | undefined;
  /** Mirrors, or the link, have changed. */
  lookNow(): void;
}

const mirrorAnnotation = 'kubernetes.io/config.mirror';
const maxPods = 64;
/** A pod whose file changed makes room for the one that follows it. */
const lookForEnd = seconds(1);

export function createStaticPods(deps: StaticPodsDeps): StaticPods {
  const { clock, files, asks, node, directory } = deps;
  const log = deps.log.child({ module: 'static-pods' });
  const pods = new Map<string, Pod>();
  /** Paths by uid. */
  let sourceOf: ReadonlyMap<string, string> = new Map();
  /** By namespace and name: they end before another of their name may start. */
  const ending = new Map<string, string>();
  const complaints = new Map<string, string>();
  const wakeup = new Wakeup();
  const nodeRef = { type: 'node', namespace: undefined, name: node };

  const nameOf = ({ metadata }: Pod): string => `${metadata.namespace}/${metadata.name}`;
  const mirrorOf = (pod: Pod): Pod | undefined => {
    const found = [...deps.mirrors()].find((mirror) => nameOf(mirror) === nameOf(pod));
    return found?.metadata.annotations?.[mirrorAnnotation] === uidOf(pod) ? found : undefined;
  };

  function complain(file: string, what: string | undefined): void {
    if (what !== undefined && complaints.get(file) !== what)
      log.error('manifest ignored', { path: file, reason: what });
    if (what === undefined) complaints.delete(file);
    else complaints.set(file, what);
  }

  async function read(): Promise<Map<string, Pod>> {
    const wanted = new Map<string, Pod>();
    const sources = new Map<string, string>();
    const names = new Set<string>();
    // Files that editors and package managers leave beside are no manifests.
    const listed = ((await files.list(directory)) ?? []).filter((name) => !name.startsWith('.')).sort();
    for (const file of listed.slice(0, maxPods)) {
      const path = `${directory}/${file}`;
      const text = (await files.info(path))?.kind === 'directory' ? undefined : await files.readText(path);
      if (text === undefined) continue;
      const pod = readManifest(text, path, node, toTime(clock.now()));
      if (typeof pod === 'string') {
        complain(path, pod);
        // Half written, or wrong: what runs from it runs on.
        for (const [uid, known] of pods) if (sourceOf.get(uid) === path) keep(uid, known, path);
        continue;
      }
      const isTaken = names.has(nameOf(pod));
      complain(path, isTaken ? `there is another pod ${nameOf(pod)}` : undefined);
      if (!isTaken) keep(uidOf(pod), pods.get(uidOf(pod)) ?? pod, path);
    }
    const paths = new Set(listed.map((file) => `${directory}/${file}`));
    for (const path of complaints.keys()) if (!paths.has(path)) complaints.delete(path);
    sourceOf = sources;
    return wanted;

    function keep(uid: string, pod: Pod, path: string): void {
      wanted.set(uid, pod);
      names.add(nameOf(pod));
      sources.set(uid, path);
    }
  }
  /** True while one waits for another to end. */
  async function look(signal: AbortSignal): Promise<boolean> {
    const wanted = await read();
    for (const [uid, pod] of pods) {
      if (wanted.has(uid)) continue;
      pods.delete(uid);
      ending.set(nameOf(pod), uid);
      log.info('static pod is no longer wanted', { pod: nameOf(pod), uid });
      deps.onDelete(pod);
    }
    let isWaiting = false;
    // Nobody waits for those that nothing follows.
    const names = new Set([...wanted.values()].map(nameOf));
    for (const [name, uid] of ending) {
      if (!names.has(name) && (await deps.isGone(uid, signal))) ending.delete(name);
    }
    for (const [uid, pod] of wanted) {
      if (pods.has(uid)) continue;
      const before = ending.get(nameOf(pod));
      if (before !== undefined && before !== uid && !(await deps.isGone(before, signal))) {
        isWaiting = true;
        continue;
      }
      ending.delete(nameOf(pod));
      pods.set(uid, pod);
      log.info('static pod', { pod: nameOf(pod), uid, path: sourceOf.get(uid) ?? '' });
      deps.onPut(pod);
    }
    return isWaiting;
  }

  /** False when the Node that mirrors belong to is still to be made. */
  async function keepMirrors(signal: AbortSignal): Promise<boolean> {
    if (!deps.link.isOnline) return true;
    for (const mirror of deps.mirrors()) {
      const pod = pods.get(mirror.metadata.annotations?.[mirrorAnnotation] ?? '');
      if (pod && nameOf(pod) === nameOf(mirror) && mirror.metadata.deletionTimestamp === undefined) continue;
      const question = { ref: refOf(mirror), uid: asUid(uidOf(mirror)), gracePeriodSeconds: 0 };
      await asks.ask({ kind: 'pod.delete', ...question }, signal);
    }
    for (const pod of pods.values()) {
      if ([...deps.mirrors()].some((mirror) => nameOf(mirror) === nameOf(pod))) continue;
      const owner = await asks.ask<Node>({ kind: 'object.get', ref: nodeRef }, signal);
      // Its owner is the Node: without one it would be taken for a leftover.
      if (!owner.ok) return false;
      const object = mirrorFor(pod, owner.value);
      const made = await asks.ask({ kind: 'object.create', ref: refOf(pod), object }, signal);
      if (!made.ok && made.status.reason !== 'AlreadyExists') {
        log.warn('a static pod cannot be shown in the cloud', { pod: nameOf(pod), reason: made.status.message });
      }
    }
    return true;
  }

  return {
    start(scope) {
      scope.spawn('static pods', async (signal) => {
        while (!signal.aborted) {
          let isWaiting = false;
          try {
            isWaiting = await look(signal);
            isWaiting = !(await keepMirrors(signal)) || isWaiting;
          } catch (error) {
            if (signal.aborted) return;
            log.warn('static pods could not be looked at', { path: directory, reason: explain(error) });
          }
          const woken = new AbortController();
          const stop = AbortSignal.any([signal, woken.signal]);
          await Promise.race([
            clock.sleep('static pods', isWaiting ? lookForEnd : deps.every, stop).catch(() => undefined),
            wakeup.wait(stop).catch(() => undefined),
          ]);
          woken.abort();
        }
      });
    },
    list: () => pods.values(),
    get: (uid) => pods.get(uid),
    mirrorOf,
    lookNow: () => wakeup.wake(),
  };
}

const refOf = ({ metadata }: Pod) => ({ type: 'pod', namespace: metadata.namespace, name: metadata.name ?? '' });

function mirrorFor(pod: Pod, owner: Node): Pod {
  const { uid: _, ...metadata } = pod.metadata;
  const annotations = { ...metadata.annotations, [mirrorAnnotation]: pod.metadata.annotations?.[configHash] ?? '' };
  const { name = '', uid = '' } = owner.metadata;
  return {
    ...pod,
    metadata: {
      ...metadata,
      annotations,
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid, controller: true }],
    },
  };
}
