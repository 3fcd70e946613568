// A short name for the content of a pod template: equal templates have equal hashes, whatever the order of their fields.
import type { PodTemplateSpec } from '@kedge/model/k8s-types';

/** No vowels and nothing that looks like another character, so that a hash never spells a word. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** `collisions` tells apart templates whose hashes happened to be equal. */
export function templateHash(template: PodTemplateSpec | undefined, collisions = 0): string {
  const text = canonical(template ?? {}) + (collisions > 0 ? `#${collisions}` : '');
  return [...String(fnv1a(text))].map((digit) => alphabet[digit.charCodeAt(0) % alphabet.length]).join('');
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    hash ^= byte;
    hash = Math.imul(hash, 0x01000193) >>> 0;
  }
  return hash;
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(',')}}`;
}
