// Pod templates inside workloads: their checks, and how they belong to the workload's selector.
import { forbiddenField, invalidField, requiredField, unsupportedField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { checkLabelSelector, labelSelectorOf, matchesLabels } from '../k8s-selectors/index.ts';
import type { LabelSelector, PodTemplateSpec } from '../k8s-types/index.ts';
import { checkLabels } from './checks.ts';
import { checkAnnotations } from './object-meta.ts';
import { checkPodSpec } from './pod-checks.ts';

/** `template` has had its defaults. */
export function checkPodTemplate(template: PodTemplateSpec, path: string): FieldError[] {
  return [
    ...checkLabels(template.metadata?.labels, `${path}.labels`),
    ...checkAnnotations(template.metadata?.annotations, `${path}.annotations`),
    ...checkPodSpec(template.spec!, `${path}.spec`),
    ...(template.spec!.ephemeralContainers?.length
      ? [forbiddenField(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template')]
      : []),
  ];
}

interface Workload {
  readonly selector: LabelSelector | undefined;
  readonly template: PodTemplateSpec;
}

/** The checks of a workload whose pods run until they are replaced; `kind` as Kubernetes' sentences name it. */
export function checkLastingWorkload({ selector, template }: Workload, kind: string): FieldError[] {
  const path = 'spec.template';
  const { restartPolicy, activeDeadlineSeconds } = template.spec!;
  return [
    ...checkSelector(selector, kind.toLowerCase()),
    ...checkSelected(selector, template),
    ...checkPodTemplate(template, path),
    ...(restartPolicy === 'Always' ? [] : [unsupportedField(`${path}.spec.restartPolicy`, restartPolicy, ['Always'])]),
    ...(activeDeadlineSeconds === undefined
      ? []
      : [
          forbiddenField(
            `${path}.spec.activeDeadlineSeconds`,
            `activeDeadlineSeconds in ${kind === 'Deployment' ? 'ReplicaSet' : kind} is not Supported`,
          ),
        ]),
  ];
}

function checkSelector(selector: LabelSelector | undefined, kind: string): FieldError[] {
  if (!selector) return [requiredField('spec.selector')];
  const isEmpty = Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions?.length ?? 0) === 0;
  return isEmpty
    ? [invalidField('spec.selector', selector, `empty selector is invalid for ${kind}`)]
    : checkLabelSelector(selector, 'spec.selector').flatMap((error, at, all) =>
        kind === 'deployment' && at === all.length - 1
          ? [error, invalidField('spec.selector', selector, 'invalid label selector')]
          : [error],
      );
}

function checkSelected(selector: LabelSelector | undefined, template: PodTemplateSpec): FieldError[] {
  const labels = template.metadata?.labels ?? {};
  if (!selector || checkLabelSelector(selector, '').length > 0) return [];
  return matchesLabels(labelSelectorOf(selector), labels)
    ? []
    : [invalidField('spec.template.metadata.labels', labels, '`selector` does not match template `labels`')];
}
