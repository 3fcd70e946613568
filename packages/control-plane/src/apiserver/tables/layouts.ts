// Which columns belong to which collection.
import { plainLayout, type TableLayout } from '@kedge/engine/kube-api';
import * as admission from './admission-columns.ts';
import type { Column } from './cells.ts';
import * as cluster from './cluster-columns.ts';
import * as network from './network-columns.ts';
import { nodeColumns } from './node-columns.ts';
import { podColumns } from './pod-columns.ts';
import * as storage from './storage-columns.ts';
import * as workload from './workload-columns.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- columns of many kinds in one table; each is typed where it is written
type AnyColumn = Column<any>;

const table: Readonly<Record<string, readonly AnyColumn[]>> = {
  'v1/pods': podColumns,
  'v1/nodes': nodeColumns,
  'v1/namespaces': cluster.namespaceColumns,
  'v1/configmaps': cluster.configMapColumns,
  'v1/secrets': cluster.secretColumns,
  'v1/serviceaccounts': cluster.serviceAccountColumns,
  'v1/events': cluster.eventColumns,
  'v1/limitranges': cluster.limitRangeColumns,
  'v1/resourcequotas': cluster.resourceQuotaColumns,
  'v1/podtemplates': workload.podTemplateColumns,
  'v1/services': network.serviceColumns,
  'v1/endpoints': network.endpointsColumns,
  'v1/replicationcontrollers': workload.replicationControllerColumns,
  'v1/persistentvolumes': cluster.volumeColumns,
  'v1/persistentvolumeclaims': cluster.volumeClaimColumns,
  'apps/v1/deployments': workload.deploymentColumns,
  'apps/v1/replicasets': workload.replicaSetColumns,
  'apps/v1/daemonsets': workload.daemonSetColumns,
  'apps/v1/statefulsets': workload.statefulSetColumns,
  'apps/v1/controllerrevisions': workload.revisionColumns,
  'batch/v1/jobs': workload.jobColumns,
  'batch/v1/cronjobs': workload.cronJobColumns,
  'autoscaling/v2/horizontalpodautoscalers': workload.autoscalerColumns,
  'policy/v1/poddisruptionbudgets': workload.disruptionBudgetColumns,
  'networking.k8s.io/v1/ingresses': network.ingressColumns,
  'networking.k8s.io/v1/ingressclasses': network.ingressClassColumns,
  'networking.k8s.io/v1/networkpolicies': network.networkPolicyColumns,
  'discovery.k8s.io/v1/endpointslices': network.endpointSliceColumns,
  'coordination.k8s.io/v1/leases': cluster.leaseColumns,
  'events.k8s.io/v1/events': cluster.eventsV1Columns,
  'rbac.authorization.k8s.io/v1/roles': cluster.roleColumns,
  'rbac.authorization.k8s.io/v1/clusterroles': cluster.clusterRoleColumns,
  'rbac.authorization.k8s.io/v1/rolebindings': cluster.roleBindingColumns,
  'rbac.authorization.k8s.io/v1/clusterrolebindings': cluster.clusterRoleBindingColumns,
  'storage.k8s.io/v1/storageclasses': storage.storageClassColumns,
  'storage.k8s.io/v1/csidrivers': storage.driverColumns,
  'storage.k8s.io/v1/csinodes': storage.driverNodeColumns,
  'storage.k8s.io/v1/csistoragecapacities': storage.capacityColumns,
  'storage.k8s.io/v1/volumeattachments': storage.attachmentColumns,
  'admissionregistration.k8s.io/v1/mutatingwebhookconfigurations': admission.mutatingColumns,
  'admissionregistration.k8s.io/v1/validatingwebhookconfigurations': admission.validatingColumns,
  'admissionregistration.k8s.io/v1/validatingadmissionpolicies': admission.policyColumns,
  'admissionregistration.k8s.io/v1/validatingadmissionpolicybindings': admission.policyBindingColumns,
  'scheduling.k8s.io/v1/priorityclasses': cluster.priorityClassColumns,
  'node.k8s.io/v1/runtimeclasses': cluster.runtimeClassColumns,
  'certificates.k8s.io/v1/certificatesigningrequests': cluster.certificateRequestColumns,
  'apiextensions.k8s.io/v1/customresourcedefinitions': cluster.definitionColumns,
};

const layoutOf = (columns: readonly AnyColumn[]): TableLayout => ({
  columns,
  row: (object, now) => columns.map((column) => column.cell(object, now) ?? ''),
});

/** How the scale of any kind is printed. */
export const scaleLayout: TableLayout = layoutOf(workload.scaleColumns);

/** How a built-in kind is printed; name and age where nothing else is known. */
export function builtinLayout(apiVersion: string, resource: string): TableLayout {
  const columns = table[`${apiVersion}/${resource}`];
  return columns ? layoutOf(columns) : plainLayout;
}
