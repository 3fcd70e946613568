// Checks that many kinds share.
import {
  checkDns1123Subdomain,
  checkLabelValue,
  checkPercent,
  checkPortName,
  checkPortNumber,
  checkQualifiedName,
  invalidField,
  percentOf,
  requiredField,
  unsupportedField,
} from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { jsonEqual } from '../k8s-patch/index.ts';

export const checkNonNegative = (value: number | undefined, path: string): FieldError[] =>
  value !== undefined && value < 0 ? [invalidField(path, value, 'must be greater than or equal to 0')] : [];

export const checkRange = (value: number | undefined, min: number, max: number, path: string): FieldError[] =>
  value !== undefined && (value < min || value > max)
    ? [invalidField(path, value, `must be between ${min} and ${max}, inclusive`)]
    : [];

/** A choice that defaults make mandatory. */
export function checkChoice(value: string | undefined, choices: readonly string[], path: string): FieldError[] {
  if (!value) return [requiredField(path)];
  return checkOptionalChoice(value, choices, path);
}

export const checkOptionalChoice = (
  value: string | undefined,
  choices: readonly string[],
  path: string,
): FieldError[] => (value && !choices.includes(value) ? [unsupportedField(path, value, choices)] : []);

/** A name that has to be there and to follow a grammar. */
export const checkRequiredName = (
  name: string | undefined,
  check: (name: string) => string[],
  path: string,
): FieldError[] => (name ? checkText(name, check, path) : [requiredField(path)]);

export const checkText = (value: string | undefined, check: (value: string) => string[], path: string): FieldError[] =>
  value ? check(value).map((sentence) => invalidField(path, value, sentence)) : [];

export const checkImmutable = (value: unknown, old: unknown, path: string): FieldError[] =>
  jsonEqual(value, old) ? [] : [invalidField(path, value, 'field is immutable')];

export const checkPort = (port: number | undefined, path: string): FieldError[] =>
  port === undefined ? [] : checkPortNumber(port).map((sentence) => invalidField(path, port, sentence));

export const checkPortOrName = (port: number | string | undefined, path: string): FieldError[] =>
  typeof port === 'string'
    ? checkPortName(port).map((sentence) => invalidField(path, port, sentence))
    : checkPort(port ?? 0, path);

export const checkLabels = (labels: Readonly<Record<string, string>> | undefined, path: string): FieldError[] =>
  Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...checkQualifiedName(key).map((sentence) => invalidField(path, key, sentence)),
    ...checkLabelValue(value).map((sentence) => invalidField(path, value, sentence)),
  ]);

/** A count or a percentage, neither below zero. */
export function checkIntOrPercent(value: number | string | undefined, path: string): FieldError[] {
  if (typeof value === 'string') return checkPercent(value).map((sentence) => invalidField(path, value, sentence));
  return checkNonNegative(value, path);
}

export const checkAtMost100Percent = (value: number | string | undefined, path: string): FieldError[] =>
  value !== undefined && (percentOf(value) ?? 0) > 100
    ? [invalidField(path, value, 'must not be greater than 100%')]
    : [];

/** The positions at which a key occurs again. */
export function repeated<T>(items: readonly T[], keyOf: (item: T) => string | undefined): number[] {
  const seen = new Set<string>();
  return items.flatMap((item, at) => {
    const key = keyOf(item);
    if (key === undefined || key === '') return [];
    if (seen.has(key)) return [at];
    seen.add(key);
    return [];
  });
}

/** `example.com/name`: the name of a controller, with the domain of who wrote it. */
export function checkDomainPrefixedPath(value: string, path: string): FieldError[] {
  if (!value) return [requiredField(path)];
  const [domain = '', ...rest] = value.split('/');
  if (rest.length === 0 || !domain || !rest.join('/'))
    return [invalidField(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')];
  const name = rest.join('/');
  return [
    ...checkDns1123Subdomain(domain).map((sentence) => invalidField(path, domain, sentence)),
    ...(/^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(name)
      ? []
      : [invalidField(path, name, "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')")]),
  ];
}
