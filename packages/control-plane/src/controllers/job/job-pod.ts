// The pods of a Job: how they are made, tracked and let go of, and the index that each has in an indexed one.
import { collections, type KubeApi } from '@kedge/engine/kube-client';
import { isStatus } from '@kedge/model/k8s';
import type { Container, EnvVar, Job, Pod } from '@kedge/model/k8s-types';
import { controllerRef } from '../ownership/controller-ref.ts';
import { podFromTemplate } from '../pods/pod-from-template.ts';

const indexKey = 'batch.kubernetes.io/job-completion-index';
const failuresKey = 'batch.kubernetes.io/job-index-failure-count';
const ignoredKey = 'batch.kubernetes.io/job-index-ignored-failure-count';
const ourselves = 'kubernetes.io/job-controller';
/** Names that end in random letters begin with no more than this. */
const longestPrefix = 58;

/** Keeps a pod until it is counted. */
export const trackingFinalizer = 'batch.kubernetes.io/job-tracking';

export const isTracked = ({ metadata }: Pod): boolean => metadata.finalizers?.includes(trackingFinalizer) === true;

/** The pod as it is without the finalizer. */
export const untracked = (pod: Pod): Pod => ({
  ...pod,
  metadata: { ...pod.metadata, finalizers: (pod.metadata.finalizers ?? []).filter((one) => one !== trackingFinalizer) },
});

/** Lets the pod go; that it is gone already is as good. */
export async function releasePod(api: KubeApi, { metadata }: Pod, signal: AbortSignal): Promise<void> {
  const { namespace, name = '', uid } = metadata;
  const patch = JSON.stringify({ metadata: { uid, '$deleteFromPrimitiveList/finalizers': [trackingFinalizer] } });
  try {
    await api.patch(collections.pods, { namespace, name }, 'strategic', patch, { signal });
  } catch (error) {
    // Conflict and Invalid: another pod has taken its name.
    if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict') && !isStatus(error, 'Invalid')) throw error;
  }
}

/** Another controller may be in charge of a job. */
export const isManagedHere = ({ spec }: Job): boolean => (spec?.managedBy ?? ourselves) === ourselves;

export const isIndexed = ({ spec }: Job): boolean => spec?.completionMode === 'Indexed';

/** Undefined for pods without an index, or with one that the job does not have. */
export function indexOf({ spec }: Job, { metadata }: Pod): number | undefined {
  const text = metadata.annotations?.[indexKey] ?? metadata.labels?.[indexKey];
  if (text === undefined || !/^\d{1,9}$/.test(text)) return undefined;
  return Number(text) < (spec?.completions ?? 0) ? Number(text) : undefined;
}

/** How often the index had failed before this pod: failures that count, and those that the failure policy ignores. */
export const failuresBefore = ({ metadata }: Pod): { readonly counted: number; readonly ignored: number } => {
  const numberIn = (key: string): number => {
    const text = metadata.annotations?.[key];
    return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : 0;
  };
  return { counted: numberIn(failuresKey), ignored: numberIn(ignoredKey) };
};

function tracking(job: Job, generateName: string): Pod {
  const pod = podFromTemplate(job.spec?.template, { generateName }, controllerRef(collections.jobs, job));
  const others = untracked(pod).metadata.finalizers ?? [];
  return { ...pod, metadata: { ...pod.metadata, finalizers: [...others, trackingFinalizer] } };
}

/** A pod of a job without indexes. */
export const jobPod = (job: Job): Pod => tracking(job, `${job.metadata.name}-`);

/** The pod that works on `index`; `before` is the pod that failed at it last, and whether that counts. */
export function indexedPod(job: Job, index: number, before?: { readonly pod: Pod; readonly counts: boolean }): Pod {
  const { name = '' } = job.metadata;
  const suffix = `-${index}-`;
  const pod = tracking(job, `${name.slice(0, longestPrefix - suffix.length)}${suffix}`);
  const { containers = [], initContainers, ...spec } = pod.spec ?? {};
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      labels: { ...pod.metadata.labels, [indexKey]: String(index) },
      annotations: {
        ...pod.metadata.annotations,
        [indexKey]: String(index),
        ...(job.spec?.backoffLimitPerIndex === undefined ? {} : inherited(before)),
      },
    },
    spec: {
      ...spec,
      hostname: `${name}-${index}`,
      containers: containers.map(knowingIndex),
      ...(initContainers ? { initContainers: initContainers.map(knowingIndex) } : {}),
    },
  };
}

function inherited(before: { readonly pod: Pod; readonly counts: boolean } | undefined): Record<string, string> {
  const { counted, ignored } = before ? failuresBefore(before.pod) : { counted: 0, ignored: 0 };
  const ignoredNow = ignored + (before && !before.counts ? 1 : 0);
  return {
    [failuresKey]: String(counted + (before?.counts ? 1 : 0)),
    ...(ignoredNow > 0 ? { [ignoredKey]: String(ignoredNow) } : {}),
  };
}

const indexVariable: EnvVar = {
  name: 'JOB_COMPLETION_INDEX',
  valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: `metadata.labels['${indexKey}']` } },
};

const knowingIndex = (container: Container): Container =>
  container.env?.some(({ name }) => name === indexVariable.name)
    ? container
    : { ...container, env: [...(container.env ?? []), indexVariable] };
