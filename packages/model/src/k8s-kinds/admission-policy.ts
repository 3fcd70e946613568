// ValidatingAdmissionPolicies and their bindings: rules in CEL for what may be written, without a webhook.
import { invalidField, requiredField, unsupportedField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { checkLabelSelector } from '../k8s-selectors/index.ts';
import type {
  MatchResources,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingAdmissionPolicyBindingSpec,
  ValidatingAdmissionPolicySpec,
  Validation,
} from '../k8s-types/index.ts';
import { checkChoice, checkOptionalChoice, repeated } from './checks.ts';
import { createRules } from './kind-rules.ts';
import { checkConditions, checkRule } from './webhook-configuration.ts';

export const validatingAdmissionPolicyRules = createRules<ValidatingAdmissionPolicy>({
  defaults: (policy) => ({ ...policy, ...(policy.spec ? { spec: defaultSpec(policy.spec) } : {}) }),
  validate: ({ spec }) => checkSpec(spec ?? {}),
});

export const validatingAdmissionPolicyBindingRules = createRules<ValidatingAdmissionPolicyBinding>({
  defaults: (binding) => {
    const resources = binding.spec?.matchResources;
    return {
      ...binding,
      ...(resources ? { spec: { ...binding.spec, matchResources: defaultMatch(resources) } } : {}),
    };
  },
  validate: ({ spec }) => checkBinding(spec ?? {}),
});

const defaultSpec = (spec: ValidatingAdmissionPolicySpec): ValidatingAdmissionPolicySpec => ({
  failurePolicy: 'Fail',
  ...spec,
  ...(spec.matchConstraints ? { matchConstraints: defaultMatch(spec.matchConstraints) } : {}),
});

function defaultMatch(match: MatchResources): MatchResources {
  const { resourceRules, excludeResourceRules } = match;
  const scoped = (rules: NonNullable<MatchResources['resourceRules']>) =>
    rules.map((rule) => ({ ...rule, scope: rule.scope ?? '*' }));
  return {
    matchPolicy: 'Equivalent',
    namespaceSelector: {},
    objectSelector: {},
    ...match,
    ...(resourceRules ? { resourceRules: scoped(resourceRules) } : {}),
    ...(excludeResourceRules ? { excludeResourceRules: scoped(excludeResourceRules) } : {}),
  };
}

const neither = 'validations or auditAnnotations must contain at least one item';

function checkSpec(spec: ValidatingAdmissionPolicySpec): FieldError[] {
  const { matchConstraints, validations = [], auditAnnotations = [], variables = [], paramKind } = spec;
  const path = 'spec.matchConstraints';
  return [
    ...checkChoice(spec.failurePolicy, ['Fail', 'Ignore'], 'spec.failurePolicy'),
    ...(paramKind && !paramKind.apiVersion ? [requiredField('spec.paramKind.apiVersion')] : []),
    ...(paramKind && !paramKind.kind ? [requiredField('spec.paramKind.kind')] : []),
    ...(matchConstraints ? checkMatch(matchConstraints, path) : [requiredField(path)]),
    ...(matchConstraints && !matchConstraints.resourceRules?.length ? [requiredField(`${path}.resourceRules`)] : []),
    ...checkConditions(spec.matchConditions ?? [], 'spec.matchConditions'),
    ...variables.flatMap(({ name, expression }, at) => [
      ...(/^[A-Za-z_]\w*$/.test(name ?? '')
        ? []
        : [invalidField(`spec.variables[${at}].name`, name, 'name is not a valid CEL identifier')]),
      ...(expression?.trim() ? [] : [requiredField(`spec.variables[${at}].expression`, 'expression is not specified')]),
    ]),
    ...(validations.length + auditAnnotations.length === 0
      ? [requiredField('spec.validations', neither), requiredField('spec.auditAnnotations', neither)]
      : []),
    ...validations.flatMap((one, at) => checkValidation(one, `spec.validations[${at}]`)),
    ...auditAnnotations.flatMap(({ key, valueExpression }, at) => [
      ...(key ? [] : [requiredField(`spec.auditAnnotations[${at}].key`)]),
      ...(valueExpression?.trim()
        ? []
        : [requiredField(`spec.auditAnnotations[${at}].valueExpression`, 'valueExpression is not specified')]),
    ]),
    ...repeated(auditAnnotations, ({ key }) => key).map((at) => ({
      reason: 'FieldValueDuplicate' as const,
      field: `spec.auditAnnotations[${at}].key`,
      message: `Duplicate value: "${auditAnnotations[at]!.key}"`,
    })),
  ];
}

const reasons = ['Unauthorized', 'Forbidden', 'Invalid', 'RequestEntityTooLarge'];

function checkValidation({ expression, message, messageExpression, reason }: Validation, path: string): FieldError[] {
  return [
    ...(expression?.trim() ? [] : [requiredField(`${path}.expression`, 'expression is not specified')]),
    ...(messageExpression !== undefined && messageExpression !== '' && !messageExpression.trim()
      ? [invalidField(`${path}.messageExpression`, messageExpression, 'must be non-empty if specified')]
      : []),
    ...(message !== undefined && message !== '' && !message.trim()
      ? [invalidField(`${path}.message`, message, 'message must be non-empty if specified')]
      : []),
    ...(message?.trim().includes('\n')
      ? [invalidField(`${path}.message`, message, 'message must not contain line breaks')]
      : []),
    ...(expression?.trim().includes('\n') && !message?.trim()
      ? [requiredField(`${path}.message`, 'message must be specified if expression contains line breaks')]
      : []),
    ...(reason !== undefined && !reasons.includes(reason)
      ? [unsupportedField(`${path}.reason`, reason, reasons.toSorted())]
      : []),
  ];
}

function checkMatch(match: MatchResources, path: string): FieldError[] {
  return [
    ...checkOptionalChoice(match.matchPolicy, ['Equivalent', 'Exact'], `${path}.matchPolicy`),
    ...checkLabelSelector(match.namespaceSelector ?? {}, `${path}.namespaceSelector`),
    ...checkLabelSelector(match.objectSelector ?? {}, `${path}.objectSelector`),
    ...(match.resourceRules ?? []).flatMap((rule, at) => checkRule(rule, `${path}.resourceRules[${at}]`)),
    ...(match.excludeResourceRules ?? []).flatMap((rule, at) => checkRule(rule, `${path}.excludeResourceRules[${at}]`)),
  ];
}

const actions = ['Audit', 'Deny', 'Warn'];

function checkBinding(spec: ValidatingAdmissionPolicyBindingSpec): FieldError[] {
  const { policyName, paramRef, matchResources, validationActions = [] } = spec;
  const path = 'spec.validationActions';
  return [
    ...(policyName ? [] : [requiredField('spec.policyName')]),
    ...(paramRef && !paramRef.name === !paramRef.selector
      ? [
          paramRef.name
            ? invalidField('spec.paramRef.name', paramRef.name, 'name and selector are mutually exclusive')
            : requiredField('spec.paramRef', 'one of name or selector must be specified'),
        ]
      : []),
    ...(paramRef
      ? checkChoice(paramRef.parameterNotFoundAction, ['Allow', 'Deny'], 'spec.paramRef.parameterNotFoundAction')
      : []),
    ...(matchResources ? checkMatch(matchResources, 'spec.matchResources') : []),
    ...(validationActions.length === 0 ? [requiredField(path, 'at least one validation action is required')] : []),
    ...validationActions.flatMap((action, at) =>
      actions.includes(action) ? [] : [unsupportedField(`${path}[${at}]`, action, actions)],
    ),
    ...repeated(validationActions, (action) => action).map((at) => ({
      reason: 'FieldValueDuplicate' as const,
      field: `${path}[${at}]`,
      message: `Duplicate value: "${validationActions[at]}"`,
    })),
    ...(validationActions.includes('Deny') && validationActions.includes('Warn')
      ? [
          invalidField(
            path,
            validationActions,
            'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
          ),
        ]
      : []),
  ];
}
