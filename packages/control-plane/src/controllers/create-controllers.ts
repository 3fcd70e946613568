// Puts the controllers of a cluster together over one set of local copies.
import type { Log } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import type { Random } from '@kedge/core/ports';
import type { Clock } from '@kedge/core/time';
import type { EventSink } from '@kedge/engine/event-recorder';
import type { KubeApi, SharedInformers } from '@kedge/engine/kube-client';
import { createBootstrapSigner, createTokenCleaner } from './bootstraptokens/bootstrap-tokens.ts';
import { createCertificateController, type Signing } from './certificates/certificate-controller.ts';
import { createCertificateRequestCleaner } from './certificates/csr-cleaner.ts';
import { createCronJobController } from './cronjob/cron-job-controller.ts';
import { createDaemonSetController } from './daemonset/daemon-set-controller.ts';
import { createDeploymentController } from './deployment/deployment-controller.ts';
import { createDisruptionController } from './disruption/disruption-controller.ts';
import { createEndpointSliceController } from './endpoints/endpoint-slice-controller.ts';
import { createEndpointSliceMirroring } from './endpoints/endpoint-slice-mirroring.ts';
import { createEndpointsController } from './endpoints/endpoints-controller.ts';
import { createGarbageCollector } from './garbagecollector/garbage-collector.ts';
import { createHorizontalPodAutoscalerController } from './horizontalpodautoscaler/horizontal-pod-autoscaler-controller.ts';
import { createJobController } from './job/job-controller.ts';
import { createNamespaceController } from './namespace/namespace-controller.ts';
import { createNodeLifecycleController } from './nodelifecycle/node-lifecycle-controller.ts';
import { createTaintEviction } from './nodelifecycle/taint-eviction.ts';
import { createPodGc } from './podgc/pod-gc.ts';
import { createReplicaSetController, createReplicationController } from './replicaset/replica-set-controller.ts';
import { createResourceQuotaController } from './resourcequota/resource-quota-controller.ts';
import { createRootCaPublisher } from './rootca/root-ca-publisher.ts';
import { createClusterView } from './runtime/cluster-view.ts';
import type { ControllerDeps } from './runtime/controller.ts';
import { createServiceAccountController } from './serviceaccount/service-account-controller.ts';
import { createTokenController } from './serviceaccount/token-controller.ts';
import { createStatefulSetController } from './statefulset/stateful-set-controller.ts';
import { createTtlAfterFinished } from './ttlafterfinished/ttl-after-finished.ts';
import { createEphemeralClaims } from './volumes/ephemeral-claims.ts';
import { createClaimProtection, createVolumeProtection } from './volumes/protection.ts';
import { createVolumeBinder } from './volumes/volume-binder.ts';

/** As kube-controller-manager spells them, in the order in which they start. */
export const controllerNames = [
  'namespace-controller',
  'serviceaccount-controller',
  'root-ca-certificate-publisher-controller',
  'serviceaccount-token-controller',
  'token-cleaner-controller',
  'bootstrap-signer-controller',
  'persistentvolumeclaim-protection-controller',
  'persistentvolume-protection-controller',
  'persistentvolume-binder-controller',
  'ephemeral-volume-controller',
  'replicaset-controller',
  'replicationcontroller-controller',
  'deployment-controller',
  'daemonset-controller',
  'statefulset-controller',
  'job-controller',
  'ttl-after-finished-controller',
  'cronjob-controller',
  'disruption-controller',
  'horizontal-pod-autoscaler-controller',
  'resourcequota-controller',
  'certificatesigningrequest-signing-controller',
  'certificatesigningrequest-cleaner-controller',
  'endpoints-controller',
  'endpointslice-controller',
  'endpointslice-mirroring-controller',
  'node-lifecycle-controller',
  'taint-eviction-controller',
  'pod-garbage-collector-controller',
  'garbage-collector-controller',
] as const;

export type ControllerName = (typeof controllerNames)[number];

export interface ControllersOptions {
  readonly api: KubeApi;
  /** Shared with the scheduler; started before the controllers. */
  readonly informers: SharedInformers;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  /** PEM of the CA that signed the API server's certificate. */
  readonly rootCa: string;
  /** What the cluster's own signers sign certificates with; without it nobody does. */
  readonly signing?: Signing;
  /** Which of them run; all when absent. */
  readonly isOn?: (name: ControllerName) => boolean;
}

export function createControllers(options: ControllersOptions): Module {
  const { api, informers, events, clock, log, random, rootCa, signing, isOn = () => true } = options;
  const deps: ControllerDeps = {
    api,
    clock,
    random,
    log: log.child({ module: 'controllers' }),
    cluster: createClusterView(informers),
    events: events.from,
  };
  const made: Readonly<Record<ControllerName, (() => Module) | undefined>> = {
    'namespace-controller': () => createNamespaceController(deps),
    'serviceaccount-controller': () => createServiceAccountController(deps),
    'root-ca-certificate-publisher-controller': () => createRootCaPublisher({ ...deps, rootCa }),
    'serviceaccount-token-controller': () => createTokenController({ ...deps, rootCa }),
    'token-cleaner-controller': () => createTokenCleaner(deps),
    'bootstrap-signer-controller': () => createBootstrapSigner(deps),
    'persistentvolumeclaim-protection-controller': () => createClaimProtection(deps),
    'persistentvolume-protection-controller': () => createVolumeProtection(deps),
    'persistentvolume-binder-controller': () => createVolumeBinder(deps),
    'ephemeral-volume-controller': () => createEphemeralClaims(deps),
    'replicaset-controller': () => createReplicaSetController(deps),
    'replicationcontroller-controller': () => createReplicationController(deps),
    'deployment-controller': () => createDeploymentController(deps),
    'daemonset-controller': () => createDaemonSetController(deps),
    'statefulset-controller': () => createStatefulSetController(deps),
    'job-controller': () => createJobController(deps),
    'ttl-after-finished-controller': () => createTtlAfterFinished(deps),
    'cronjob-controller': () => createCronJobController(deps),
    'disruption-controller': () => createDisruptionController(deps),
    'horizontal-pod-autoscaler-controller': () => createHorizontalPodAutoscalerController(deps),
    'resourcequota-controller': () => createResourceQuotaController(deps),
    'certificatesigningrequest-signing-controller':
      signing && (() => createCertificateController({ ...deps, signing })),
    'certificatesigningrequest-cleaner-controller':
      signing && (() => createCertificateRequestCleaner({ ...deps, keys: signing.keys })),
    'endpoints-controller': () => createEndpointsController(deps),
    'endpointslice-controller': () => createEndpointSliceController(deps),
    'endpointslice-mirroring-controller': () => createEndpointSliceMirroring(deps),
    'node-lifecycle-controller': () => createNodeLifecycleController(deps),
    'taint-eviction-controller': () => createTaintEviction(deps),
    'pod-garbage-collector-controller': () => createPodGc(deps),
    'garbage-collector-controller': () => createGarbageCollector(deps),
  };
  const controllers = controllerNames.filter(isOn).flatMap((name) => made[name]?.() ?? []);
  return {
    name: 'controllers',
    async start(scope) {
      await Promise.all(controllers.map((controller) => controller.start(scope)));
    },
  };
}
