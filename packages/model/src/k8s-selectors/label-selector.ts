// Label selectors: the text form of URLs and kubectl (`app=web,tier in (a,b),!old`) and the object form of specs.
import {
  checkLabelValue,
  checkQualifiedName,
  fail,
  forbiddenField,
  invalidField,
  requiredField,
  sayFieldErrors,
} from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { parseLabelText } from './label-syntax.ts';

import type { LabelSelector, Requirement } from './match-labels.ts';

/** The object form, as in `spec.selector` of a Deployment. */
export interface LabelSelectorObject {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

/** Reads the text form. Throws a StatusError (BadRequest) that says what is wrong with it. */
export function parseLabelSelector(text: string): LabelSelector {
  const parsed = parseLabelText(text);
  if (!parsed.ok) throw fail('BadRequest', `unable to parse requirement: ${parsed.why}`);
  const errors = parsed.requirements.flatMap(checkRequirement);
  if (errors.length > 0) throw fail('BadRequest', `unable to parse requirement: ${sayFieldErrors(errors)}`);
  return parsed.requirements;
}

function checkRequirement(requirement: Requirement): FieldError[] {
  const keyErrors = checkQualifiedName(requirement.key);
  const values = 'values' in requirement ? requirement.values : [];
  return [
    ...(keyErrors.length ? [invalidField('key', requirement.key, keyErrors.join('; '))] : []),
    ...values.flatMap((value, at) => {
      const sentences = checkLabelValue(value);
      return sentences.length ? [invalidField(`values[${at}][${requirement.key}]`, value, sentences.join('; '))] : [];
    }),
  ];
}

type Operator = 'DoesNotExist' | 'Exists' | 'In' | 'NotIn';

/**
 * The requirements of an object form that has passed `checkLabelSelector`. An empty object selects everything, an
 * absent one nothing; an operator that does not exist is a StatusError (BadRequest).
 */
export function labelSelectorOf(selector: LabelSelectorObject | null | undefined): LabelSelector {
  if (!selector) return 'nothing';
  return [
    ...Object.entries(selector.matchLabels ?? {}).map(([key, value]): Requirement => ({
      op: 'in',
      key,
      values: [value],
    })),
    ...(selector.matchExpressions ?? []).map(requirementOf),
  ];
}

function requirementOf({
  key,
  operator,
  values = [],
}: {
  key: string;
  operator: string;
  values?: string[];
}): Requirement {
  switch (operator as Operator) {
    case 'In':
      return { op: 'in', key, values };
    case 'NotIn':
      return { op: 'notin', key, values };
    case 'Exists':
      return { op: 'exists', key };
    case 'DoesNotExist':
      return { op: '!', key };
    default:
      throw fail('BadRequest', `"${operator}" is not a valid label selector operator`);
  }
}

/** The field errors of an object form at `path`. */
export function checkLabelSelector(selector: LabelSelectorObject | null | undefined, path: string): FieldError[] {
  return [
    ...Object.entries(selector?.matchLabels ?? {}).flatMap(([key, value]) => [
      ...checkQualifiedName(key).map((sentence) => invalidField(`${path}.matchLabels`, key, sentence)),
      ...checkLabelValue(value).map((sentence) => invalidField(`${path}.matchLabels`, value, sentence)),
    ]),
    ...(selector?.matchExpressions ?? []).flatMap((expression, at) =>
      checkExpression(expression, `${path}.matchExpressions[${at}]`),
    ),
  ];
}

function checkExpression(expression: { key: string; operator: string; values?: string[] }, path: string): FieldError[] {
  const { key = '', operator = '', values = [] } = expression;
  return [
    ...checkArity(operator, values, path),
    ...checkQualifiedName(key).map((sentence) => invalidField(`${path}.key`, key, sentence)),
    ...values.flatMap((value, at) =>
      checkLabelValue(value).map((sentence) => invalidField(`${path}.values[${at}]`, value, sentence)),
    ),
  ];
}

function checkArity(operator: string, values: readonly string[], path: string): FieldError[] {
  switch (operator as Operator) {
    case 'In':
    case 'NotIn':
      return values.length === 0
        ? [requiredField(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'")]
        : [];
    case 'Exists':
    case 'DoesNotExist':
      return values.length > 0
        ? [forbiddenField(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")]
        : [];
    default:
      return [invalidField(`${path}.operator`, operator, 'not a valid selector operator')];
  }
}
