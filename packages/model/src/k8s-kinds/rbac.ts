// Roles, ClusterRoles and their bindings.
import { checkDns1123Subdomain, invalidField, requiredField, unsupportedField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { jsonEqual } from '../k8s-patch/index.ts';
import { checkLabelSelector } from '../k8s-selectors/index.ts';
import type {
  ClusterRole,
  ClusterRoleBinding,
  LabelSelector,
  PolicyRule,
  Role,
  RoleBinding,
  RoleRef,
  Subject,
} from '../k8s-types/index.ts';
import { checkText } from './checks.ts';
import { createRules } from './kind-rules.ts';

const rbacGroup = 'rbac.authorization.k8s.io';

/** Names of roles may hold colons and capitals; they only have to be one segment of a URL. */
export function checkPathSegment(name: string): string[] {
  if (name === '.' || name === '..') return [`may not be '${name}'`];
  return ['/', '%']
    .filter((character) => name.includes(character))
    .map((character) => `may not contain '${character}'`);
}

export const roleRules = createRules<Role>({
  checkName: checkPathSegment,
  validate: ({ rules = [] }) => rules.flatMap((rule, i) => checkRule(rule, true, `rules[${i}]`)),
});

export const clusterRoleRules = createRules<ClusterRole>({
  checkName: checkPathSegment,
  validate: ({ rules, aggregationRule }) => [
    ...(rules ?? []).flatMap((rule, i) => checkRule(rule, false, `rules[${i}]`)),
    ...(aggregationRule ? checkSelectors(aggregationRule.clusterRoleSelectors ?? []) : []),
  ],
});

function checkSelectors(selectors: readonly LabelSelector[]): FieldError[] {
  const path = 'aggregationRule.clusterRoleSelectors';
  if (selectors.length === 0)
    return [requiredField(path, 'at least one clusterRoleSelector required if aggregationRule is non-nil')];
  return selectors.flatMap((selector, at) => {
    const errors = checkLabelSelector(selector, `${path}[${at}]`);
    return errors.length > 0 ? [...errors, invalidField(`${path}[${at}]`, selector, 'invalid label selector.')] : [];
  });
}

function checkRule(rule: PolicyRule, namespaced: boolean, path: string): FieldError[] {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const verbErrors = verbs?.length ? [] : [requiredField(`${path}.verbs`, 'verbs must contain at least one value')];
  if (nonResourceURLs.length > 0) {
    const at = `${path}.nonResourceURLs`;
    return [
      ...verbErrors,
      ...(namespaced ? [invalidField(at, nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs')] : []),
      ...(resources.length + apiGroups.length + resourceNames.length > 0
        ? [invalidField(at, nonResourceURLs, 'rules cannot apply to both regular resources and non-resource URLs')]
        : []),
    ];
  }
  return [
    ...verbErrors,
    ...(apiGroups.length > 0
      ? []
      : [requiredField(`${path}.apiGroups`, 'resource rules must supply at least one api group')]),
    ...(resources.length > 0
      ? []
      : [requiredField(`${path}.resources`, 'resource rules must supply at least one resource')]),
  ];
}

type Binding = Pick<RoleBinding, 'roleRef' | 'subjects'>;

const defaultRef = (ref: RoleRef | undefined): RoleRef => ({
  kind: '',
  name: '',
  ...ref,
  apiGroup: ref?.apiGroup || rbacGroup,
});

const defaultSubject = (subject: Subject): Subject =>
  (subject.kind !== 'User' && subject.kind !== 'Group') || subject.apiGroup
    ? subject
    : { ...subject, apiGroup: rbacGroup };

const withDefaults = <B extends Binding>(binding: B): B => ({
  ...binding,
  roleRef: defaultRef(binding.roleRef),
  ...(binding.subjects ? { subjects: binding.subjects.map(defaultSubject) } : {}),
});

function checkBinding({ roleRef, subjects = [] }: Binding, kinds: readonly string[]): FieldError[] {
  // Within a namespace, an account without one is an account of that namespace.
  const isNamespaced = kinds.includes('Role');
  return [
    ...(roleRef.apiGroup === rbacGroup ? [] : [unsupportedField('roleRef.apiGroup', roleRef.apiGroup, [rbacGroup])]),
    ...(kinds.includes(roleRef.kind) ? [] : [unsupportedField('roleRef.kind', roleRef.kind, kinds)]),
    ...(roleRef.name ? checkText(roleRef.name, checkPathSegment, 'roleRef.name') : [requiredField('roleRef.name')]),
    ...subjects.flatMap((subject, i) => checkSubject(subject, isNamespaced, `subjects[${i}]`)),
  ];
}

function checkSubject(
  { kind = '', name, namespace, apiGroup = '' }: Subject,
  isNamespaced: boolean,
  path: string,
): FieldError[] {
  const named = name ? [] : [requiredField(`${path}.name`)];
  switch (kind) {
    case 'ServiceAccount':
      return [
        ...named,
        ...checkText(name, checkDns1123Subdomain, `${path}.name`),
        ...(apiGroup ? [unsupportedField(`${path}.apiGroup`, apiGroup, [''])] : []),
        ...(namespace || isNamespaced ? [] : [requiredField(`${path}.namespace`)]),
      ];
    case 'User':
    case 'Group':
      return [
        ...named,
        ...(apiGroup === rbacGroup ? [] : [unsupportedField(`${path}.apiGroup`, apiGroup, [rbacGroup])]),
      ];
    default:
      return [...named, unsupportedField(`${path}.kind`, kind, ['ServiceAccount', 'User', 'Group'])];
  }
}

const checkRefKept = ({ roleRef }: Binding, old: Binding): FieldError[] =>
  jsonEqual(roleRef, old.roleRef) ? [] : [invalidField('roleRef', roleRef, 'cannot change roleRef')];

export const roleBindingRules = createRules<RoleBinding>({
  checkName: checkPathSegment,
  defaults: withDefaults,
  validate: (binding) => checkBinding(binding, ['Role', 'ClusterRole']),
  validateUpdate: checkRefKept,
});

export const clusterRoleBindingRules = createRules<ClusterRoleBinding>({
  checkName: checkPathSegment,
  defaults: withDefaults,
  validate: (binding) => checkBinding(binding, ['ClusterRole']),
  validateUpdate: checkRefKept,
});
