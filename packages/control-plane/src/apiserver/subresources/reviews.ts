// Questions about identity and permission: reviews are answered and never kept.
import type { ApiUser } from '@kedge/engine/kube-api';
import { fail, type KubeObject } from '@kedge/model/k8s';
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
  if (!of)
    throw fail(
      'Invalid',
      'spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified',
    );
  const { verb = '', group = '', resource = '', subresource = '', namespace = '', name = '' } = of;
  return { isResource: true, verb, group, resource, subresource, namespace, name };
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
    const user = { name: spec.user ?? '', uid: spec.uid, groups: spec.groups ?? [] };
    return answer(body, decide(user, spec));
  };
  return {
    'selfsubjectaccessreviews.authorization.k8s.io': async (body, _, { user }) =>
      answer(body, decide(user, (body['spec'] ?? {}) as AccessSpec)),
    'subjectaccessreviews.authorization.k8s.io': subjectAccess,
    'localsubjectaccessreviews.authorization.k8s.io': async (body, namespace, call) => {
      const asked = ((body['spec'] ?? {}) as SubjectAccessReviewSpec).resourceAttributes?.namespace;
      if (asked !== namespace)
        throw fail('Invalid', 'spec.resourceAttributes.namespace must be the namespace of the request');
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
      const known = await authenticator.review(token, audiences?.length ? audiences : [audience]);
      if (!known) return answer(body, { authenticated: false, user: {}, error: 'the token is not valid' });
      return answer(body, { authenticated: true, user: userInfo(known.user), audiences: known.audiences });
    },
  };
}

const answer = (body: KubeObject, status: unknown): KubeObject => ({ ...body, status });
