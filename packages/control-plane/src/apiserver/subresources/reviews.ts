// Questions about identity and permission: reviews are answered and never kept.
import type { ApiUser } from '@kedge/engine/kube-api';
import { fail, type FieldError, invalidField, invalidObject, type KubeObject, requiredField } from '@kedge/model/k8s';
import type { PolicyRule, SubjectAccessReviewSpec, TokenReviewSpec } from '@kedge/model/k8s-types';
import type { Authenticator } from '../authn/authenticate.ts';
import type { Attributes, Authorizer } from '../authz/attributes.ts';
import type { Question } from './subresource.ts';

export interface ReviewDeps {
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly audience: string;
  rulesFor(user: ApiUser, namespace: string): readonly PolicyRule[];
}

type AccessSpec = Pick<SubjectAccessReviewSpec, 'resourceAttributes' | 'nonResourceAttributes'>;

function attributesOf({ resourceAttributes: of, nonResourceAttributes: path }: AccessSpec): Attributes {
  if (path) return { isResource: false, verb: path.verb ?? '', path: path.path ?? '' };
  const { verb = '', group = '', resource = '', subresource = '', namespace = '', name = '' } = of ?? {};
  return { isResource: true, verb, group, resource, subresource, namespace, name };
}

function checkAccess({ resourceAttributes: of, nonResourceAttributes: path }: AccessSpec): FieldError[] {
  const selectors = (['fieldSelector', 'labelSelector'] as const).filter((field) => {
    const selector = of?.[field];
    return selector !== undefined && !selector.rawSelector && !selector.requirements?.length;
  });
  return [
    ...(of && path
      ? [invalidField('spec.nonResourceAttributes', path, 'cannot be specified in combination with resourceAttributes')]
      : []),
    ...(of || path
      ? []
      : [
          invalidField(
            'spec.resourceAttributes',
            undefined,
            'exactly one of nonResourceAttributes or resourceAttributes must be specified',
          ),
        ]),
    ...selectors.map((field) =>
      requiredField(
        `spec.resourceAttributes.${field}.requirements`,
        `when spec.resourceAttributes.${field} is specified, requirements or rawSelector is required`,
      ),
    ),
  ];
}

const checkSubject = ({ user = '', groups = [] }: SubjectAccessReviewSpec): FieldError[] =>
  user || groups.length > 0 ? [] : [invalidField('spec.user', user, 'at least one of user or group must be specified')];

function checkLocal({ resourceAttributes: of, nonResourceAttributes: path }: AccessSpec, namespace = ''): FieldError[] {
  return [
    ...(of && (of.namespace ?? '') !== namespace
      ? [invalidField('spec.resourceAttributes.namespace', of.namespace ?? '', 'must match metadata.namespace')]
      : []),
    ...(path ? [invalidField('spec.nonResourceAttributes', path, 'disallowed on this kind of request')] : []),
  ];
}

/** Reviews have no name, so there is none to show. */
function refuse(kind: string, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalidObject({ group: 'authorization.k8s.io', kind }, '', errors);
}

const userInfo = ({ name, uid, groups, extra }: ApiUser) => ({
  username: name,
  ...(uid ? { uid } : {}),
  groups,
  ...(extra && Object.keys(extra).length ? { extra } : {}),
});

export function createReviews({
  authenticator,
  authorizer,
  audience,
  rulesFor,
}: ReviewDeps): Readonly<Record<string, Question>> {
  const decide = (user: ApiUser, spec: AccessSpec) => {
    const { allowed, reason } = authorizer.decide(user, attributesOf(spec));
    return { allowed, ...(reason ? { reason } : {}) };
  };
  const subjectAccess: Question = async (body) => {
    const spec = (body['spec'] ?? {}) as SubjectAccessReviewSpec;
    refuse('SubjectAccessReview', [...checkAccess(spec), ...checkSubject(spec)]);
    const user = { name: spec.user ?? '', uid: spec.uid, groups: spec.groups ?? [] };
    return answer(body, decide(user, spec));
  };
  return {
    'selfsubjectaccessreviews.authorization.k8s.io': async (body, _, { user }) => {
      const spec = (body['spec'] ?? {}) as AccessSpec;
      refuse('SelfSubjectAccessReview', checkAccess(spec));
      return answer(body, decide(user, spec));
    },
    'subjectaccessreviews.authorization.k8s.io': subjectAccess,
    'localsubjectaccessreviews.authorization.k8s.io': async (body, namespace, call) => {
      const spec = (body['spec'] ?? {}) as SubjectAccessReviewSpec;
      refuse('LocalSubjectAccessReview', [...checkAccess(spec), ...checkSubject(spec), ...checkLocal(spec, namespace)]);
      return subjectAccess(body, namespace, call);
    },
    'selfsubjectrulesreviews.authorization.k8s.io': async (body, _, { user }) => {
      const { namespace = '' } = (body['spec'] ?? {}) as { namespace?: string };
      const rules = rulesFor(user, namespace);
      return answer(body, {
        resourceRules: rules
          .filter(({ resources }) => resources)
          .map(({ verbs, apiGroups, resources, resourceNames }) => ({
            verbs,
            apiGroups,
            resources,
            ...(resourceNames ? { resourceNames } : {}),
          })),
        nonResourceRules: rules
          .filter(({ nonResourceURLs }) => nonResourceURLs)
          .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
        incomplete: false,
      });
    },
    'selfsubjectreviews.authentication.k8s.io': async (body, _, { user }) => answer(body, { userInfo: userInfo(user) }),
    'tokenreviews.authentication.k8s.io': async (body) => {
      const { token = '', audiences } = (body['spec'] ?? {}) as TokenReviewSpec;
      if (!token) throw fail('BadRequest', 'token is required for TokenReview in authentication');
      const known = await authenticator.review(token, audiences?.length ? audiences : [audience]);
      if (!known) return answer(body, { authenticated: false, user: {}, error: 'the token is not valid' });
      return answer(body, { authenticated: true, user: userInfo(known.user), audiences: known.audiences });
    },
  };
}

const answer = (body: KubeObject, status: unknown): KubeObject => ({ ...body, status });
