// The pods of a Job, and the index that each has in an indexed one. Pure.
import { collections } from '@kedge/engine/kube-client';
import type { Container, EnvVar, Job, Pod } from '@kedge/model/k8s-types';
import { controllerRef } from '../ownership/controller-ref.ts';
import { podFromTemplate } from '../pods/pod-from-template.ts';

const indexKey = 'batch.kubernetes.io/job-completion-index';
const failuresKey = 'batch.kubernetes.io/job-index-failure-count';

export const isIndexed = ({ spec }: Job): boolean => spec?.completionMode === 'Indexed';

/** Undefined for pods without an index, or with one that the job does not have. */
export function indexOf({ spec }: Job, { metadata }: Pod): number | undefined {
  const text = metadata.annotations?.[indexKey] ?? metadata.labels?.[indexKey];
  if (text === undefined || !/^\d{1,9}$/.test(text)) return undefined;
  return Number(text) < (spec?.completions ?? 0) ? Number(text) : undefined;
}

/** How often the index had failed before this pod. */
export const failuresBefore = ({ metadata }: Pod): number => {
  const text = metadata.annotations?.[failuresKey];
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : 0;
};

/** A pod of a job without indexes. */
export const jobPod = (job: Job): Pod =>
  podFromTemplate(job.spec?.template, { generateName: `${job.metadata.name}-` }, controllerRef(collections.jobs, job));

/** The pod that works on `index`; `failures` is how often others have failed at it. */
export function indexedPod(job: Job, index: number, failures: number): Pod {
  const { name } = job.metadata;
  const names = { generateName: `${name}-${index}-` };
  const pod = podFromTemplate(job.spec?.template, names, controllerRef(collections.jobs, job));
  const limitsPerIndex = job.spec?.backoffLimitPerIndex !== undefined;
  const { containers = [], initContainers, ...spec } = pod.spec ?? {};
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      labels: { ...pod.metadata.labels, [indexKey]: String(index) },
      annotations: {
        ...pod.metadata.annotations,
        [indexKey]: String(index),
        ...(limitsPerIndex ? { [failuresKey]: String(failures) } : {}),
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

const indexVariable: EnvVar = {
  name: 'JOB_COMPLETION_INDEX',
  valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: `metadata.labels['${indexKey}']` } },
};

const knowingIndex = (container: Container): Container =>
  container.env?.some(({ name }) => name === indexVariable.name)
    ? container
    : { ...container, env: [...(container.env ?? []), indexVariable] };
