// Field selectors (`status.phase!=Running,spec.nodeName=edge-1`): the text form, and matching against the fields that a
// resource makes selectable. Which fields those are is the caller's knowledge.
import { fail } from '../k8s/index.ts';

export interface FieldTerm {
  readonly field: string;
  readonly op: '!=' | '=';
  readonly value: string;
}

export type FieldSelector = readonly FieldTerm[];

/** Reads the text form. Throws a StatusError (BadRequest) that says what is wrong with it. */
export function parseFieldSelector(text: string): FieldSelector {
  return splitTerms(text)
    .filter((term) => term !== '')
    .map((term) => parseTerm(term, text));
}

/** Commas separate terms unless a backslash is in front. */
const splitTerms = (text: string): string[] => text.match(/(?:\\[^]|[^,\\]|\\$)+/g) ?? [];

function parseTerm(term: string, whole: string): FieldTerm {
  const parts = /^(?<field>.*?)(?<op>!=|==|=)(?<value>[^]*)$/.exec(term)?.groups;
  if (!parts) throw fail('BadRequest', `invalid selector: '${whole}'; can't understand '${term}'`);
  return { field: parts['field']!, op: parts['op'] === '!=' ? '!=' : '=', value: unescapeValue(parts['value']!) };
}

function unescapeValue(text: string): string {
  let value = '';
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]!;
    if (character === '=') throw fail('BadRequest', 'invalid field selector: unescaped character in value: =');
    if (character !== '\\') {
      value += character;
      continue;
    }
    at += 1;
    const escaped = text[at] ?? '';
    if (!/^[\\,=]$/.test(escaped)) {
      throw fail('BadRequest', `invalid field selector: invalid escape sequence: \\${escaped}`);
    }
    value += escaped;
  }
  return value;
}

/** Backslashes in front of what the syntax reserves, for putting a value into a selector. */
export const escapeFieldValue = (value: string): string => value.replaceAll(/[\\,=]/g, (character) => `\\${character}`);

/** The refusal of a field that the resource does not make selectable. */
export function checkFieldSelector(selector: FieldSelector, isSelectable: (field: string) => boolean): void {
  const unknown = selector.find(({ field }) => !isSelectable(field));
  if (unknown) throw fail('BadRequest', `field label not supported: ${unknown.field}`);
}

/** `fieldOf` gives the value of a selectable field, '' where the object has none. */
export const matchesFields = (selector: FieldSelector, fieldOf: (field: string) => string): boolean =>
  selector.every(({ field, op, value }) => (fieldOf(field) === value) === (op === '='));
