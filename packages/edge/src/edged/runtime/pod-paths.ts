// Where things of a pod are on the node; nothing else spells these paths.
import type { Pod } from '@kedge/model/k8s-types';
import { uidOf } from '../pod/pod-spec.ts';

export interface PodPaths {
  podDirectory(uid: string): string;
  volume(uid: string, plugin: string, name: string): string;
  /** Where a part of a volume is shown to be mounted in a container, as its nth mount. */
  subPath(uid: string, volume: string, container: string, nth: number): string;
  hostsFile(uid: string): string;
  terminationMessage(uid: string, container: string, restartCount: number): string;
  logDirectory(pod: Pod): string;
  /** Relative to the log directory. */
  logFile(container: string, restartCount: number): string;
  readonly seccompProfiles: string;
  readonly podsDirectory: string;
  readonly podLogsDirectory: string;
}

export function createPodPaths(config: { rootDirectory: string; podLogsDirectory: string }): PodPaths {
  const podsDirectory = `${config.rootDirectory}/pods`;
  const podDirectory = (uid: string): string => `${podsDirectory}/${uid}`;
  return {
    podsDirectory,
    podLogsDirectory: config.podLogsDirectory,
    podDirectory,
    volume: (uid, plugin, name) => `${podDirectory(uid)}/volumes/kubernetes.io~${plugin}/${name}`,
    subPath: (uid, volume, container, nth) => `${podDirectory(uid)}/volume-subpaths/${volume}/${container}/${nth}`,
    hostsFile: (uid) => `${podDirectory(uid)}/etc-hosts`,
    terminationMessage: (uid, container, restartCount) =>
      `${podDirectory(uid)}/containers/${container}/${restartCount}`,
    logDirectory: (pod) => `${config.podLogsDirectory}/${pod.metadata.namespace}_${pod.metadata.name}_${uidOf(pod)}`,
    logFile: (container, restartCount) => `${container}/${restartCount}.log`,
    seccompProfiles: `${config.rootDirectory}/seccomp`,
  };
}
