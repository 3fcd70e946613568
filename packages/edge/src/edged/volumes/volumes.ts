// Sets up the volumes of pods below their directories, keeps those from the API current, and takes them down.
import { explain } from '@kedge/core/errors';
import type { Files, Mounts } from '@kedge/core/ports';
import { type Clock, type Instant, plus, seconds } from '@kedge/core/time';
import type { Pod, Volume } from '@kedge/model/k8s-types';
import { quantity, quantityUnits } from '@kedge/model/k8s-quantity';
import { allContainersOf, specOf, uidOf } from '../pod/pod-spec.ts';
import { podCgroupLimits } from '../runtime/pod-limits.ts';
import { isHugePages } from '../runtime/resources.ts';
import type { PodPaths } from '../runtime/pod-paths.ts';
import { writeAtomicDirectory } from './atomic-directory.ts';
import { checkHostPath } from './host-path.ts';
import { volumeContent, type VolumeInputs } from './volume-sources.ts';

export type VolumesResult =
  | {
      readonly ok: true;
      /** Host path of each volume by its name. */
      readonly paths: ReadonlyMap<string, string>;
      /** When content has to be fetched again, as for a token that runs out. */
      readonly renewAt: Instant | undefined;
    }
  | { readonly ok: false; readonly problem: string };

export interface Volumes {
  /** Also brings volumes that exist up to date: call it again after a change. */
  setUp(pod: Pod, inputs: Omit<VolumeInputs, 'now' | 'pod'>, signal: AbortSignal): Promise<VolumesResult>;
  /** Unmounts and removes everything below the pod's directory. */
  tearDown(uid: string): Promise<void>;
}

interface OneVolume {
  readonly path: string;
  readonly renewAt?: Instant | undefined;
}

export function createVolumes(deps: { files: Files; mounts: Mounts; clock: Clock; paths: PodPaths }): Volumes {
  const { files, mounts, clock, paths } = deps;
  let serial = 0;

  async function setUpOne(
    pod: Pod,
    volume: Volume,
    inputs: Omit<VolumeInputs, 'now' | 'pod'>,
    signal: AbortSignal,
  ): Promise<OneVolume | string> {
    const uid = uidOf(pod);
    const group = specOf(pod).securityContext?.fsGroup;
    if (volume.hostPath) {
      const { path, type = '' } = volume.hostPath;
      return (await checkHostPath(files, path, type)) ?? { path };
    }
    if (volume.emptyDir) {
      const path = paths.volume(uid, 'empty-dir', volume.name);
      await setUpEmptyDir(path, volume.emptyDir, {
        group,
        hugePageSizes: hugePageSizes(pod),
        memoryLimit: memoryLimitOf(pod),
      });
      return { path };
    }
    const content = await volumeContent(volume, { ...inputs, pod, now: clock.now() }, signal);
    if (!content) return 'this kind of volume is not supported';
    if (!content.ok) return content.problem;
    const path = paths.volume(uid, pluginOf(volume), volume.name);
    await files.makeDirectory(path, { mode: group === undefined ? 0o755 : 0o2775 });
    if (group !== undefined) await files.chown(path, 0, group);
    serial += 1;
    await writeAtomicDirectory(files, path, content.files, { group, serial: `${clock.now()}.${serial}` });
    return { path, renewAt: content.renewAt };
  }

  async function setUpEmptyDir(
    path: string,
    { medium = '', sizeLimit }: { medium?: string; sizeLimit?: string },
    {
      group,
      hugePageSizes: sizes,
      memoryLimit,
    }: { group: number | undefined; hugePageSizes: readonly string[]; memoryLimit: number | undefined },
  ): Promise<void> {
    const exists = (await files.info(path)) !== undefined;
    if (!exists) await files.makeDirectory(path);
    if (medium === 'Memory') {
      // What is in it counts as memory of the pod: more than the pod may have is of no use.
      const asked = sizeLimit === undefined ? 0 : Number(quantityUnits(quantity(sizeLimit)));
      const sizeBytes = asked > 0 ? Math.min(asked, memoryLimit ?? asked) : (memoryLimit ?? 0);
      await mounts.mountMemory(path, sizeBytes > 0 ? { sizeBytes } : {});
    } else if (medium.startsWith('HugePages')) {
      const [only, ...others] = sizes;
      const pageSize = medium === 'HugePages' && others.length === 0 ? only : medium.slice('HugePages-'.length);
      if (!pageSize) throw new Error(`medium "${medium}" needs the one size of huge pages that the pod requests`);
      await mounts.mountHugePages(path, { pageBytes: Number(quantityUnits(quantity(pageSize))) });
    } else if (exists) return;
    await files.chmod(path, group === undefined ? 0o777 : 0o2777);
    if (group !== undefined) await files.chown(path, 0, group);
  }

  return {
    async setUp(pod, inputs, signal) {
      const result = new Map<string, string>();
      let renewAt: Instant | undefined;
      for (const volume of specOf(pod).volumes ?? []) {
        // The runtime mounts images by itself.
        if (volume.image) continue;
        const one = await setUpOne(pod, volume, inputs, signal).catch((error: unknown) => {
          signal.throwIfAborted();
          return explain(error);
        });
        if (typeof one === 'string') return { ok: false, problem: `volume "${volume.name}": ${one}` };
        result.set(volume.name, one.path);
        if (one.renewAt !== undefined && (renewAt === undefined || one.renewAt < renewAt)) renewAt = one.renewAt;
      }
      // A clock that jumped may have put the renewal into the past: then it is due soon, not at once and for ever.
      const soonest = plus(clock.now(), seconds(30));
      return { ok: true, paths: result, renewAt: renewAt === undefined || renewAt > soonest ? renewAt : soonest };
    },
    async tearDown(uid) {
      const directory = paths.podDirectory(uid);
      for (const mount of await mounts.below(directory)) await mounts.unmount(mount);
      await files.remove(directory);
    },
  };
}

/** `2Mi` and the like, of all its containers. */
const hugePageSizes = (pod: Pod): string[] => [
  ...new Set(
    allContainersOf(pod)
      .flatMap(({ resources }) => Object.keys({ ...resources?.limits, ...resources?.requests }))
      .filter(isHugePages)
      .map((name) => name.slice('hugepages-'.length)),
  ),
];

const memoryLimitOf = (pod: Pod): number | undefined => podCgroupLimits(pod, { maxProcesses: 0 }).memoryBytes;

function pluginOf(volume: Volume): string {
  if (volume.configMap) return 'configmap';
  if (volume.secret) return 'secret';
  return volume.downwardAPI ? 'downward-api' : 'projected';
}
