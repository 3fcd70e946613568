// What the container runtime says it can do beyond what every runtime can. Asked for when a pod wants such a thing, and
// again by the next one: a runtime may have been upgraded in between. Older runtimes say nothing, which means no.
import type { Cri } from '@kedge/wire/cri';

export interface RuntimeAbilities {
  readonly recursiveReadOnlyMounts: boolean;
  readonly userNamespaces: boolean;
  readonly strictSupplementalGroups: boolean;
}

/** `handler`: the runtime class's; empty for the default one. */
export async function readAbilities(cri: Cri, handler: string, signal: AbortSignal): Promise<RuntimeAbilities> {
  const { runtimeHandlers, features } = await cri.status({}, { signal });
  const found = runtimeHandlers.find(({ name }) => name === handler)?.features;
  return {
    recursiveReadOnlyMounts: found?.recursiveReadOnlyMounts ?? false,
    userNamespaces: found?.userNamespaces ?? false,
    strictSupplementalGroups: features?.supplementalGroupsPolicy ?? false,
  };
}
