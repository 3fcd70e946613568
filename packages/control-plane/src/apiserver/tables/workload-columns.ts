// How the workload kinds are printed: deployments, sets, jobs and autoscalers.
import type {
  ControllerRevision,
  CronJob,
  DaemonSet,
  Deployment,
  HorizontalPodAutoscaler,
  Job,
  MetricSpec,
  MetricStatus,
  PodDisruptionBudget,
  PodTemplate,
  ReplicaSet,
  ReplicationController,
  Scale,
  StatefulSet,
} from '@kedge/model/k8s-types';
import {
  aged,
  between,
  type Column,
  containerColumns,
  count,
  labelsText,
  named,
  none,
  selectorText,
  since,
  text,
} from './cells.ts';

export const deploymentColumns: Column<Deployment>[] = named([
  text('Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`),
  count('Up-to-date', ({ status }) => status?.updatedReplicas),
  count('Available', ({ status }) => status?.availableReplicas),
  aged(),
  ...containerColumns<Deployment>(({ spec }) => spec?.template),
  text('Selector', ({ spec }) => selectorText(spec?.selector), 1),
]);

export const replicaSetColumns: Column<ReplicaSet>[] = named([
  count('Desired', ({ spec }) => spec?.replicas),
  count('Current', ({ status }) => status?.replicas),
  count('Ready', ({ status }) => status?.readyReplicas),
  aged(),
  ...containerColumns<ReplicaSet>(({ spec }) => spec?.template),
  text('Selector', ({ spec }) => selectorText(spec?.selector), 1),
]);

export const replicationControllerColumns: Column<ReplicationController>[] = named([
  count('Desired', ({ spec }) => spec?.replicas),
  count('Current', ({ status }) => status?.replicas),
  count('Ready', ({ status }) => status?.readyReplicas),
  aged(),
  ...containerColumns<ReplicationController>(({ spec }) => spec?.template),
  text('Selector', ({ spec }) => labelsText(spec?.selector), 1),
]);

export const daemonSetColumns: Column<DaemonSet>[] = named([
  count('Desired', ({ status }) => status?.desiredNumberScheduled),
  count('Current', ({ status }) => status?.currentNumberScheduled),
  count('Ready', ({ status }) => status?.numberReady),
  count('Up-to-date', ({ status }) => status?.updatedNumberScheduled),
  count('Available', ({ status }) => status?.numberAvailable),
  text('Node Selector', ({ spec }) => labelsText(spec?.template?.spec?.nodeSelector)),
  aged(),
  ...containerColumns<DaemonSet>(({ spec }) => spec?.template),
  text('Selector', ({ spec }) => selectorText(spec?.selector), 1),
]);

export const statefulSetColumns: Column<StatefulSet>[] = named([
  text('Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`),
  aged(),
  ...containerColumns<StatefulSet>(({ spec }) => spec?.template),
]);

export const jobColumns: Column<Job>[] = named([
  text('Status', jobStatus),
  text('Completions', ({ spec, status }) => {
    const done = status?.succeeded ?? 0;
    if (spec?.completions !== undefined) return `${done}/${spec.completions}`;
    const parallel = spec?.parallelism ?? 0;
    return parallel > 1 ? `${done}/1 of ${parallel}` : `${done}/1`;
  }),
  text('Duration', ({ status }, now) => between(status?.startTime, status?.completionTime, now)),
  aged(),
  ...containerColumns<Job>(({ spec }) => spec?.template),
  text('Selector', ({ spec }) => selectorText(spec?.selector), 1),
]);

function jobStatus({ metadata, status }: Job): string {
  const has = (type: string): boolean =>
    (status?.conditions ?? []).some((condition) => condition.type === type && condition.status === 'True');
  if (has('Complete')) return 'Complete';
  if (has('Failed')) return 'Failed';
  if (metadata?.deletionTimestamp) return 'Terminating';
  if (has('Suspended')) return 'Suspended';
  if (has('FailureTarget')) return 'FailureTarget';
  return has('SuccessCriteriaMet') ? 'SuccessCriteriaMet' : 'Running';
}

export const cronJobColumns: Column<CronJob>[] = named([
  text('Schedule', ({ spec }) => spec?.schedule ?? ''),
  text('Timezone', ({ spec }) => spec?.timeZone ?? none),
  text('Suspend', ({ spec }) => (spec?.suspend ? 'True' : 'False')),
  count('Active', ({ status }) => status?.active?.length),
  text('Last Schedule', ({ status }, now) => (status?.lastScheduleTime ? since(status.lastScheduleTime, now) : none)),
  aged(),
  ...containerColumns<CronJob>(({ spec }) => spec?.jobTemplate?.spec?.template),
  text('Selector', ({ spec }) => selectorText(spec?.jobTemplate?.spec?.selector), 1),
]);

export const autoscalerColumns: Column<HorizontalPodAutoscaler>[] = named([
  text('Reference', ({ spec }) => `${spec?.scaleTargetRef?.kind ?? ''}/${spec?.scaleTargetRef?.name ?? ''}`),
  text('Targets', ({ spec, status }) => metricsText(spec?.metrics ?? [], status?.currentMetrics ?? [])),
  text('MinPods', ({ spec }) => String(spec?.minReplicas ?? '<unset>')),
  count('MaxPods', ({ spec }) => spec?.maxReplicas),
  count('Replicas', ({ status }) => status?.currentReplicas),
  aged(),
]);

const shownMetrics = 2;

function metricsText(metrics: readonly MetricSpec[], current: readonly MetricStatus[]): string {
  if (metrics.length === 0) return none;
  const shown = metrics.slice(0, shownMetrics).map((metric, at) => metricText(metric, current[at]));
  const more = metrics.length - shownMetrics;
  return shown.join(', ') + (more > 0 ? ` + ${more} more...` : '');
}

const unknown = '<unknown>';

/** What is measured now, and what is wanted: `cpu: 12%/50%`. */
function metricText(metric: MetricSpec, now: MetricStatus | undefined): string {
  const resource = metric.resource ?? metric.containerResource;
  if (resource) {
    const { averageValue, averageUtilization } = resource.target;
    const is = (now?.resource ?? now?.containerResource)?.current;
    if (averageValue !== undefined) return `${resource.name}: ${is?.averageValue ?? unknown}/${averageValue}`;
    const percent = (value: number | undefined, otherwise: string) => (value === undefined ? otherwise : `${value}%`);
    return `${resource.name}: ${percent(is?.averageUtilization, unknown)}/${percent(averageUtilization, '<auto>')}`;
  }
  if (metric.pods) return `${now?.pods?.current.averageValue ?? unknown}/${metric.pods.target.averageValue}`;
  const other = metric.external ?? metric.object;
  if (!other) return '<unknown type>';
  const is = (now?.external ?? now?.object)?.current;
  return other.target.averageValue === undefined
    ? `${is?.value ?? unknown}/${other.target.value}`
    : `${is?.averageValue ?? unknown}/${other.target.averageValue} (avg)`;
}

export const revisionColumns: Column<ControllerRevision>[] = named([
  text('Controller', ({ metadata }) => {
    const owner = metadata?.ownerReferences?.find(({ controller }) => controller);
    if (!owner) return none;
    const [group, version] = owner.apiVersion.split('/');
    return `${owner.kind.toLowerCase()}${version ? `.${group}` : ''}/${owner.name}`;
  }),
  count('Revision', ({ revision }) => revision),
  aged(),
]);

export const podTemplateColumns: Column<PodTemplate>[] = named([
  ...containerColumns<PodTemplate>(({ template }) => template).map((column) => ({ ...column, priority: 0 })),
  text('Pod Labels', ({ template }) => labelsText(template?.metadata?.labels)),
]);

export const disruptionBudgetColumns: Column<PodDisruptionBudget>[] = named([
  text('Min Available', ({ spec }) => String(spec?.minAvailable ?? 'N/A')),
  text('Max Unavailable', ({ spec }) => String(spec?.maxUnavailable ?? 'N/A')),
  count('Allowed Disruptions', ({ status }) => status?.disruptionsAllowed),
  aged(),
]);

export const scaleColumns: Column<Scale>[] = named([
  count('Desired', ({ spec }) => spec?.replicas),
  count('Available', ({ status }) => status?.replicas),
  aged(),
]);
