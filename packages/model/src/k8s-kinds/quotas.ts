// LimitRanges and ResourceQuotas.
import { checkQualifiedName, duplicateField, forbiddenField, invalidField, requiredField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { jsonEqual } from '../k8s-patch/index.ts';
import { compareQuantities, quantity, type Quantity } from '../k8s-quantity/index.ts';
import type { LimitRange, LimitRangeItem, ResourceQuota, ResourceQuotaSpec } from '../k8s-types/index.ts';
import { createRules } from './kind-rules.ts';
import {
  checkAmount,
  checkContainerResourceName,
  checkResourceName,
  countedResources,
  isOvercommittable,
  isQuotaResource,
} from './resource-checks.ts';

export const limitRangeRules = createRules<LimitRange>({
  defaults: ({ spec, ...rest }) => ({
    ...rest,
    ...(spec ? { spec: { ...spec, limits: (spec.limits ?? []).map(defaultItem) } } : {}),
  }),
  validate: ({ spec }) => {
    const limits = spec?.limits ?? [];
    return limits.flatMap((item, at) => [
      ...checkType(item.type ?? '', `spec.limits[${at}].type`),
      ...(limits.findIndex(({ type }) => type === item.type) < at
        ? [duplicateField(`spec.limits[${at}].type`, item.type)]
        : []),
      ...checkItem(item, `spec.limits[${at}]`),
    ]);
  },
});

/** For containers, the most is the default limit, and the default limit or else the least is the default request. */
function defaultItem(item: LimitRangeItem): LimitRangeItem {
  if (item.type !== 'Container') return item;
  const limits = { ...item.max, ...item.default };
  return { ...item, default: limits, defaultRequest: { ...item.min, ...limits, ...item.defaultRequest } };
}

const types = ['Pod', 'Container', 'PersistentVolumeClaim'];

function checkType(type: string, path: string): FieldError[] {
  const errors = checkQualifiedName(type).map((sentence) => invalidField(path, type, sentence));
  if (errors.length > 0 || type.includes('/') || types.includes(type)) return errors;
  return [invalidField(path, type, 'must be a standard limit type or fully qualified')];
}

const amountFields = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const;

function checkItem(item: LimitRangeItem, path: string): FieldError[] {
  const isPod = item.type === 'Pod';
  const checkName = isPod || item.type === 'Container' ? checkContainerResourceName : checkResourceName;
  const forbidden = (['default', 'defaultRequest'] as const).filter(
    (field) => isPod && Object.keys(item[field] ?? {}).length > 0,
  );
  const fields = amountFields.filter((field) => !isPod || (field !== 'default' && field !== 'defaultRequest'));
  const names = new Set(fields.flatMap((field) => Object.keys(item[field] ?? {})));
  const isStorage = item.type === 'PersistentVolumeClaim';
  return [
    ...fields.flatMap((field) =>
      Object.keys(item[field] ?? {}).flatMap((name) => checkName(name, `${path}.${field}[${name}]`)),
    ),
    ...forbidden.map((field) => forbiddenField(`${path}.${field}`, "may not be specified when `type` is 'Pod'")),
    ...(isStorage && !item.min?.['storage'] && !item.max?.['storage']
      ? [
          requiredField(
            `${path}.limits`,
            'either minimum or maximum storage value is required, but neither was provided',
          ),
        ]
      : []),
    ...[...names].flatMap((name) => checkOrder(item, name, path)),
  ];
}

/** What the amounts of one resource say has to fit together. */
function checkOrder(item: LimitRangeItem, name: string, path: string): FieldError[] {
  const text = (field: (typeof amountFields)[number]): string | undefined => item[field]?.[name];
  const amount = (field: (typeof amountFields)[number]): Quantity | undefined => {
    const value = text(field);
    return value === undefined ? undefined : quantity(value);
  };
  /** The value that is in the way, shown at a field, when `small` is over `big`. */
  const check = (
    small: (typeof amountFields)[number],
    big: (typeof amountFields)[number],
    at: (typeof amountFields)[number],
    shown: (typeof amountFields)[number],
    sentence: (a: string, b: string) => string,
  ): FieldError[] => {
    const [a, b] = [amount(small), amount(big)];
    return a && b && compareQuantities(a, b) > 0
      ? [invalidField(`${path}.${at}[${name}]`, text(shown), sentence(text(small)!, text(big)!))]
      : [];
  };
  const [limit, request, ratio] = [amount('default'), amount('defaultRequest'), amount('maxLimitRequestRatio')];
  return [
    ...check('min', 'max', 'min', 'min', (a, b) => `min value ${a} is greater than max value ${b}`),
    ...check(
      'min',
      'defaultRequest',
      'defaultRequest',
      'defaultRequest',
      (a, b) => `min value ${a} is greater than default request value ${b}`,
    ),
    ...check(
      'defaultRequest',
      'max',
      'defaultRequest',
      'defaultRequest',
      (a, b) => `default request value ${a} is greater than max value ${b}`,
    ),
    ...check(
      'defaultRequest',
      'default',
      'defaultRequest',
      'defaultRequest',
      (a, b) => `default request value ${a} is greater than default limit value ${b}`,
    ),
    ...check('min', 'default', 'default', 'min', (a, b) => `min value ${a} is greater than default value ${b}`),
    ...check('default', 'max', 'default', 'max', (a, b) => `default value ${a} is greater than max value ${b}`),
    ...(ratio && compareQuantities(ratio, quantity('1')) < 0
      ? [
          invalidField(
            `${path}.maxLimitRequestRatio[${name}]`,
            text('maxLimitRequestRatio'),
            `ratio ${text('maxLimitRequestRatio')} is less than 1`,
          ),
        ]
      : []),
    ...checkRatio(item, name, `${path}.maxLimitRequestRatio[${name}]`),
    ...(!isOvercommittable(name) && limit && request && compareQuantities(limit, request) !== 0
      ? [
          invalidField(
            `${path}.defaultRequest[${name}]`,
            text('defaultRequest'),
            `default value ${text('default')} must equal to defaultRequest value ${text('defaultRequest')} in ${name}`,
          ),
        ]
      : []),
  ];
}

function checkRatio({ min, max, maxLimitRequestRatio }: LimitRangeItem, name: string, path: string): FieldError[] {
  const [least, most, ratio] = [min?.[name], max?.[name], maxLimitRequestRatio?.[name]];
  if (least === undefined || most === undefined || ratio === undefined) return [];
  const value = (text: string): number => Number(quantity(text).nano) / 1e9;
  const possible = value(most) / value(least);
  return value(ratio) > possible
    ? [invalidField(path, ratio, `ratio ${ratio} is greater than max/min = ${possible.toFixed(6)}`)]
    : [];
}

export const resourceQuotaRules = createRules<ResourceQuota>({
  validate: ({ spec = {} }) => [
    ...Object.entries(spec.hard ?? {}).flatMap(([name, text]) => [
      ...checkQuotaName(name, `spec.hard[${name}]`),
      ...checkAmount(name, text, `spec.hard[${name}]`, countedResources.includes(name)),
    ]),
    ...checkScopes(spec, 'spec'),
    ...checkScopeSelector(spec, 'spec.scopeSelector.matchExpressions'),
  ],
  validateUpdate: ({ spec }, old) =>
    jsonEqual([...new Set(spec?.scopes)].sort(), [...new Set(old.spec?.scopes)].sort())
      ? []
      : [invalidField('spec.scopes', spec?.scopes ?? null, 'field is immutable')],
});

function checkQuotaName(name: string, path: string): FieldError[] {
  const errors = checkQualifiedName(name).map((sentence) => invalidField(path, name, sentence));
  if (errors.length > 0 || name.includes('/') || isQuotaResource(name)) return errors;
  // Upstream says both: no standard name, and none for a quota.
  return [
    ...(name === 'storage' ? [] : [invalidField(path, name, 'must be a standard resource type or fully qualified')]),
    invalidField(path, name, 'must be a standard resource for quota'),
  ];
}

const podCompute = new Set(['cpu', 'memory', 'limits.cpu', 'limits.memory', 'requests.cpu', 'requests.memory']);
/** What each scope can be asked of. */
const scopes: Readonly<Record<string, (name: string) => boolean>> = {
  BestEffort: (name) => name === 'pods',
  NotBestEffort: (name) => name === 'pods' || podCompute.has(name),
  Terminating: (name) => name === 'pods' || podCompute.has(name),
  NotTerminating: (name) => name === 'pods' || podCompute.has(name),
  PriorityClass: (name) => name === 'pods' || podCompute.has(name),
  CrossNamespacePodAffinity: (name) => name === 'pods' || podCompute.has(name),
};
const opposites = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
] as const;

