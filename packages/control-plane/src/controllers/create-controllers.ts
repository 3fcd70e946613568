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
}

export function createControllers(options: ControllersOptions): Module {
  const { api, informers, events, clock, log, random, rootCa, signing } = options;
  const deps: ControllerDeps = {
    api,
    clock,
    random,
    log: log.child({ module: 'controllers' }),
    cluster: createClusterView(informers),
    events: events.from,
  };
  const controllers = [
    createNamespaceController(deps),
    createServiceAccountController(deps),
    createRootCaPublisher({ ...deps, rootCa }),
    createTokenController({ ...deps, rootCa }),
    createTokenCleaner(deps),
    createBootstrapSigner(deps),
    createClaimProtection(deps),
    createVolumeProtection(deps),
    createVolumeBinder(deps),
    createEphemeralClaims(deps),
    createReplicaSetController(deps),
    createReplicationController(deps),
    createDeploymentController(deps),
    createDaemonSetController(deps),
    createStatefulSetController(deps),
    createJobController(deps),
    createTtlAfterFinished(deps),
    createCronJobController(deps),
    createDisruptionController(deps),
    createHorizontalPodAutoscalerController(deps),
    createResourceQuotaController(deps),
    ...(signing
      ? [
          createCertificateController({ ...deps, signing }),
          createCertificateRequestCleaner({ ...deps, keys: signing.keys }),
        ]
      : []),
    createEndpointsController(deps),
    createEndpointSliceController(deps),
    createEndpointSliceMirroring(deps),
    createNodeLifecycleController(deps),
    createTaintEviction(deps),
    createPodGc(deps),
    createGarbageCollector(deps),
  ];
  return {
    name: 'controllers',
    async start(scope) {
      await Promise.all(controllers.map((controller) => controller.start(scope)));
    },
  };
}
