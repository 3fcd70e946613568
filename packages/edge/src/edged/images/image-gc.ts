// Keeps the images on the node from filling its disk. An image that a pod of this node names stays even when nothing
// runs from it just now: an edge that is cut off could not fetch it again.
import { explain } from '@kedge/core/errors';
import type { Scope } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Files } from '@kedge/core/ports';
import { type Clock, type Instant, minutes } from '@kedge/core/time';
import type { ContainerImage, Pod } from '@kedge/model/k8s-types';
import type { Cri } from '@kedge/wire/cri';
import type { EventRecorder } from '../events.ts';
import { specOf } from '../pod/pod-spec.ts';
import { parseImage } from './image-reference.ts';
import { type ImageGcSettings, type KnownImage, planImageGc } from './plan-image-gc.ts';

export interface ImageGcDeps {
  readonly cri: Cri;
  readonly clock: Clock;
  readonly log: Log;
  readonly files: Pick<Files, 'space'>;
  readonly events: EventRecorder;
  readonly settings: ImageGcSettings;
  readonly pods: () => Iterable<Pod>;
  /** Holds every pod together; no container list shows it. */
  readonly sandboxImage: string;
}

export interface ImageGc {
  start(scope: Scope): void;
  /** Removes every image that nobody needs; true when one went. */
  freeAll(signal: AbortSignal): Promise<boolean>;
  /** Where the runtime keeps images. */
  directory(signal: AbortSignal): Promise<string | undefined>;
  /** For the status of the node: the largest first, at most `limit`. */
  list(limit: number, signal: AbortSignal): Promise<ContainerImage[]>;
}

const every = minutes(5);
const namesShown = 5;

export function createImageGc(deps: ImageGcDeps): ImageGc {
  const { cri, clock, log, files, events, settings } = deps;
  const firstSeen = new Map<string, Instant>();
  const lastUsed = new Map<string, Instant>();
  let knownDirectory: string | undefined;

  async function directory(signal: AbortSignal): Promise<string | undefined> {
    if (knownDirectory !== undefined) return knownDirectory;
    const { imageFilesystems } = await cri.imageFsInfo({}, { signal });
    return (knownDirectory = imageFilesystems[0]?.fsId?.mountpoint || undefined);
  }

  /** References and ids that must stay. */
  async function wanted(signal: AbortSignal): Promise<Set<string>> {
    const { containers } = await cri.listContainers({}, { signal });
    const names = new Set(
      containers.flatMap(({ image, imageRef, imageId }) => [image?.image ?? '', imageRef, imageId]),
    );
    for (const written of [deps.sandboxImage, ...namedByPods(deps.pods())]) {
      names.add(written);
      const reference = parseImage(written);
      if (reference) names.add(reference.name);
    }
    return names;
  }

  async function look(signal: AbortSignal): Promise<KnownImage[]> {
    const [{ images }, names] = await Promise.all([cri.listImages({}, { signal }), wanted(signal)]);
    const now = clock.now();
    const present = new Set(images.map(({ id }) => id));
    for (const id of firstSeen.keys()) if (!present.has(id)) firstSeen.delete(id);
    for (const id of lastUsed.keys()) if (!present.has(id)) lastUsed.delete(id);
    return images.map(({ id, repoTags, repoDigests, size, pinned }) => {
      const isUsed = pinned || [id, ...repoTags, ...repoDigests].some((name) => names.has(name));
      if (!firstSeen.has(id)) firstSeen.set(id, now);
      if (isUsed) lastUsed.set(id, now);
      return {
        id,
        names: [...repoTags, ...repoDigests],
        bytes: Number(size),
        firstSeen: firstSeen.get(id) ?? now,
        lastUsed: lastUsed.get(id),
        isUsed,
      };
    });
  }

  async function remove(images: readonly KnownImage[], signal: AbortSignal): Promise<number> {
    let freed = 0;
    for (const { id, names, bytes } of images) {
      try {
        await cri.removeImage({ image: { image: id } }, { signal });
        freed += bytes;
        log.info('unused image removed', { image: names[0] ?? id, bytes });
      } catch (error) {
        signal.throwIfAborted();
        log.warn('image could not be removed', { image: names[0] ?? id, reason: explain(error) });
      }
    }
    return freed;
  }

  async function collect(signal: AbortSignal): Promise<void> {
    const images = await look(signal);
    const path = await directory(signal);
    if (path === undefined) return;
    const { remove: chosen, missingBytes } = planImageGc(images, await files.space(path), settings, clock.now());
    await remove(chosen, signal);
    if (missingBytes === 0) return;
    const say = `Failed to garbage collect required amount of images: ${missingBytes} bytes more should be free`;
    events.node('Warning', 'FreeDiskSpaceFailed', say);
    log.warn('the disk of images stays too full', { bytes: missingBytes });
  }

  return {
    directory,
    async freeAll(signal) {
      const disk = { totalBytes: 0, freeBytes: 0 };
      const { remove: chosen } = planImageGc(await look(signal), disk, settings, clock.now(), Number.MAX_SAFE_INTEGER);
      return (await remove(chosen, signal)) > 0;
    },
    async list(limit, signal) {
      const { images } = await cri.listImages({}, { signal });
      return images
        .toSorted((a, b) => Number(b.size - a.size) || (a.id < b.id ? -1 : 1))
        .slice(0, limit < 0 ? undefined : limit)
        .map(({ repoTags, repoDigests, size }) => ({
          names: [...repoDigests, ...repoTags].slice(0, namesShown),
          sizeBytes: Number(size),
        }));
    },
    start(scope) {
      scope.spawn('image garbage collection', async (signal) => {
        while (!signal.aborted) {
          await clock.sleep('image garbage collection', every, signal);
          await collect(signal).catch((error: unknown) => {
            signal.throwIfAborted();
            log.warn('unused images could not be looked for', { reason: explain(error) });
          });
        }
      });
    },
  };
}

function* namedByPods(pods: Iterable<Pod>): Generator<string> {
  for (const pod of pods) {
    const { initContainers = [], containers, ephemeralContainers = [] } = specOf(pod);
    for (const { image } of [...initContainers, ...containers, ...ephemeralContainers]) if (image) yield image;
  }
}
