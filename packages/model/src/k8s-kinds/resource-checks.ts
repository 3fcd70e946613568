// Checks of resource names and amounts.
import { checkQualifiedName, invalidField, requiredField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { compareQuantities, parseQuantity } from '../k8s-quantity/index.ts';
import type { ResourceRequirements } from '../k8s-types/index.ts';

type Amounts = Readonly<Record<string, string>>;

const standardResources = ['cpu', 'memory', 'ephemeral-storage'];

/** Extended resources, huge pages: there is no more of them than there is, so a request has to equal its limit. */
const isOvercommittable = (name: string): boolean =>
  (standardResources.includes(name) || name.includes('kubernetes.io/')) && !name.startsWith('hugepages-');

export function checkAmounts(amounts: Amounts | undefined, path: string): FieldError[] {
  return Object.entries(amounts ?? {}).flatMap(([name, text]) => [
    ...checkResourceName(name, `${path}[${name}]`),
    ...checkAmount(name, text, `${path}[${name}]`),
  ]);
}

function checkResourceName(name: string, path: string): FieldError[] {
  const errors = checkQualifiedName(name).map((sentence) => invalidField(path, name, sentence));
  if (errors.length > 0 || name.includes('/')) return errors;
  return standardResources.includes(name) || name.startsWith('hugepages-')
    ? []
    : [invalidField(path, name, 'must be a standard resource for containers')];
}

/** The amount of a resource; those that are counted come in whole numbers. */
export function checkAmount(name: string, text: string, path: string): FieldError[] {
  const amount = parseQuantity(text);
  if (!amount) return [];
  if (amount.nano < 0n) return [invalidField(path, text, 'must be greater than or equal to 0')];
  const isCounted = name.includes('/') && !name.includes('kubernetes.io/');
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
