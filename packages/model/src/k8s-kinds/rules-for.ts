// The table of kinds that have rules.
import type { KubeObject } from '../k8s/index.ts';
import { validatingAdmissionPolicyBindingRules, validatingAdmissionPolicyRules } from './admission-policy.ts';
import { autoscalingV1Rules, horizontalPodAutoscalerRules } from './autoscaler.ts';
import { certificateRequestRules } from './certificate-request.ts';
import { configMapRules } from './config-map.ts';
import { csiDriverRules, csiNodeRules, csiStorageCapacityRules, volumeAttachmentRules } from './csi.ts';
import { customResourceDefinitionRules } from './custom-resource-definition.ts';
import { daemonSetRules } from './daemon-set.ts';
import { deploymentRules } from './deployment.ts';
import { endpointSliceRules, endpointsRules } from './endpoints.ts';
import { eventRules, eventsV1Rules } from './event.ts';
import { ingressClassRules, ingressRules } from './ingress.ts';
import { cronJobRules, jobRules } from './job.ts';
import { createRules } from './kind-rules.ts';
import type { KindRules } from './kind-rules.ts';
import { leaseRules } from './lease.ts';
import { namespaceRules } from './namespace.ts';
import { networkPolicyRules } from './network-policy.ts';
import { nodeRules } from './node.ts';
import { persistentVolumeClaimRules, persistentVolumeRules, storageClassRules } from './persistent-volume.ts';
import { podRules } from './pod.ts';
import { priorityClassRules } from './priority-class.ts';
import { limitRangeRules, resourceQuotaRules } from './quotas.ts';
import { clusterRoleBindingRules, clusterRoleRules, roleBindingRules, roleRules } from './rbac.ts';
import { replicaSetRules } from './replica-set.ts';
import { podDisruptionBudgetRules, replicationControllerRules } from './scaling.ts';
import { secretRules } from './secret.ts';
import { serviceRules } from './service.ts';
import { controllerRevisionRules, podTemplateRules, runtimeClassRules } from './small-kinds.ts';
import { statefulSetRules } from './stateful-set.ts';
import { mutatingWebhookRules, validatingWebhookRules } from './webhook-configuration.ts';

const rules: Readonly<Record<string, KindRules>> = {
  'v1 ConfigMap': configMapRules,
  'v1 Endpoints': endpointsRules,
  'v1 Event': eventRules,
  'v1 LimitRange': limitRangeRules,
  'v1 Namespace': namespaceRules,
  'v1 Node': nodeRules,
  'v1 PersistentVolume': persistentVolumeRules,
  'v1 PersistentVolumeClaim': persistentVolumeClaimRules,
  'v1 Pod': podRules,
  'v1 PodTemplate': podTemplateRules,
  'v1 ReplicationController': replicationControllerRules,
  'v1 ResourceQuota': resourceQuotaRules,
  'v1 Secret': secretRules,
  'v1 Service': serviceRules,
  'admissionregistration.k8s.io/v1 MutatingWebhookConfiguration': mutatingWebhookRules,
  'admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy': validatingAdmissionPolicyRules,
  'admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding': validatingAdmissionPolicyBindingRules,
  'admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration': validatingWebhookRules,
  'apiextensions.k8s.io/v1 CustomResourceDefinition': customResourceDefinitionRules,
  'apps/v1 ControllerRevision': controllerRevisionRules,
  'apps/v1 DaemonSet': daemonSetRules,
  'apps/v1 Deployment': deploymentRules,
  'apps/v1 ReplicaSet': replicaSetRules,
  'apps/v1 StatefulSet': statefulSetRules,
  'autoscaling/v1 HorizontalPodAutoscaler': autoscalingV1Rules,
  'autoscaling/v2 HorizontalPodAutoscaler': horizontalPodAutoscalerRules,
  'batch/v1 CronJob': cronJobRules,
  'batch/v1 Job': jobRules,
  'certificates.k8s.io/v1 CertificateSigningRequest': certificateRequestRules,
  'coordination.k8s.io/v1 Lease': leaseRules,
  'discovery.k8s.io/v1 EndpointSlice': endpointSliceRules,
  'events.k8s.io/v1 Event': eventsV1Rules,
  'networking.k8s.io/v1 Ingress': ingressRules,
  'networking.k8s.io/v1 IngressClass': ingressClassRules,
  'networking.k8s.io/v1 NetworkPolicy': networkPolicyRules,
  'node.k8s.io/v1 RuntimeClass': runtimeClassRules,
  'policy/v1 PodDisruptionBudget': podDisruptionBudgetRules,
  'rbac.authorization.k8s.io/v1 ClusterRole': clusterRoleRules,
  'rbac.authorization.k8s.io/v1 ClusterRoleBinding': clusterRoleBindingRules,
  'rbac.authorization.k8s.io/v1 Role': roleRules,
  'rbac.authorization.k8s.io/v1 RoleBinding': roleBindingRules,
  'scheduling.k8s.io/v1 PriorityClass': priorityClassRules,
  'storage.k8s.io/v1 CSIDriver': csiDriverRules,
  'storage.k8s.io/v1 CSINode': csiNodeRules,
  'storage.k8s.io/v1 CSIStorageCapacity': csiStorageCapacityRules,
  'storage.k8s.io/v1 StorageClass': storageClassRules,
  'storage.k8s.io/v1 VolumeAttachment': volumeAttachmentRules,
};

const neutral = createRules<KubeObject>({});

/** The rules of a kind; neutral ones for every kind that has none, custom resources included. */
export const rulesFor = (apiVersion: string, kind: string): KindRules => rules[`${apiVersion} ${kind}`] ?? neutral;
