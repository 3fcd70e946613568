// Roles, ClusterRoles and their bindings.
import { forbiddenField, requiredField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { jsonEqual } from '../k8s-patch/index.ts';
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  RoleRef,
  Subject,
} from '../k8s-types/index.ts';
import { checkChoice } from './checks.ts';
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
  validate: ({ rules }) => (rules ?? []).flatMap((rule, i) => checkRule(rule, false, `rules[${i}]`)),
});

function checkRule(rule: PolicyRule, namespaced: boolean, path: string): FieldError[] {
  const { verbs, apiGroups = [], resources = [], nonResourceURLs = [] } = rule;
  const verbErrors = verbs?.length ? [] : [requiredField(`${path}.verbs`, 'verbs must contain at least one value')];
  if (nonResourceURLs.length > 0) {
    if (namespaced)
      return [
        ...verbErrors,
        forbiddenField(`${path}.nonResourceURLs`, 'namespaced rules cannot apply to non-resource URLs'),
      ];
    return resources.length > 0 || apiGroups.length > 0
      ? [
          ...verbErrors,
          forbiddenField(
            `${path}.nonResourceURLs`,
            'rules cannot apply to both regular resources and non-resource URLs',
          ),
        ]
      : verbErrors;
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
  subject.kind === 'ServiceAccount' || subject.apiGroup ? subject : { ...subject, apiGroup: rbacGroup };

const withDefaults = <B extends Binding>(binding: B): B => ({
  ...binding,
  roleRef: defaultRef(binding.roleRef),
  ...(binding.subjects ? { subjects: binding.subjects.map(defaultSubject) } : {}),
});

function checkBinding({ roleRef, subjects = [] }: Binding, kinds: readonly string[]): FieldError[] {
  return [
    ...checkChoice(roleRef.apiGroup, [rbacGroup], 'roleRef.apiGroup'),
    ...checkChoice(roleRef.kind, kinds, 'roleRef.kind'),
    ...(roleRef.name ? [] : [requiredField('roleRef.name')]),
    ...subjects.flatMap((subject, i) => checkSubject(subject, `subjects[${i}]`)),
  ];
}

const checkSubject = ({ kind, name, namespace }: Subject, path: string): FieldError[] => [
  ...(name ? [] : [requiredField(`${path}.name`)]),
  ...checkChoice(kind, ['ServiceAccount', 'User', 'Group'], `${path}.kind`),
  ...(kind === 'ServiceAccount' && !namespace ? [requiredField(`${path}.namespace`)] : []),
];

const checkRefKept = ({ roleRef }: Binding, old: Binding): FieldError[] =>
  jsonEqual(roleRef, old.roleRef) ? [] : [forbiddenField('roleRef', 'cannot change roleRef')];

export const roleBindingRules = createRules<RoleBinding>({
  checkName: checkPathSegment,
  defaults: withDefaults,
  validate: (binding) => checkBinding(binding, ['ClusterRole', 'Role']),
  validateUpdate: checkRefKept,
});

export const clusterRoleBindingRules = createRules<ClusterRoleBinding>({
  checkName: checkPathSegment,
  defaults: withDefaults,
  validate: (binding) => checkBinding(binding, ['ClusterRole']),
  validateUpdate: checkRefKept,
});
