// Jobs and CronJobs.
import { invalidField, requiredField, tooLongField, unsupportedField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { jsonEqual } from '../k8s-patch/index.ts';
import type { CronJob, CronJobSpec, Job, JobSpec, PodFailurePolicy, PodTemplateSpec } from '../k8s-types/index.ts';
import { checkChoice, checkDomainPrefixedPath, checkImmutable, checkNonNegative } from './checks.ts';
import { checkFailurePolicy, checkSuccessPolicy } from './job-policies.ts';
import { createRules } from './kind-rules.ts';
import { defaultPodTemplate } from '../k8s-defaults/index.ts';
import { checkPodTemplate } from './pod-template.ts';

export const jobRules = createRules<Job>({
  defaults: (job) => ({ ...job, spec: defaultJobSpec(job.spec) }),
  prepareCreate: generateSelector,
  validate: ({ spec }) => [...(spec!.selector ? [] : [requiredField('spec.selector')]), ...checkJobSpec(spec!, 'spec')],
  validateUpdate: (job, old) => checkUpdate(job.spec!, old.spec!, old.status?.startTime !== undefined),
});

/** Pods are made of the template as it was; until the first one is made, where they may run can still be said. */
function checkUpdate(spec: JobSpec, old: JobSpec, hasStarted: boolean): FieldError[] {
  const mayPlace = old.suspend === true && !hasStarted;
  const [template, before] = mayPlace
    ? [withoutPlacement(spec.template), withoutPlacement(old.template)]
    : [spec.template, old.template];
  return [
    ...checkCompletions(spec, old),
    ...checkImmutable(spec.selector, old.selector, 'spec.selector'),
    ...(jsonEqual(template, before) ? [] : [invalidField('spec.template', spec.template, 'field is immutable')]),
    ...(['completionMode', 'podFailurePolicy', 'backoffLimitPerIndex', 'managedBy', 'successPolicy'] as const).flatMap(
      (field) => checkImmutable(spec[field], old[field], `spec.${field}`),
    ),
  ];
}

/** An indexed Job may grow and shrink when its parallelism does. */
function checkCompletions(spec: JobSpec, old: JobSpec): FieldError[] {
  const path = 'spec.completions';
  const isElastic =
    spec.completionMode === 'Indexed' && spec.completions !== undefined && old.completions !== undefined;
  if (!isElastic) return checkImmutable(spec.completions, old.completions, path);
  return spec.completions === old.completions ||
    (spec.completions === spec.parallelism && old.completions !== undefined)
    ? []
    : [invalidField(path, spec.completions, 'can only be modified in tandem with spec.parallelism')];
}

function withoutPlacement({ metadata, spec }: PodTemplateSpec): unknown {
  const { labels: _, annotations: __, ...identity } = metadata ?? {};
  const { nodeSelector: ___, tolerations: ____, schedulingGates: _____, affinity, ...rest } = spec ?? {};
  return { metadata: identity, spec: { ...rest, affinity: { ...affinity, nodeAffinity: undefined } } };
}

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
    ...(spec?.podFailurePolicy ? { podFailurePolicy: defaultFailurePolicy(spec.podFailurePolicy) } : {}),
    template: defaultPodTemplate(spec?.template),
  };
}

