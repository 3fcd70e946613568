// Binds claims to volumes that exist. Making volumes is the business of provisioners: they are told where it is wanted,
// and what they make is bound here.
import { again, done, type Next } from '@kedge/core/control';
import type { Module } from '@kedge/core/module';
import { seconds } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import { isStatus, objectKey } from '@kedge/model/k8s';
import { findVolume, isVolumeFor, storageClassOf } from '@kedge/model/k8s-scheduling';
import type { PersistentVolume, PersistentVolumeClaim } from '@kedge/model/k8s-types';
import { type ControllerDeps, createController } from '../runtime/controller.ts';
import { writeStatus } from '../runtime/status-patch.ts';

const { persistentVolumeClaims, persistentVolumes, storageClasses } = collections;
const completed = 'pv.kubernetes.io/bind-completed';
const byController = 'pv.kubernetes.io/bound-by-controller';
const provisionedBy = 'pv.kubernetes.io/provisioned-by';
const provisioner = 'volume.kubernetes.io/storage-provisioner';
const oldProvisioner = 'volume.beta.kubernetes.io/storage-provisioner';
const selectedNode = 'volume.kubernetes.io/selected-node';
const noProvisioner = 'kubernetes.io/no-provisioner';
const lookAgain = again(seconds(15), 'a volume may be made or freed');

