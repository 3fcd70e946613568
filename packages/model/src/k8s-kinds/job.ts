// Jobs and CronJobs.
import { invalidField, requiredField, unsupportedField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import type { CronJob, CronJobSpec, Job, JobSpec } from '../k8s-types/index.ts';
import { checkChoice, checkImmutable, checkNonNegative } from './checks.ts';
import { createRules } from './kind-rules.ts';
import { defaultPodTemplate } from './pod-defaults.ts';
import { checkPodTemplate } from './pod-template.ts';

export const jobRules = createRules<Job>({
  defaults: (job) => ({ ...job, spec: defaultJobSpec(job.spec) }),
  prepareCreate: generateSelector,
  validate: ({ spec }) => [...(spec!.selector ? [] : [requiredField('spec.selector')]), ...checkJobSpec(spec!, 'spec')],
  validateUpdate: ({ spec }, { spec: old }) => [
    ...checkImmutable(spec?.completions, old?.completions, 'spec.completions'),
    ...checkImmutable(spec?.selector, old?.selector, 'spec.selector'),
    ...checkImmutable(spec?.completionMode, old?.completionMode, 'spec.completionMode'),
    ...checkImmutable(spec?.template, old?.template, 'spec.template'),
  ],
});

function defaultJobSpec(spec: JobSpec | undefined): JobSpec {
  const isQueue = spec?.completions === undefined && spec?.parallelism === undefined;
  return {
    ...(spec as JobSpec),
    ...(isQueue ? { completions: 1 } : {}),
    parallelism: spec?.parallelism ?? 1,
    backoffLimit: spec?.backoffLimit ?? (spec?.backoffLimitPerIndex === undefined ? 6 : 2 ** 31 - 1),
    completionMode: spec?.completionMode ?? 'NonIndexed',
    suspend: spec?.suspend ?? false,
    manualSelector: spec?.manualSelector ?? false,
    podReplacementPolicy: spec?.podReplacementPolicy ?? (spec?.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed'),
    template: defaultPodTemplate(spec?.template),
  };
}

/** A job selects the pods that carry its own uid, unless the user has chosen a selector. */
function generateSelector(job: Job): Job {
  const { uid = '', name = '' } = job.metadata;
  const { spec } = job;
  if (!spec || spec.manualSelector) return job;
  const identity = { 'batch.kubernetes.io/controller-uid': uid };
  const labels = {
    ...spec.template.metadata?.labels,
    'controller-uid': uid,
    'job-name': name,
    ...identity,
    'batch.kubernetes.io/job-name': name,
  };
  const template = { ...spec.template, metadata: { ...spec.template.metadata, labels } };
  return { ...job, spec: { ...spec, selector: { matchLabels: identity }, template } };
}

function checkJobSpec(spec: JobSpec, path: string): FieldError[] {
  const counts = [
    'parallelism',
    'completions',
    'activeDeadlineSeconds',
    'backoffLimit',
    'ttlSecondsAfterFinished',
    'backoffLimitPerIndex',
    'maxFailedIndexes',
  ] as const;
  const { restartPolicy } = spec.template.spec!;
  return [
    ...counts.flatMap((name) => checkNonNegative(spec[name], `${path}.${name}`)),
    ...checkChoice(spec.completionMode, ['NonIndexed', 'Indexed'], `${path}.completionMode`),
    ...(spec.completionMode === 'Indexed' && spec.completions === undefined
      ? [requiredField(`${path}.completions`, 'when completion mode is Indexed')]
      : []),
    ...checkPodTemplate(spec.template, `${path}.template`),
    ...(restartPolicy === 'Always'
      ? [unsupportedField(`${path}.template.spec.restartPolicy`, restartPolicy, ['OnFailure', 'Never'])]
      : []),
  ];
}

/** Names of jobs end in 11 more characters. */
const maxCronJobName = 52;
const cronField = '[0-9A-Za-z*?/,L#-]+';
const schedule = new RegExp(
  `^(?:@(?:yearly|annually|monthly|weekly|daily|midnight|hourly|every\\s+\\S+)|${cronField}(?:\\s+${cronField}){4})$`,
);

export const cronJobRules = createRules<CronJob>({
  defaults: ({ spec, ...rest }) => ({
    ...rest,
    spec: {
      ...(spec as CronJobSpec),
      concurrencyPolicy: spec?.concurrencyPolicy || 'Allow',
      suspend: spec?.suspend ?? false,
      successfulJobsHistoryLimit: spec?.successfulJobsHistoryLimit ?? 3,
      failedJobsHistoryLimit: spec?.failedJobsHistoryLimit ?? 1,
      jobTemplate: {
        ...spec?.jobTemplate,
        spec: { ...spec?.jobTemplate?.spec, template: defaultPodTemplate(spec?.jobTemplate?.spec?.template) },
      },
    },
  }),
  validate: ({ metadata, spec }) => [
    ...((metadata.name?.length ?? 0) > maxCronJobName
      ? [invalidField('metadata.name', metadata.name, 'must be no more than 52 characters')]
      : []),
    ...checkSchedule(spec!.schedule),
    ...checkChoice(spec!.concurrencyPolicy, ['Allow', 'Forbid', 'Replace'], 'spec.concurrencyPolicy'),
    ...checkNonNegative(spec!.startingDeadlineSeconds, 'spec.startingDeadlineSeconds'),
    ...checkNonNegative(spec!.successfulJobsHistoryLimit, 'spec.successfulJobsHistoryLimit'),
    ...checkNonNegative(spec!.failedJobsHistoryLimit, 'spec.failedJobsHistoryLimit'),
    ...checkJobSpec(defaultJobSpec(spec!.jobTemplate.spec), 'spec.jobTemplate.spec'),
  ],
});

function checkSchedule(text: string | undefined): FieldError[] {
  if (!text) return [requiredField('spec.schedule')];
  if (/TZ=/.test(text)) {
    return [invalidField('spec.schedule', text, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead')];
  }
  return schedule.test(text.trim())
    ? []
    : [
        invalidField(
          'spec.schedule',
          text,
          `expected exactly 5 fields, found ${text.trim().split(/\s+/).length}: [${text}]`,
        ),
      ];
}
