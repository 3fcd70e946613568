// What a container mounts: its volumes, the hosts file of its pod and the file for its last words.
import type { Files } from '@kedge/core/ports';
import type { Container, Pod } from '@kedge/model/k8s-types';
import { type Mount, MountPropagation } from '@kedge/wire/cri';
import { edgedErrors } from '../errors.ts';
import { expand } from '../env/expand.ts';
import { uidOf } from '../pod/pod-spec.ts';
import { defaultTerminationMessagePath } from '../runtime/labels.ts';
import type { PodPaths } from '../runtime/pod-paths.ts';
import { resolveSubPath } from './sub-path.ts';

export interface MountInputs {
  readonly pod: Pod;
  readonly container: Container;
  readonly restartCount: number;
  readonly volumes: ReadonlyMap<string, string>;
  readonly environment: ReadonlyMap<string, string>;
}

const propagations: Readonly<Record<string, MountPropagation>> = {
  None: MountPropagation.PROPAGATION_PRIVATE,
  HostToContainer: MountPropagation.PROPAGATION_HOST_TO_CONTAINER,
  Bidirectional: MountPropagation.PROPAGATION_BIDIRECTIONAL,
};

/** Throws EDGED_CONFIG. */
export async function containerMounts(inputs: MountInputs, files: Files, paths: PodPaths): Promise<Mount[]> {
  const { pod, container, restartCount, volumes, environment } = inputs;
  const problem = (reason: string): Error => edgedErrors.CONFIG({ container: container.name, reason });
  const mounts: Mount[] = [];
  for (const { name, mountPath, subPath, subPathExpr, readOnly, mountPropagation } of container.volumeMounts ?? []) {
    const volume = volumes.get(name);
    if (volume === undefined) throw problem(`there is no volume "${name}"`);
    const inside = subPathExpr ? expand(subPathExpr, environment) : (subPath ?? '');
    const resolved = inside === '' ? { path: volume } : await resolveSubPath(files, volume, inside);
    if ('problem' in resolved) throw problem(resolved.problem);
    mounts.push({
      containerPath: mountPath.startsWith('/') ? mountPath : `/${mountPath}`,
      hostPath: resolved.path,
      readonly: readOnly ?? false,
      propagation: propagations[mountPropagation ?? 'None'] ?? MountPropagation.PROPAGATION_PRIVATE,
    });
  }
  const mounted = new Set(mounts.map(({ containerPath }) => containerPath));
  if (!mounted.has('/etc/hosts')) {
    mounts.push({ containerPath: '/etc/hosts', hostPath: paths.hostsFile(uidOf(pod)) });
  }
  const messagePath = container.terminationMessagePath ?? defaultTerminationMessagePath;
  if (messagePath !== '') {
    const file = paths.terminationMessage(uidOf(pod), container.name, restartCount);
    await files.makeDirectory(file.slice(0, file.lastIndexOf('/')));
    await files.append(file, '');
    // The container may run as any user.
    await files.chmod(file, 0o666);
    mounts.push({ containerPath: messagePath, hostPath: file });
  }
  return mounts;
}
