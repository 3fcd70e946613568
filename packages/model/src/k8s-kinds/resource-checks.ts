// Checks of resource names and amounts.
import { checkQualifiedName, invalidField, requiredField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { compareQuantities, parseQuantity } from '../k8s-quantity/index.ts';
import type { ResourceRequirements } from '../k8s-types/index.ts';

type Amounts = Readonly<Record<string, string>>;

const standardResources = ['cpu', 'memory', 'ephemeral-storage'];
/** What is counted one by one. */
export const countedResources: readonly string[] = [
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
];
const quotaResources = new Set([
  ...countedResources,
  ...standardResources,
  ...standardResources.flatMap((name) => [`requests.${name}`, `limits.${name}`]),
  'requests.storage',
]);
/** What Kubernetes knows how to limit. */
export const isQuotaResource = (name: string): boolean =>
  quotaResources.has(name) || /^(requests\.)?hugepages-/.test(name);

/** Extended resources, huge pages: there is no more of them than there is, so a request has to equal its limit. */
export const isOvercommittable = (name: string): boolean =>
  (standardResources.includes(name) || name.includes('kubernetes.io/')) && !name.startsWith('hugepages-');

export function checkAmounts(amounts: Amounts | undefined, path: string): FieldError[] {
  return Object.entries(amounts ?? {}).flatMap(([name, text]) => [
    ...checkContainerResourceName(name, `${path}[${name}]`),
    ...checkAmount(name, text, `${path}[${name}]`),
  ]);
}

/** What may be named anywhere: a resource Kubernetes knows, or one with a domain. */
export function checkResourceName(name: string, path: string): FieldError[] {
  const errors = checkQualifiedName(name).map((sentence) => invalidField(path, name, sentence));
  return errors.length > 0 || name.includes('/') || name === 'storage' || isQuotaResource(name)
    ? errors
    : [invalidField(path, name, 'must be a standard resource type or fully qualified')];
}

/** A resource that comes from outside Kubernetes, such as a device. */
const isExtended = (name: string): boolean =>
  name.includes('/') &&
  !name.includes('kubernetes.io/') &&
  !name.startsWith('requests.') &&
  checkQualifiedName(`requests.${name}`).length === 0;

export function checkContainerResourceName(name: string, path: string): FieldError[] {
  const errors = checkResourceName(name, path);
  if (!name.includes('/')) {
    const isStandard = standardResources.includes(name) || name.startsWith('hugepages-');
    return isStandard ? errors : [...errors, invalidField(path, name, 'must be a standard resource for containers')];
  }
  return name.includes('kubernetes.io/') || isExtended(name) || errors.length > 0
    ? errors
    : [invalidField(path, name, "doesn't follow extended resource name standard")];
}

/** The amount of a resource; those that are counted come in whole numbers. */
export function checkAmount(name: string, text: string, path: string, isCounted = isExtended(name)): FieldError[] {
  const amount = parseQuantity(text);
  if (!amount) return [];
  if (amount.nano < 0n) return [invalidField(path, text, 'must be greater than or equal to 0')];
  return isCounted && amount.nano % 1_000_000_000n !== 0n ? [invalidField(path, text, 'must be an integer')] : [];
}

export function checkResources(resources: ResourceRequirements | undefined, path: string): FieldError[] {
  const limits = resources?.limits ?? {};
  const requests = resources?.requests ?? {};
  return [
    ...checkAmounts(limits, `${path}.limits`),
    ...checkAmounts(requests, `${path}.requests`),
    ...Object.entries(requests).flatMap(([name, text]) => checkRequest(name, text, limits[name], path)),
  ];
}

function checkRequest(name: string, text: string, limitText: string | undefined, path: string): FieldError[] {
  const isFlexible = isOvercommittable(name);
  if (limitText === undefined) {
    return isFlexible ? [] : [requiredField(`${path}.limits`, 'Limit must be set for non overcommitable resources')];
  }
  const [request, limit] = [parseQuantity(text), parseQuantity(limitText)];
  const order = request && limit ? compareQuantities(request, limit) : 0;
  if (order !== 0 && !isFlexible) {
    return [invalidField(`${path}.requests`, text, `must be equal to ${name} limit of ${limitText}`)];
  }
  return order > 0
    ? [invalidField(`${path}.requests`, text, `must be less than or equal to ${name} limit of ${limitText}`)]
    : [];
}
