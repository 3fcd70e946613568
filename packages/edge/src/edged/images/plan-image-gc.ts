// Which images go when their disk is too full, or when they have lain about for too long. Pure.
// Source: the kubelet's image garbage collection (imageGCHighThresholdPercent and its siblings).
import { type Duration, type Instant, plus } from '@kedge/core/time';

export interface KnownImage {
  readonly id: string;
  readonly names: readonly string[];
  readonly bytes: number;
  readonly firstSeen: Instant;
  /** Undefined: never, as far as is known. */
  readonly lastUsed: Instant | undefined;
  /** A pod of this node wants it, a container was made from it, or the runtime holds on to it. */
  readonly isUsed: boolean;
}

export interface ImageGcSettings {
  /** Shares of the disk in use: removal begins above `high` and ends at `low`. */
  readonly high: number;
  readonly low: number;
  /** Younger images are left alone: somebody may be about to use them. */
  readonly minAge: Duration;
  /** Unused for longer than this goes at any time; zero: never. */
  readonly maxAge: Duration;
}

export interface Disk {
  readonly totalBytes: number;
  readonly freeBytes: number;
}

export interface ImageGcPlan {
  readonly remove: readonly KnownImage[];
  /** What is missing to the goal after all of that, in bytes. */
  readonly missingBytes: number;
}

/** `need`: bytes to free whatever the shares say, as for eviction. */
export function planImageGc(
  images: readonly KnownImage[],
  disk: Disk,
  settings: ImageGcSettings,
  now: Instant,
  need = 0,
): ImageGcPlan {
  const usedBytes = disk.totalBytes - disk.freeBytes;
  const isFull = disk.totalBytes > 0 && usedBytes >= disk.totalBytes * settings.high;
  const goal = Math.max(need, isFull ? usedBytes - disk.totalBytes * settings.low : 0);
  const unused = images
    .filter(({ isUsed, firstSeen }) => !isUsed && now >= plus(firstSeen, settings.minAge))
    .toSorted((a, b) => (a.lastUsed ?? 0) - (b.lastUsed ?? 0) || a.firstSeen - b.firstSeen || (a.id < b.id ? -1 : 1));
  const remove: KnownImage[] = [];
  let freed = 0;
  for (const image of unused) {
    const isOld = settings.maxAge > 0 && now >= plus(image.lastUsed ?? image.firstSeen, settings.maxAge);
    if (!isOld && freed >= goal) continue;
    remove.push(image);
    freed += image.bytes;
  }
  return { remove, missingBytes: Math.max(0, Math.ceil(goal - freed)) };
}