const misplaced = (scope: string, { hard = {} }: ResourceQuotaSpec): string[] =>
  Object.keys(hard).filter((name) => isQuotaResource(name) && scopes[scope] && !scopes[scope](name));
const conflicting = (names: readonly string[]) =>
  opposites.filter(([one, other]) => names.includes(one) && names.includes(other));

function checkScopes(spec: ResourceQuotaSpec, path: string): FieldError[] {
  const named = spec.scopes ?? [];
  const at = `${path}.scopes`;
  return [
    ...named.flatMap((scope) => [
      ...(scopes[scope] ? [] : [invalidField(at, named, 'unsupported scope')]),
      ...misplaced(scope, spec).map(() => invalidField(at, named, 'unsupported scope applied to resource')),
    ]),
    ...conflicting(named).map(() => invalidField(at, named, 'conflicting scopes')),
  ];
}

function checkScopeSelector(spec: ResourceQuotaSpec, path: string): FieldError[] {
  const wanted = spec.scopeSelector?.matchExpressions ?? [];
  return [
    ...wanted.flatMap(({ scopeName = '', operator = '', values = [] }) => [
      ...(scopes[scopeName] ? [] : [invalidField(`${path}.scopeName`, scopeName, 'unsupported scope')]),
      ...misplaced(scopeName, spec).map(() =>
        invalidField(path, spec.scopeSelector, 'unsupported scope applied to resource'),
      ),
      ...(scopes[scopeName] && scopeName !== 'PriorityClass' && operator !== 'Exists'
        ? [
            invalidField(
              `${path}.operator`,
              operator,
              "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
            ),
          ]
        : []),
      ...checkScopeValues(operator, values, path),
    ]),
    ...conflicting(wanted.map(({ scopeName }) => scopeName)).map(() =>
      invalidField(path, spec.scopes ?? null, 'conflicting scopes'),
    ),
  ];
}

function checkScopeValues(operator: string, values: readonly string[], path: string): FieldError[] {
  switch (operator) {
    case 'In':
    case 'NotIn':
      return values.length > 0
        ? []
        : [
            requiredField(
              `${path}.values`,
              "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
            ),
          ];
    case 'Exists':
    case 'DoesNotExist':
      return values.length === 0
        ? []
        : [
            invalidField(
              `${path}.values`,
              values,
              "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
            ),
          ];
    default:
      return [invalidField(`${path}.operator`, operator, 'not a valid selector operator')];
  }
}
