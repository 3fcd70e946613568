// A parsed label selector and what it selects.

export type Labels = Readonly<Record<string, string>>;

/** One term of a selector, `=` and `!=` being `in` and `notin` with one value. */
export type Requirement =
  | { readonly op: 'in' | 'notin'; readonly key: string; readonly values: readonly string[] }
  | { readonly op: '!' | 'exists'; readonly key: string }
  | { readonly op: 'gt' | 'lt'; readonly key: string; readonly than: bigint };

/** Every requirement has to hold; `nothing` is what an absent selector selects. */
export type LabelSelector = readonly Requirement[] | 'nothing';

/** Selects every object. */
export const everything: LabelSelector = [];

export const matchesLabels = (selector: LabelSelector, labels: Labels | undefined): boolean =>
  selector !== 'nothing' && selector.every((requirement) => meets(requirement, labels ?? {}));

/** Whether the labels meet one term; node affinity uses this with `gt` and `lt`. */
export function meets(requirement: Requirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
  switch (requirement.op) {
    case 'exists':
      return value !== undefined;
    case '!':
      return value === undefined;
    case 'in':
      return value !== undefined && requirement.values.includes(value);
    case 'notin':
      return value === undefined || !requirement.values.includes(value);
    case 'gt':
    case 'lt': {
      const number = parseInteger(value);
      if (number === undefined) return false;
      return requirement.op === 'gt' ? number > requirement.than : number < requirement.than;
    }
  }
}

/** A 64-bit integer as Go reads it; undefined for anything else. */
export function parseInteger(text: string | undefined): bigint | undefined {
  if (text === undefined || !/^[+-]?\d{1,19}$/.test(text)) return undefined;
  const value = BigInt(text.replace(/^\+/, ''));
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

/** The text form of a selector, terms in order of key. */
export function formatLabelSelector(selector: LabelSelector): string {
  if (selector === 'nothing') return '';
  return selector
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    .map(formatRequirement)
    .join(',');
}

function formatRequirement(requirement: Requirement): string {
  const { key } = requirement;
  switch (requirement.op) {
    case 'exists':
      return key;
    case '!':
      return `!${key}`;
    case 'in':
    case 'notin': {
      const { op, values } = requirement;
      if (values.length === 1) return `${key}${op === 'in' ? '=' : '!='}${values[0]}`;
      return `${key} ${op} (${values.toSorted().join(',')})`;
    }
    case 'gt':
      return `${key}>${requirement.than}`;
    case 'lt':
      return `${key}<${requirement.than}`;
  }
}
