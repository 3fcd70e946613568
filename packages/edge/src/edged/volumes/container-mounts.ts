// What a container mounts: its volumes, the hosts file of its pod and the file for its last words.
import { explain } from '@kedge/core/errors';
import type { Files, Mounts } from '@kedge/core/ports';
import type { Container, Pod } from '@kedge/model/k8s-types';
import { type Mount, MountPropagation } from '@kedge/wire/cri';
import { edgedErrors } from '../errors.ts';
import { expand } from '../env/expand.ts';
import { specOf, uidOf } from '../pod/pod-spec.ts';
import { defaultTerminationMessagePath } from '../runtime/labels.ts';
import type { PodPaths } from '../runtime/pod-paths.ts';
import type { IdMapping } from '../runtime/user-namespaces.ts';
import { resolveSubPath } from './sub-path.ts';

export interface MountInputs {
  readonly pod: Pod;
  readonly container: Container;
  readonly restartCount: number;
  readonly volumes: ReadonlyMap<string, string>;
  /** What the runtime calls the images that are volumes. */
  readonly images: ReadonlyMap<string, string>;
  readonly environment: ReadonlyMap<string, string>;
  /** Files in volumes belong to the pod's own users, where it has them. */
  readonly users: IdMapping | undefined;
  readonly canReadOnlyRecursively: boolean;
}

const propagations: Readonly<Record<string, MountPropagation>> = {
  None: MountPropagation.PROPAGATION_PRIVATE,
  HostToContainer: MountPropagation.PROPAGATION_HOST_TO_CONTAINER,
  Bidirectional: MountPropagation.PROPAGATION_BIDIRECTIONAL,
};

/** Throws EDGED_CONFIG. */
export async function containerMounts(
  inputs: MountInputs,
  { files, mounts: binds, paths }: { files: Files; mounts: Pick<Mounts, 'bindBelow'>; paths: PodPaths },
): Promise<Mount[]> {
  const { pod, container, restartCount, volumes, environment } = inputs;
  const problem = (reason: string): Error => edgedErrors.CONFIG({ container: container.name, reason });
  const mounts: Mount[] = [];

  /** Containers write into some volumes, and could put a link to the host's files in the way: those are mounted by what was looked at. */
  async function mountedSubPath(name: string, volume: string, subPath: string, nth: number): Promise<string> {
    const resolved = await resolveSubPath(files, volume, subPath);
    if ('problem' in resolved) throw problem(resolved.problem);
    const { inside } = resolved;
    const { emptyDir, hostPath } = specOf(pod).volumes?.find((one) => one.name === name) ?? {};
    if (!emptyDir && !hostPath) {
      const path = [volume, ...inside].join('/');
      if ((await files.info(path)) === undefined) await files.makeDirectory(path);
      return path;
    }
    const target = paths.subPath(uidOf(pod), name, container.name, nth);
    await binds.bindBelow(volume, inside, target).catch((error: unknown) => {
      throw problem(`subPath "${subPath}" of volume "${name}": ${explain(error)}`);
    });
    return target;
  }

  const mapped = inputs.users ? { uidMappings: [inputs.users], gidMappings: [inputs.users] } : {};
  for (const mount of container.volumeMounts ?? []) {
    const { name, mountPath, subPath, subPathExpr, readOnly, mountPropagation, recursiveReadOnly = 'Disabled' } = mount;
    const containerPath = mountPath.startsWith('/') ? mountPath : `/${mountPath}`;
    const image = inputs.images.get(name);
    if (image !== undefined) {
      mounts.push({ containerPath, image: { image }, readonly: true });
      continue;
    }
    const volume = volumes.get(name);
    if (volume === undefined) throw problem(`there is no volume "${name}"`);
    const inside = subPathExpr ? expand(subPathExpr, environment) : (subPath ?? '');
    // The API refuses both where they are written out; an expression shows only here what it is.
    if (inside.startsWith('/')) throw problem(`error SubPath "${inside}" must not be an absolute path`);
    if (inside.split('/').includes('..'))
      throw problem(`unable to provision SubPath "${inside}": must not contain '..'`);
    const hostPath = inside === '' ? volume : await mountedSubPath(name, volume, inside, mounts.length);
    mounts.push({
      ...mapped,
      containerPath,
      hostPath,
      readonly: readOnly ?? false,
      recursiveReadOnly: readOnly === true && recursiveReadOnly !== 'Disabled' && inputs.canReadOnlyRecursively,
      propagation: propagations[mountPropagation ?? 'None'] ?? MountPropagation.PROPAGATION_PRIVATE,
    });
  }
  const mounted = new Set(mounts.map(({ containerPath }) => containerPath));
  if (!mounted.has('/etc/hosts')) {
    mounts.push({ ...mapped, containerPath: '/etc/hosts', hostPath: paths.hostsFile(uidOf(pod)) });
  }
  const messagePath = container.terminationMessagePath ?? defaultTerminationMessagePath;
  if (messagePath !== '') {
    const file = paths.terminationMessage(uidOf(pod), container.name, restartCount);
    await files.makeDirectory(file.slice(0, file.lastIndexOf('/')));
    await files.append(file, '');
    // The container may run as any user.
    await files.chmod(file, 0o666);
    mounts.push({ ...mapped, containerPath: messagePath, hostPath: file });
  }
  return mounts;
}
