// Which of two versions of an object is the one to keep. Messages may come late, twice, or out of order.
import { compareVersions } from '@kedge/model/k8s';

export interface ObjectVersion {
  readonly uid: string;
  readonly version: string;
  /** RFC 3339 in UTC, so that text order is time order. */
  readonly created: string;
}

/**
 * True when `next` has to replace `stored`. Versions order one incarnation only: across incarnations the later creation
 * wins, so that an edge accepts objects of a cloud that was set up anew and counts from 1 again.
 */
export function supersedes(next: ObjectVersion, stored: ObjectVersion | undefined): boolean {
  if (!stored) return true;
  if (next.uid === stored.uid || next.created === stored.created)
    return compareVersions(next.version, stored.version) > 0;
  return next.created > stored.created;
}
