// Users of its own for a pod with `hostUsers: false`: a range of the host's user ids that no other pod has, noted in the
// pod's directory so that it stays the same for as long as the pod is here. The notes are as the kubelet writes them.
import type { Files } from '@kedge/core/ports';
import type { Pod } from '@kedge/model/k8s-types';
import { specOf, uidOf } from '../pod/pod-spec.ts';
import type { PodPaths } from './pod-paths.ts';

export interface IdMapping {
  readonly hostId: number;
  readonly containerId: number;
  readonly length: number;
}

export interface UserNamespaces {
  /** Undefined for a pod whose users are the host's. */
  of(pod: Pod): Promise<IdMapping | undefined>;
}

/** As many ids as there are in 16 bits: what images expect. The first range is the host's own users. */
const rangeLength = 65_536;
const ranges = 1_024;

export function createUserNamespaces({ files, paths }: { files: Files; paths: PodPaths }): UserNamespaces {
  /** One after the other: two pods at once would find the same range free. */
  let last: Promise<unknown> = Promise.resolve();

  const noteOf = (uid: string): string => `${paths.podDirectory(uid)}/userns`;

  async function read(uid: string): Promise<IdMapping | undefined> {
    try {
      const text = (await files.readText(noteOf(uid))) ?? '';
      const { uidMappings } = JSON.parse(text) as { uidMappings?: IdMapping[] };
      return uidMappings?.[0];
    } catch {
      return undefined;
    }
  }

  async function take(uid: string): Promise<IdMapping> {
    const noted = await read(uid);
    if (noted) return noted;
    const taken = new Set<number>();
    for (const other of (await files.list(paths.podsDirectory)) ?? []) taken.add((await read(other))?.hostId ?? 0);
    for (let n = 1; n <= ranges; n++) {
      const mapping = { hostId: n * rangeLength, containerId: 0, length: rangeLength };
      if (taken.has(mapping.hostId)) continue;
      const text = JSON.stringify({ uidMappings: [mapping], gidMappings: [mapping] });
      await files.writeAtomically(noteOf(uid), text, { mode: 0o600 });
      return mapping;
    }
    throw new Error(`all ${ranges} ranges of user ids are taken`);
  }

  return {
    of(pod) {
      if (specOf(pod).hostUsers !== false) return Promise.resolve(undefined);
      const mine = last.then(() => take(uidOf(pod)));
      last = mine.catch(() => undefined);
      return mine;
    },
  };
}
