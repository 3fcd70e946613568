// What a role or binding of the cluster's own lacks of what it is born with. What somebody added stays; what somebody
// switched off by annotation is left alone.
import type { KubeObject } from '@kedge/model/k8s';
import { jsonEqual } from '@kedge/model/k8s-patch';
import type { PolicyRule, Subject } from '@kedge/model/k8s-types';

const autoUpdate = 'rbac.authorization.kubernetes.io/autoupdate';

/** The object as it should be; undefined when it is so already, or is not ours to change. */
export function planReconciled(existing: KubeObject, wanted: KubeObject): KubeObject | undefined {
  if (existing.metadata.annotations?.[autoUpdate] === 'false') return undefined;
  const { metadata } = existing;
  const next: KubeObject = {
    ...existing,
    metadata: {
      ...metadata,
      labels: { ...metadata.labels, ...wanted.metadata.labels },
      annotations: { ...metadata.annotations, ...wanted.metadata.annotations },
    },
  };
  if (wanted['aggregationRule']) next['aggregationRule'] = aggregationOf(existing, wanted);
  else if (wanted['rules']) next['rules'] = [...rulesOf(existing), ...missingRules(rulesOf(existing), rulesOf(wanted))];
  if (wanted['subjects']) next['subjects'] = withSubjects(existing, wanted);
  return jsonEqual(next, existing) ? undefined : next;
}

const rulesOf = (object: KubeObject): readonly PolicyRule[] => (object['rules'] as PolicyRule[] | undefined) ?? [];

const missingRules = (have: readonly PolicyRule[], want: readonly PolicyRule[]): PolicyRule[] =>
  want.filter((rule) => !have.some((one) => coversRule(one, rule)));

/** Everything `rule` allows, `by` allows alone. */
export function coversRule(by: PolicyRule, rule: PolicyRule): boolean {
  const all = (have: readonly string[] | undefined, want: readonly string[] | undefined): boolean =>
    (want ?? []).every((one) => have?.includes('*') || have?.includes(one));
  if (!all(by.verbs, rule.verbs)) return false;
  if (rule.nonResourceURLs?.length) {
    return rule.nonResourceURLs.every((url) =>
      by.nonResourceURLs?.some(
        (one) => one === url || one === '*' || (one.endsWith('*') && url.startsWith(one.slice(0, -1))),
      ),
    );
  }
  const named = by.resourceNames ?? [];
  const names =
    named.length === 0 ||
    ((rule.resourceNames?.length ?? 0) > 0 && rule.resourceNames!.every((one) => named.includes(one)));
  return names && all(by.apiGroups, rule.apiGroups) && all(by.resources, rule.resources);
}

function aggregationOf(existing: KubeObject, wanted: KubeObject): unknown {
  const selectorsOf = (object: KubeObject): unknown[] =>
    (object['aggregationRule'] as { clusterRoleSelectors?: unknown[] } | undefined)?.clusterRoleSelectors ?? [];
  const have = selectorsOf(existing);
  const missing = selectorsOf(wanted).filter((one) => !have.some((other) => jsonEqual(one, other)));
  return { clusterRoleSelectors: [...have, ...missing] };
}

function withSubjects(existing: KubeObject, wanted: KubeObject): unknown {
  const have = (existing['subjects'] as Subject[] | undefined) ?? [];
  const same = (a: Subject, b: Subject): boolean =>
    a.kind === b.kind && a.name === b.name && (a.namespace ?? '') === (b.namespace ?? '');
  const missing = (wanted['subjects'] as Subject[]).filter((one) => !have.some((other) => same(one, other)));
  return missing.length === 0 ? existing['subjects'] : [...have, ...missing];
}