export function createVolumeBinder(deps: ControllerDeps): Module {
  const { api, cluster, log } = deps;
  const events = deps.events('persistentvolume-controller');
  const claims = cluster.of(persistentVolumeClaims);
  const volumes = cluster.of(persistentVolumes);
  const classes = cluster.of(storageClasses);

  const reconcile = (key: string, signal: AbortSignal): Promise<Next> =>
    key.includes('/') ? reconcileClaim(key, signal) : reconcileVolume(key, signal);

  async function reconcileClaim(key: string, signal: AbortSignal): Promise<Next> {
    const claim = claims.get(key);
    if (!claim) return done;
    if (claim.metadata.annotations?.[completed] !== undefined) return keepBound(claim, signal);
    if (claim.metadata.deletionTimestamp !== undefined) return done;
    const wanted = claim.spec?.volumeName;
    if (wanted) return bindNamed(claim, wanted, signal);
    const waits = classes.get(storageClassOf(claim))?.volumeBindingMode === 'WaitForFirstConsumer';
    // Which volume depends on the node then: the scheduler sets one aside, or says where one is to be made.
    const isDecided = claim.metadata.annotations?.[selectedNode] !== undefined;
    const volume = waits
      ? [...volumes.list()].find((one) => isVolumeFor(one, claim))
      : findVolume(claim, volumes.list());
    if (volume) return bind(claim, volume, signal);
    await setPhase(claim, 'Pending', signal);
    if (waits && !isDecided) {
      events.normal(claim, 'WaitForFirstConsumer', 'waiting for first consumer to be created before binding');
      return done;
    }
    return waitForVolume(claim, signal);
  }

  async function waitForVolume(claim: PersistentVolumeClaim, signal: AbortSignal): Promise<Next> {
    const name = storageClassOf(claim);
    const maker = classes.get(name)?.provisioner;
    if (name === '') {
      const message = 'no persistent volumes available for this claim and no storage class is set';
      events.normal(claim, 'FailedBinding', message);
    } else if (maker === undefined) {
      events.warning(claim, 'ProvisioningFailed', `storageclass.storage.k8s.io "${name}" not found`);
    } else if (maker === noProvisioner) {
      events.normal(claim, 'FailedBinding', 'no volume plugin matched');
    } else {
      await askProvisioner(claim, maker, signal);
    }
    return lookAgain;
  }

  async function askProvisioner(claim: PersistentVolumeClaim, maker: string, signal: AbortSignal): Promise<void> {
    events.normal(
      claim,
      'ExternalProvisioning',
      `Waiting for a volume to be created either by the external provisioner '${maker}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`,
    );
    if (claim.metadata.annotations?.[provisioner] === maker) return;
    await patchClaim(claim, { metadata: { annotations: { [provisioner]: maker, [oldProvisioner]: maker } } }, signal);
  }

  async function bindNamed(claim: PersistentVolumeClaim, wanted: string, signal: AbortSignal): Promise<Next> {
    const volume = volumes.get(wanted);
    if (volume && (!volume.spec?.claimRef || isVolumeFor(volume, claim))) return bind(claim, volume, signal);
    await setPhase(claim, 'Pending', signal);
    if (volume) events.warning(claim, 'FailedBinding', `volume "${wanted}" already bound to a different claim.`);
    return lookAgain;
  }

  /** The volume first: a claim that points to it is never without. */
  async function bind(claim: PersistentVolumeClaim, volume: PersistentVolume, signal: AbortSignal): Promise<Next> {
    const { namespace = '', name = '', uid = '', resourceVersion } = claim.metadata;
    if (volume.spec?.claimRef?.uid !== uid) {
      const isOwn = volume.spec?.claimRef === undefined;
      const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid, resourceVersion };
      const metadata = {
        resourceVersion: volume.metadata.resourceVersion,
        ...(isOwn ? { annotations: { [byController]: 'yes' } } : {}),
      };
      const patch = JSON.stringify({ metadata, spec: { claimRef } });
      if (!(await written(() => api.patch(persistentVolumes, nameOf(volume), 'merge', patch, { signal })))) return done;
    }
    await setVolumePhase(volume, 'Bound', signal);
    const isOwnChoice = !claim.spec?.volumeName;
    const annotations = { [completed]: 'yes', ...(isOwnChoice ? { [byController]: 'yes' } : {}) };
    const spec = { volumeName: volume.metadata.name };
    if (await patchClaim(claim, { metadata: { annotations }, spec }, signal)) {
      await setBound(claim, volume, signal);
      log.info('claim bound', { key: objectKey(claim), to: volume.metadata.name });
    }
    return done;
  }

  async function keepBound(claim: PersistentVolumeClaim, signal: AbortSignal): Promise<Next> {
    const volume = volumes.get(claim.spec?.volumeName ?? '');
    if (!volume)
      return lose(claim, 'ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!', signal);
    if (!volume.spec?.claimRef) return bind(claim, volume, signal);
    if (!isVolumeFor(volume, claim)) {
      const message = 'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!';
      return lose(claim, 'ClaimMisbound', message, signal);
    }
    await setVolumePhase(volume, 'Bound', signal);
    if (claim.status?.phase !== 'Bound') await setBound(claim, volume, signal);
    return done;
  }

  async function lose(
    claim: PersistentVolumeClaim,
    reason: string,
    message: string,
    signal: AbortSignal,
  ): Promise<Next> {
    if (claim.status?.phase === 'Lost') return done;
    await setPhase(claim, 'Lost', signal);
    events.warning(claim, reason, message);
    return done;
  }

  async function reconcileVolume(name: string, signal: AbortSignal): Promise<Next> {
    const volume = volumes.get(name);
    if (!volume) return done;
    const ref = volume.spec?.claimRef;
    if (!ref || !ref.uid) {
      await setVolumePhase(volume, 'Available', signal);
      return done;
    }
    const claim = await currentClaim(`${ref.namespace}/${ref.name}`, signal);
    if (claim?.metadata.uid === ref.uid) return done;
    await setVolumePhase(volume, 'Released', signal);
    return reclaim(volume, signal);
  }

  /** Read afresh: a volume is not given up because a copy is behind. */
  async function currentClaim(key: string, signal: AbortSignal): Promise<PersistentVolumeClaim | undefined> {
    const known = claims.get(key);
    if (known) return known;
    const [namespace, name = ''] = key.split('/');
    try {
      return (await api.get(persistentVolumeClaims, { namespace, name }, { signal })) as PersistentVolumeClaim;
    } catch (error) {
      if (isStatus(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  /** Whoever made a volume deletes it; what a person made is kept, and it is said when that was not the wish. */
  async function reclaim(volume: PersistentVolume, signal: AbortSignal): Promise<Next> {
    const { persistentVolumeReclaimPolicy: policy = 'Retain' } = volume.spec ?? {};
    const isMade = volume.metadata.annotations?.[provisionedBy] !== undefined || volume.spec?.csi !== undefined;
    if (policy === 'Retain' || isMade || volume.status?.phase === 'Failed') return done;
    const { name } = volume.metadata;
    const what = policy === 'Recycle' ? 'recycler' : 'deleter';
    const message = `error getting ${what} volume plugin for volume "${name}": no volume plugin matched`;
    events.warning(volume, policy === 'Recycle' ? 'VolumeFailedRecycle' : 'VolumeFailedDelete', message);
    await writeStatus(api, persistentVolumes, volume, { ...volume.status, phase: 'Failed', message }, { signal });
    return done;
  }

  async function setVolumePhase(volume: PersistentVolume, phase: string, signal: AbortSignal): Promise<void> {
    if (volume.status?.phase === phase || (phase === 'Released' && volume.status?.phase === 'Failed')) return;
    const { message: _, ...status } = volume.status ?? {};
    await written(() => writeStatus(api, persistentVolumes, volume, { ...status, phase }, { signal }));
  }

  async function setPhase(claim: PersistentVolumeClaim, phase: string, signal: AbortSignal): Promise<void> {
    await written(() => writeStatus(api, persistentVolumeClaims, claim, { ...claim.status, phase }, { signal }));
  }

  async function setBound(
    claim: PersistentVolumeClaim,
    { spec }: PersistentVolume,
    signal: AbortSignal,
  ): Promise<void> {
    const status = {
      ...claim.status,
      phase: 'Bound',
      ...(spec?.accessModes ? { accessModes: spec.accessModes } : {}),
      ...(spec?.capacity ? { capacity: spec.capacity } : {}),
    };
    await written(() => writeStatus(api, persistentVolumeClaims, claim, status, { signal }));
  }

  const patchClaim = ({ metadata }: PersistentVolumeClaim, patch: object, signal: AbortSignal): Promise<boolean> => {
    const { namespace, name = '' } = metadata;
    return written(() =>
      api.patch(persistentVolumeClaims, { namespace, name }, 'merge', JSON.stringify(patch), { signal }),
    );
  };

  return createController(deps, {
    name: 'persistentvolume-binder',
    // One at a time: no two claims may choose the same volume.
    parallel: 1,
    reads: [claims, volumes, classes],
    watch: (queue) => {
      const wakeWaiting = (): void => {
        for (const claim of claims.list()) if (claim.status?.phase !== 'Bound') queue.enqueue(objectKey(claim));
      };
      return [
        claims.listen({
          onPut: (claim) => queue.enqueue(objectKey(claim)),
          onDelete: ({ spec }) => queue.enqueue(spec?.volumeName ?? ''),
        }),
        volumes.listen({
          onPut(volume, before) {
            queue.enqueue(volume.metadata.name ?? '');
            const isFree = volume.spec?.claimRef === undefined || before?.spec?.claimRef !== volume.spec.claimRef;
            if (isFree) wakeWaiting();
          },
          onDelete({ spec }) {
            if (spec?.claimRef) queue.enqueue(`${spec.claimRef.namespace}/${spec.claimRef.name}`);
          },
        }),
        classes.listen({ onPut: wakeWaiting }),
      ];
    },
    reconcile,
  });
}

const nameOf = ({ metadata }: PersistentVolume): { name: string } => ({ name: metadata.name ?? '' });

/** False when the object was changed or deleted meanwhile: its change wakes us. */
async function written(write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    if (isStatus(error, 'NotFound') || isStatus(error, 'Conflict')) return false;
    throw error;
  }
}
