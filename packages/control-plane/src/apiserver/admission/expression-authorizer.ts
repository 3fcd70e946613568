// The `authorizer` of expressions: asks whether the one who makes the request may do something else, too.
import type { ApiUser } from '@kedge/engine/kube-api';
import type { Cel } from '@kedge/model/k8s-cel';
import type { Attributes, Authorizer, Decision } from '../authz/attributes.ts';
import type { AdmissionRequest } from './admission.ts';

type Environment = ReturnType<Cel['open']>;

class CelAuthorizer {
  readonly decide: (attributes: Attributes) => Decision;
  readonly serviceAccount: (namespace: string, name: string) => CelAuthorizer;
  /** What the request itself is about; only of the one who makes it. */
  readonly requestResource: CelResourceCheck | undefined;
  constructor(authorizer: Authorizer, user: ApiUser, target?: Target) {
    this.requestResource = target && new CelResourceCheck(this, target);
    this.decide = (attributes) => authorizer.decide(user, attributes);
    this.serviceAccount = (namespace, name) =>
      new CelAuthorizer(authorizer, {
        name: `system:serviceaccount:${namespace}:${name}`,
        groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
      });
  }
}

class CelPathCheck {
  readonly authorizer: CelAuthorizer;
  readonly path: string;
  constructor(authorizer: CelAuthorizer, path: string) {
    this.authorizer = authorizer;
    this.path = path;
  }
}

class CelGroupCheck {
  readonly authorizer: CelAuthorizer;
  readonly group: string;
  constructor(authorizer: CelAuthorizer, group: string) {
    this.authorizer = authorizer;
    this.group = group;
  }
}

interface Target {
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

class CelResourceCheck {
  readonly authorizer: CelAuthorizer;
  readonly target: Target;
  constructor(authorizer: CelAuthorizer, target: Target) {
    this.authorizer = authorizer;
    this.target = target;
  }
  with(part: Partial<Target>): CelResourceCheck {
    return new CelResourceCheck(this.authorizer, { ...this.target, ...part });
  }
}

class CelDecision {
  readonly decision: Decision;
  constructor(decision: Decision) {
    this.decision = decision;
  }
}

export function registerAuthorizer(env: Environment): void {
  const base = 'kubernetes.authorization';
  const [authorizer, path, group, resource, decision] = [
    'Authorizer',
    'PathCheck',
    'GroupCheck',
    'ResourceCheck',
    'Decision',
  ].map((name) => `${base}.${name}`) as [string, string, string, string, string];
  env.registerType(resource, CelResourceCheck);
  env.registerType(authorizer, { ctor: CelAuthorizer, fields: { requestResource: resource } });
  env.registerType(path, CelPathCheck);
  env.registerType(group, CelGroupCheck);
  env.registerType(decision, CelDecision);
  const on = (signature: string, handler: (...args: never[]) => unknown): void => {
    env.registerFunction(signature, handler, { async: false });
  };
  on(`${authorizer}.path(string): ${path}`, (of: CelAuthorizer, at: string) => new CelPathCheck(of, at));
  on(`${authorizer}.group(string): ${group}`, (of: CelAuthorizer, name: string) => new CelGroupCheck(of, name));
  on(
    `${authorizer}.serviceAccount(string, string): ${authorizer}`,
    (of: CelAuthorizer, namespace: string, name: string) => of.serviceAccount(namespace, name),
  );
  on(
    `${group}.resource(string): ${resource}`,
    ({ authorizer: of, group: inGroup }: CelGroupCheck, name: string) =>
      new CelResourceCheck(of, { group: inGroup, resource: name, subresource: '', namespace: '', name: '' }),
  );
  on(`${resource}.subresource(string): ${resource}`, (of: CelResourceCheck, subresource: string) =>
    of.with({ subresource }),
  );
  on(`${resource}.namespace(string): ${resource}`, (of: CelResourceCheck, namespace: string) => of.with({ namespace }));
  on(`${resource}.name(string): ${resource}`, (of: CelResourceCheck, name: string) => of.with({ name }));
  on(
    `${resource}.check(string): ${decision}`,
    ({ authorizer: of, target }: CelResourceCheck, verb: string) =>
      new CelDecision(of.decide({ isResource: true, verb, ...target })),
  );
  on(
    `${path}.check(string): ${decision}`,
    ({ authorizer: of, path: at }: CelPathCheck, verb: string) =>
      new CelDecision(of.decide({ isResource: false, verb, path: at })),
  );
  on(`${decision}.allowed(): bool`, ({ decision: made }: CelDecision) => made.allowed);
  on(`${decision}.reason(): string`, ({ decision: made }: CelDecision) => made.reason);
  on(`${decision}.errored(): bool`, () => false);
  on(`${decision}.error(): string`, () => '');
  env.registerVariable('authorizer', authorizer);
}

export function authorizerValue(
  authorizer: Authorizer,
  user: ApiUser,
  { kind, namespace = '', name, subresource = '' }: AdmissionRequest,
): unknown {
  const { group, resource } = kind.served;
  return new CelAuthorizer(authorizer, user, { group, resource, subresource, namespace, name });
}
