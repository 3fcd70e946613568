// The limits of a namespace: what containers ask for when they do not say, and how little or much they and claims may ask.
import { fail, type KubeObject } from '@kedge/model/k8s';
import { compareQuantities, parseQuantity } from '@kedge/model/k8s-quantity';
import { addAmounts, amountsOf } from '@kedge/model/k8s-scheduling';
import type { Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, PodSpec } from '@kedge/model/k8s-types';
import type { AdmissionRequest, AdmissionStep } from './admission.ts';

type Asked = Readonly<Record<string, string>>;

export const limitRanges = (rangesIn: (namespace: string) => readonly KubeObject[]): AdmissionStep => ({
  name: 'LimitRanger',
  admit: (request) => limit(request, rangesIn, 'fill in'),
  // Once more: webhooks may have changed what is asked for.
  validate: (request) => limit(request, rangesIn, 'check'),
});

function limit(
  { operation, kind, namespace, name, subresource, object }: AdmissionRequest,
  rangesIn: (namespace: string) => readonly KubeObject[],
  mode: 'check' | 'fill in',
): void {
  const isResize = operation === 'update' && subresource === 'resize';
  const isPod = kind.collection === 'pods' && (operation === 'create' || isResize);
  const isClaim = kind.collection === 'persistentvolumeclaims' && operation !== 'delete';
  if ((!isPod && !isClaim) || (subresource !== undefined && !isResize) || !object || namespace === undefined) return;
  const items = rangesIn(namespace).flatMap((range) => (range as unknown as LimitRange).spec?.limits ?? []);
  if (items.length === 0) return;
  if (isPod && mode === 'fill in') for (const container of containersOf(object)) fillIn(container, items);
  const problems = isPod ? podProblems(object, items) : claimProblems(object, items);
  if (problems.length === 0) return;
  const text = problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`;
  throw fail('Forbidden', `${kind.served.resource} "${name}" is forbidden: ${text}`, {
    name,
    kind: kind.served.resource,
  });
}

function containersOf(pod: KubeObject): Container[] {
  const { containers = [], initContainers = [] } = (pod['spec'] ?? {}) as Partial<PodSpec>;
  return [...containers, ...initContainers];
}

function fillIn(container: Container, items: readonly LimitRangeItem[]): void {
  for (const { type, default: limits = {}, defaultRequest = {} } of items) {
    if (type !== 'Container') continue;
    const asked = container.resources;
    // Whoever limits a resource and asks for none asks for as much as the limit.
    const requests = { ...defaultRequest, ...asked?.limits, ...asked?.requests };
    container.resources = { ...asked, limits: { ...limits, ...asked?.limits }, requests };
  }
}

function podProblems(pod: KubeObject, items: readonly LimitRangeItem[]): string[] {
  const containers = containersOf(pod);
  return items.flatMap((item) => {
    if (item.type === 'Container') {
      return containers.flatMap(({ resources }) => problems(item, resources?.requests ?? {}, resources?.limits ?? {}));
    }
    if (item.type !== 'Pod') return [];
    const { containers: main = [] } = (pod['spec'] ?? {}) as Partial<PodSpec>;
    const sum = (of: 'requests' | 'limits'): Asked => total(main.map(({ resources }) => resources?.[of]));
    return problems(item, sum('requests'), sum('limits'));
  });
}

function total(lists: readonly (Asked | undefined)[]): Asked {
  const sum = lists.map((list) => amountsOf(list)).reduce(addAmounts, new Map());
  return Object.fromEntries([...sum].map(([name, amount]) => [name, name === 'cpu' ? `${amount}m` : String(amount)]));
}

function claimProblems(claim: KubeObject, items: readonly LimitRangeItem[]): string[] {
  const requests = (claim as unknown as PersistentVolumeClaim).spec?.resources?.requests ?? {};
  return items
    .filter(({ type }) => type === 'PersistentVolumeClaim')
    .flatMap((item) => problems(item, requests, requests));
}

const isLess = (a: string, b: string): boolean => {
  const [x, y] = [parseQuantity(a), parseQuantity(b)];
  return x !== undefined && y !== undefined && compareQuantities(x, y) < 0;
};

function problems(
  { type, min = {}, max = {}, maxLimitRequestRatio = {} }: LimitRangeItem,
  requests: Asked,
  limits: Asked,
): string[] {
  const found: string[] = [];
  for (const [name, least] of Object.entries(min)) {
    const rule = `minimum ${name} usage per ${type} is ${least}`;
    const [request, limit] = [requests[name], limits[name]];
    if (request === undefined) found.push(`${rule}.  No request is specified`);
    else if (isLess(request, least)) found.push(`${rule}, but request is ${request}`);
    if (limit !== undefined && isLess(limit, least)) found.push(`${rule}, but limit is ${limit}`);
  }
  for (const [name, most] of Object.entries(max)) {
    const rule = `maximum ${name} usage per ${type} is ${most}`;
    const [request, limit] = [requests[name], limits[name]];
    if (limit === undefined) found.push(`${rule}.  No limit is specified`);
    else if (isLess(most, limit)) found.push(`${rule}, but limit is ${limit}`);
    if (request !== undefined && isLess(most, request)) found.push(`${rule}, but request is ${request}`);
  }
  for (const [name, most] of Object.entries(maxLimitRequestRatio)) {
    const ratio =
      Number(parseQuantity(limits[name] ?? '0')?.nano ?? 0n) / Number(parseQuantity(requests[name] ?? '0')?.nano || 1n);
    const highest = Number(parseQuantity(most)?.nano ?? 0n) / 1e9;
    const rule = `${name} max limit to request ratio per ${type} is ${most}`;
    if (limits[name] === undefined || requests[name] === undefined)
      found.push(`${rule}, but no request or limit is given`);
    else if (ratio > highest) found.push(`${rule}, but provided ratio is ${ratio.toFixed(6)}`);
  }
  return found;
}
