// What is written to the audit log, by the rules of an audit.k8s.io/v1 Policy: the first rule that fits decides.
import { defineErrors } from '@kedge/core/errors';
import type { ApiUser, RequestInfo } from '@kedge/engine/kube-api';
import { isObject } from '@kedge/model/k8s-patch';

export const auditErrors = defineErrors('AUDIT', {
  BAD_POLICY: {
    retry: 'never',
    say: (d: { problems: readonly string[] }) => `the audit policy cannot be used: ${d.problems.join('; ')}`,
  },
});

const levels = ['None', 'Metadata', 'Request', 'RequestResponse'] as const;
export type AuditLevel = (typeof levels)[number];
const stages = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const;
export type AuditStage = (typeof stages)[number];

interface GroupResources {
  readonly group?: string;
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
}

export interface AuditRule {
  readonly level: AuditLevel;
  readonly users?: readonly string[];
  readonly userGroups?: readonly string[];
  readonly verbs?: readonly string[];
  readonly resources?: readonly GroupResources[];
  readonly namespaces?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly omitStages?: readonly AuditStage[];
  readonly omitManagedFields?: boolean;
}

export interface AuditPolicy {
  readonly rules: readonly AuditRule[];
  readonly omitStages?: readonly AuditStage[];
  readonly omitManagedFields?: boolean;
}

export interface AuditDecision {
  readonly level: AuditLevel;
  readonly omitStages: ReadonlySet<AuditStage>;
  readonly omitManagedFields: boolean;
}

/** Without a policy of one's own: who did what, writes with what was sent, and never what is secret. */
export const defaultAuditPolicy: AuditPolicy = {
  omitStages: ['RequestReceived'],
  omitManagedFields: true,
  rules: [
    { level: 'None', nonResourceURLs: ['/healthz*', '/livez*', '/readyz*', '/version', '/openapi/*', '/api*'] },
    { level: 'None', resources: [{ group: '', resources: ['events'] }, { group: 'events.k8s.io' }] },
    { level: 'None', resources: [{ group: 'coordination.k8s.io', resources: ['leases'] }] },
    {
      level: 'Metadata',
      resources: [
        { group: '', resources: ['secrets', 'configmaps', 'serviceaccounts/token'] },
        { group: 'authentication.k8s.io', resources: ['tokenreviews'] },
      ],
    },
    { level: 'Metadata', verbs: ['get', 'list', 'watch'] },
    { level: 'Request' },
  ],
};

/** Reads a policy document. Throws AUDIT_BAD_POLICY with everything that is wrong with it. */
export function readAuditPolicy(document: unknown): AuditPolicy {
  const problems: string[] = [];
  const policy = isObject(document) ? document : {};
  if (policy['kind'] !== 'Policy' || policy['apiVersion'] !== 'audit.k8s.io/v1')
    problems.push('kind and apiVersion must be Policy of audit.k8s.io/v1');
  checkStages(policy['omitStages'], 'omitStages', problems);
  const rules = policy['rules'];
  if (!Array.isArray(rules) || rules.length === 0) problems.push('rules: Required value');
  else rules.forEach((rule, at) => checkRule(rule, `rules[${at}]`, problems));
  if (problems.length > 0) throw auditErrors.BAD_POLICY({ problems });
  return policy as unknown as AuditPolicy;
}

function checkStages(value: unknown, path: string, problems: string[]): void {
  if (value === undefined) return;
  const known = Array.isArray(value) && value.every((one) => (stages as readonly unknown[]).includes(one));
  if (!known) problems.push(`${path}: must be a list of ${stages.join(', ')}`);
}

const lists = ['users', 'userGroups', 'verbs', 'namespaces', 'nonResourceURLs'] as const;

function checkRule(rule: unknown, path: string, problems: string[]): void {
  if (!isObject(rule)) return void problems.push(`${path}: must be an object`);
  if (!(levels as readonly unknown[]).includes(rule['level']))
    problems.push(`${path}.level: must be one of ${levels.join(', ')}`);
  checkStages(rule['omitStages'], `${path}.omitStages`, problems);
  for (const field of lists) {
    const value = rule[field];
    if (value !== undefined && !(Array.isArray(value) && value.every((one) => typeof one === 'string')))
      problems.push(`${path}.${field}: must be a list of texts`);
  }
  const resources = rule['resources'];
  if (resources !== undefined && !(Array.isArray(resources) && resources.every(isObject)))
    problems.push(`${path}.resources: must be a list of groups and their resources`);
  const aboutPaths = rule['nonResourceURLs'] !== undefined;
  if (aboutPaths && (resources !== undefined || rule['namespaces'] !== undefined))
    problems.push(`${path}: a rule cannot apply to both regular resources and non-resource URLs`);
}

export function decideAudit(policy: AuditPolicy, user: ApiUser | undefined, info: RequestInfo): AuditDecision {
  const rule = policy.rules.find((one) => fits(one, user, info));
  return {
    level: rule?.level ?? 'None',
    omitStages: new Set([...(policy.omitStages ?? []), ...(rule?.omitStages ?? [])]),
    omitManagedFields: rule?.omitManagedFields ?? policy.omitManagedFields ?? false,
  };
}

const isAny = (list: readonly string[] | undefined): list is undefined | readonly [] => !list || list.length === 0;

function fits(rule: AuditRule, user: ApiUser | undefined, info: RequestInfo): boolean {
  if (!isAny(rule.users) && !rule.users.includes(user?.name ?? '')) return false;
  if (!isAny(rule.userGroups) && !rule.userGroups.some((group) => user?.groups.includes(group))) return false;
  if (!isAny(rule.verbs) && !rule.verbs.includes(info.verb)) return false;
  if (rule.resources?.length || rule.namespaces?.length) return info.isResource && fitsResource(rule, info);
  if (!isAny(rule.nonResourceURLs))
    return !info.isResource && rule.nonResourceURLs.some((url) => fitsPath(url, info.path));
  return true;
}

const fitsPath = (url: string, path: string): boolean =>
  url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1)));

function fitsResource({ namespaces, resources }: AuditRule, info: RequestInfo & { isResource: true }): boolean {
  if (!isAny(namespaces) && !namespaces.includes(info.namespace)) return false;
  if (!resources?.length) return true;
  const whole = info.subresource ? `${info.resource}/${info.subresource}` : info.resource;
  return resources.some((one) => {
    if ((one.group ?? '') !== info.group) return false;
    if (!isAny(one.resourceNames) && !one.resourceNames.includes(info.name)) return false;
    if (isAny(one.resources)) return true;
    return one.resources.some(
      (wanted) =>
        wanted === whole ||
        wanted === '*' ||
        (info.subresource !== '' && (wanted === `${info.resource}/*` || wanted === `*/${info.subresource}`)),
    );
  });
}
