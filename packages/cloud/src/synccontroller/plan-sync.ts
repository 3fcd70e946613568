// Compares what is on record about a node with what the API has: pure, one record or object at a time.
import { compareVersions, type KubeObject } from '@kedge/model/k8s';

/** One record of the ledger. */
export interface Known {
  readonly uid: string;
  readonly version: string;
}

export type SyncStep =
  /** The object is gone, or another has its name: the node is told. */
  'delete' | 'put' | 'nothing';

/** `current`: the object of that name now. */
export function planSync(known: Known, current: KubeObject | undefined): SyncStep {
  if (!current || current.metadata.uid !== known.uid) return 'delete';
  return compareVersions(current.metadata.resourceVersion, known.version) > 0 ? 'put' : 'nothing';
}
