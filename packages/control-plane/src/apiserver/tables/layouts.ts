// Which columns belong to which collection.
import { plainLayout, type TableLayout } from '@kedge/engine/kube-api';
import type { Column } from './cells.ts';
import * as cluster from './cluster-columns.ts';
import * as network from './network-columns.ts';
import { nodeColumns } from './node-columns.ts';
import { podColumns } from './pod-columns.ts';
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
  'v1/services': network.serviceColumns,
  'v1/endpoints': network.endpointsColumns,
  'v1/replicationcontrollers': workload.replicationControllerColumns,
  'v1/persistentvolumes': cluster.volumeColumns,
  'v1/persistentvolumeclaims': cluster.volumeClaimColumns,
  'apps/v1/deployments': workload.deploymentColumns,
  'apps/v1/replicasets': workload.replicaSetColumns,
  'apps/v1/daemonsets': workload.daemonSetColumns,
  'apps/v1/statefulsets': workload.statefulSetColumns,
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
  'storage.k8s.io/v1/storageclasses': cluster.storageClassColumns,
  'scheduling.k8s.io/v1/priorityclasses': cluster.priorityClassColumns,
  'node.k8s.io/v1/runtimeclasses': cluster.runtimeClassColumns,
  'certificates.k8s.io/v1/certificatesigningrequests': cluster.certificateRequestColumns,
  'apiextensions.k8s.io/v1/customresourcedefinitions': cluster.definitionColumns,
};

/** How a built-in kind is printed; name and age where nothing else is known. */
export function builtinLayout(apiVersion: string, resource: string): TableLayout {
  const columns = table[`${apiVersion}/${resource}`];
  if (!columns) return plainLayout;
  return { columns, row: (object, now) => columns.map((column) => column.cell(object, now) ?? '') };
}
