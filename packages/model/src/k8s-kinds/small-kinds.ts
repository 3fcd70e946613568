// Kinds with few rules: ControllerRevisions, PodTemplates, RuntimeClasses.
import { checkDns1123Label, duplicateField, invalidField, requiredField } from '../k8s/index.ts';
import { jsonKey } from '../k8s-patch/index.ts';
import type { ControllerRevision, PodTemplate, RuntimeClass } from '../k8s-types/index.ts';
import { checkImmutable, checkLabels, checkNonNegative, repeated } from './checks.ts';
import { createRules } from './kind-rules.ts';
import { defaultPodTemplate } from '../k8s-defaults/index.ts';
import { checkPodTemplate } from './pod-template.ts';
import { checkResources } from './resource-checks.ts';
import { checkTolerations } from './scheduling-checks.ts';

export const controllerRevisionRules = createRules<ControllerRevision>({
  validate: ({ data, revision }) => [
    ...checkNonNegative(revision, 'revision'),
    ...(data === undefined || data === null ? [requiredField('data', 'data is mandatory')] : []),
  ],
  validateUpdate: (next, old) => checkImmutable(next.data, old.data, 'data'),
});

export const podTemplateRules = createRules<PodTemplate>({
  defaults: (template) => ({ ...template, template: defaultPodTemplate(template.template) }),
  validate: ({ template }) => checkPodTemplate(template!, 'template'),
});

export const runtimeClassRules = createRules<RuntimeClass>({
  validate: ({ handler = '', overhead, scheduling }) => {
    const tolerations = scheduling?.tolerations ?? [];
    return [
      ...checkDns1123Label(handler).map((sentence) => invalidField('handler', handler, sentence)),
      ...(overhead?.podFixed ? checkResources({ limits: overhead.podFixed }, 'overhead') : []),
      ...checkLabels(scheduling?.nodeSelector, 'scheduling.nodeSelector'),
      ...checkTolerations(tolerations, 'scheduling.tolerations.tolerations'),
      ...repeated(tolerations, (toleration) => jsonKey(toleration)).map((at) =>
        duplicateField(`scheduling.tolerations[${at}]`, tolerations[at]),
      ),
    ];
  },
  validateUpdate: ({ handler = '' }, old) => checkImmutable(handler, old.handler ?? '', 'handler'),
});
