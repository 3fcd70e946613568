// A cluster without any storage: where tests of everything else begin.
import type { VolumeFacts } from '../filters/filter.ts';

export const noStorage: VolumeFacts = {
  claim: () => undefined,
  volume: () => undefined,
  volumes: () => [],
  storageClass: () => undefined,
  csiNode: () => undefined,
  csiDriver: () => undefined,
  capacities: () => [],
};
