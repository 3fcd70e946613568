// Finds the log file of a container: each start writes one of its own, numbered by restarts.
import type { Files } from '@kedge/core/ports';
import type { Pod } from '@kedge/model/k8s-types';
import type { PodPaths } from '../runtime/pod-paths.ts';

export const createLogFiles =
  (files: Pick<Files, 'list'>, paths: PodPaths) =>
  async (pod: Pod, container: string, previous: boolean): Promise<string | undefined> => {
    const { spec } = pod;
    const all = [...(spec?.initContainers ?? []), ...(spec?.containers ?? []), ...(spec?.ephemeralContainers ?? [])];
    // The name comes from a stranger and becomes part of a path.
    if (!all.some(({ name }) => name === container)) return undefined;
    const starts = ((await files.list(`${paths.logDirectory(pod)}/${container}`)) ?? [])
      .flatMap((name) => /^(\d+)\.log$/.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => b - a);
    const start = starts[previous ? 1 : 0];
    return start === undefined ? undefined : `${paths.logDirectory(pod)}/${paths.logFile(container, start)}`;
  };
