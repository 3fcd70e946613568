// What is wrong with a field, in the words Kubernetes uses, and the Status that reports a list of such errors.
// A path is plain text: `spec.containers[0].name`, `metadata.labels[app]`.
import { failure, statusError } from './status.ts';
import type { StatusError } from './status.ts';

const titles = {
  FieldValueNotFound: 'Not found',
  FieldValueRequired: 'Required value',
  FieldValueDuplicate: 'Duplicate value',
  FieldValueInvalid: 'Invalid value',
  FieldValueNotSupported: 'Unsupported value',
  FieldValueForbidden: 'Forbidden',
  FieldValueTooLong: 'Too long',
  FieldValueTooMany: 'Too many',
  FieldValueTypeInvalid: 'Invalid value',
  InternalError: 'Internal error',
} as const;

export interface FieldError {
  readonly reason: keyof typeof titles;
  readonly field: string;
  /** Without the field: `Invalid value: "x": must be ...`. */
  readonly message: string;
}

/** A value as error messages show it. */
function show(value: unknown): string {
  if (value === undefined) return '"null"';
  const isTexts = Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'string');
  return isTexts ? `[]string{${value.map((one) => JSON.stringify(one)).join(', ')}}` : JSON.stringify(value);
}

const described = (
  reason: FieldError['reason'],
  field: string,
  value: string | undefined,
  detail: string,
): FieldError => ({
  reason,
  field,
  message: [titles[reason], ...(value === undefined ? [] : [value]), ...(detail ? [detail] : [])].join(': '),
});

export const invalidField = (field: string, value: unknown, detail: string): FieldError =>
  described('FieldValueInvalid', field, show(value), detail);

/** What is wrong is the whole of an item, so that no value is shown. */
export const invalidItem = (field: string, detail: string): FieldError =>
  described('FieldValueInvalid', field, undefined, detail);

export const requiredField = (field: string, detail = ''): FieldError =>
  described('FieldValueRequired', field, undefined, detail);

export const forbiddenField = (field: string, detail: string): FieldError =>
  described('FieldValueForbidden', field, undefined, detail);

export const duplicateField = (field: string, value: unknown, detail = ''): FieldError =>
  described('FieldValueDuplicate', field, show(value), detail);

export const notFoundField = (field: string, value: unknown): FieldError =>
  described('FieldValueNotFound', field, show(value), '');

export const unsupportedField = (field: string, value: unknown, supported: readonly unknown[]): FieldError =>
  described(
    'FieldValueNotSupported',
    field,
    show(value),
    supported.length ? `supported values: ${supported.map(show).join(', ')}` : '',
  );

export const tooLongField = (field: string, maxBytes: number): FieldError =>
  described('FieldValueTooLong', field, undefined, `may not be more than ${maxBytes} byte${maxBytes === 1 ? '' : 's'}`);

export const tooManyItems = (field: string, count: number, max: number): FieldError =>
  described('FieldValueTooMany', field, show(count), `must have at most ${max} item${max === 1 ? '' : 's'}`);

export const wrongType = (field: string, value: unknown, detail: string): FieldError =>
  described('FieldValueTypeInvalid', field, show(value), detail);

/** `spec.replicas: Invalid value: -1: must be ...`; several are joined as `[a, b]`. */
export function sayFieldErrors(errors: readonly FieldError[]): string {
  const sentences = [...new Set(errors.map(({ field, message }) => `${field}: ${message}`))];
  return sentences.length === 1 ? sentences[0]! : `[${sentences.join(', ')}]`;
}

/** `Deployment.apps "web" is invalid: ...` with one cause per error. */
export const invalidObject = (
  of: { readonly group: string; readonly kind: string },
  name: string,
  errors: readonly FieldError[],
): StatusError =>
  statusError(
    failure(
      'Invalid',
      `${of.group ? `${of.kind}.${of.group}` : of.kind} "${name}" is invalid: ${sayFieldErrors(errors)}`,
      {
        ...(name ? { name } : {}),
        ...(of.group ? { group: of.group } : {}),
        kind: of.kind,
        causes: errors.map(({ reason, message, field }) => ({ reason, message, field })),
      },
    ),
  );
