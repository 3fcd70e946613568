// Guesses which key was meant.
import type { Schema } from './schema.ts';

/** The sibling that is spelled most like `key`, or else where in the whole schema there is a key of that name. */
export function nearestKey(key: string, siblings: readonly string[], root: Schema): string | undefined {
  const close = Math.max(2, Math.floor(key.length / 3));
  let best: { name: string; distance: number } | undefined;
  for (const name of siblings) {
    const distance = editDistance(key.toLowerCase(), name.toLowerCase());
    if (distance <= close && (!best || distance < best.distance)) best = { name, distance };
  }
  return best?.name ?? pathsTo(key, root, [])[0];
}

function pathsTo(key: string, schema: Schema, above: readonly string[]): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const path = [...above, name];
    return [...(name === key ? [path.join('.')] : []), ...pathsTo(key, property, path)];
  });
}

/** Insertions, deletions, replacements and swaps of neighbours. */
export function editDistance(a: string, b: string): number {
  let twoUp: number[] = [];
  let up = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(up[j]! + 1, row[j - 1]! + 1, up[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, twoUp[j - 2]! + 1);
      row.push(cost);
    }
    twoUp = up;
    up = row;
  }
  return up[b.length]!;
}
