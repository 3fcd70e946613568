// Names and uids of pods become names of files. The API server lets no harmful one through, but what comes over the
// link, or from a label in a shared runtime, is not believed to have passed it.
import type { Pod } from '@kedge/model/k8s-types';
import { allContainersOf, specOf } from './pod-spec.ts';

const longest = 253;

/** Letters, digits, dots, dashes and underscores, and neither `.` nor `..`. */
export const isSafeName = (name: string | undefined): boolean =>
  name !== undefined && name.length <= longest && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name);

/** The first name of a pod that must not be part of a path; undefined when all are fine. */
export function findUnsafeName(pod: Pod): string | undefined {
  const names = [
    pod.metadata.namespace,
    pod.metadata.name,
    ...allContainersOf(pod).map(({ name }) => name),
    ...(specOf(pod).volumes ?? []).map(({ name }) => name),
  ];
  const at = names.findIndex((name) => !isSafeName(name));
  return at < 0 ? undefined : String(names[at]);
}