const defaultFailurePolicy = ({ rules, ...rest }: PodFailurePolicy): PodFailurePolicy => ({
  ...rest,
  rules: (rules ?? []).map((rule) =>
    rule.onPodConditions
      ? { ...rule, onPodConditions: rule.onPodConditions.map((one) => ({ ...one, status: one.status || 'True' })) }
      : rule,
  ),
});

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
  const isIndexed = spec.completionMode === 'Indexed';
  return [
    ...counts.flatMap((name) => checkNonNegative(spec[name], `${path}.${name}`)),
    ...(spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined
      ? [requiredField(`${path}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified')]
      : []),
    ...checkManager(spec.managedBy, `${path}.managedBy`),
    ...(['NonIndexed', 'Indexed'].includes(spec.completionMode ?? '')
      ? []
      : [unsupportedField(`${path}.completionMode`, spec.completionMode, ['NonIndexed', 'Indexed'])]),
    ...(isIndexed ? checkIndexed(spec, path) : []),
    ...(spec.completionMode === 'NonIndexed'
      ? (['backoffLimitPerIndex', 'maxFailedIndexes'] as const)
          .filter((field) => spec[field] !== undefined)
          .map((field) => invalidField(`${path}.${field}`, spec[field], 'requires indexed completion mode'))
      : []),
    ...(spec.podFailurePolicy ? checkFailurePolicy(spec, `${path}.podFailurePolicy`) : []),
    ...(spec.successPolicy ? checkSuccessPolicy(spec, `${path}.successPolicy`) : []),
    ...checkReplacement(spec, `${path}.podReplacementPolicy`),
    ...checkPodTemplate(spec.template, `${path}.template`),
    ...checkRestart(spec, `${path}.template.spec.restartPolicy`),
  ];
}

const maxManager = 63;

function checkManager(manager: string | undefined, path: string): FieldError[] {
  return manager === undefined
    ? []
    : [
        ...checkDomainPrefixedPath(manager, path),
        ...(manager.length > maxManager ? [tooLongField(path, maxManager)] : []),
      ];
}

/** More than this many pods at once, or failed indexes, would not fit into the status. */
const maxIndexed = 100_000;

function checkIndexed({ completions, parallelism = 0, maxFailedIndexes: failed }: JobSpec, path: string): FieldError[] {
  return [
    ...(completions === undefined ? [requiredField(`${path}.completions`, 'when completion mode is Indexed')] : []),
    ...(parallelism > maxIndexed
      ? [
          invalidField(
            `${path}.parallelism`,
            parallelism,
            `must be less than or equal to ${maxIndexed} when completion mode is Indexed`,
          ),
        ]
      : []),
    ...(completions !== undefined && failed !== undefined && failed > completions
      ? [invalidField(`${path}.maxFailedIndexes`, failed, 'must be less than or equal to completions')]
      : []),
    ...(failed !== undefined && failed > maxIndexed
      ? [invalidField(`${path}.maxFailedIndexes`, failed, `must be less than or equal to ${maxIndexed}`)]
      : []),
  ];
}

function checkReplacement({ podReplacementPolicy: policy, podFailurePolicy }: JobSpec, path: string): FieldError[] {
  const choices = podFailurePolicy ? ['Failed'] : ['Failed', 'TerminatingOrFailed'];
  return policy === undefined || choices.includes(policy) ? [] : [unsupportedField(path, policy, choices)];
}

function checkRestart({ template, podFailurePolicy }: JobSpec, path: string): FieldError[] {
  const { restartPolicy = '' } = template.spec ?? {};
  if (restartPolicy === '' || restartPolicy === 'Always')
    return [requiredField(path, 'valid values: "OnFailure", "Never"')];
  if (restartPolicy !== 'OnFailure' && restartPolicy !== 'Never')
    return [unsupportedField(path, restartPolicy, ['OnFailure', 'Never'])];
  return podFailurePolicy && restartPolicy !== 'Never'
    ? [invalidField(path, restartPolicy, 'only "Never" is supported when podFailurePolicy is specified')]
    : [];
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
    ...checkTimeZone(spec!.timeZone, 'spec.timeZone'),
    ...checkJobSpec(defaultJobSpec(spec!.jobTemplate.spec), 'spec.jobTemplate.spec'),
    ...(spec!.jobTemplate.spec?.selector
      ? [
          invalidField(
            'spec.jobTemplate.spec.selector',
            spec!.jobTemplate.spec.selector,
            '`selector` will be auto-generated',
          ),
        ]
      : []),
    ...(spec!.jobTemplate.spec?.manualSelector
      ? [unsupportedField('spec.jobTemplate.spec.manualSelector', true, ['nil', 'false'])]
      : []),
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

function checkTimeZone(zone: string | undefined, path: string): FieldError[] {
  if (zone === undefined) return [];
  if (zone === '') return [invalidField(path, zone, 'timeZone must be nil or non-empty string')];
  if (zone.toLowerCase() === 'local') {
    return [
      invalidField(path, zone, 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones'),
    ];
  }
  return isTimeZone(zone) ? [] : [invalidField(path, zone, `unknown time zone ${zone}`)];
}

function isTimeZone(zone: string): boolean {
  // Offsets such as +01:00 are no names.
  if (!/^[A-Za-z]/.test(zone)) return false;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
