// Finds fields that a JSON text gives twice in one object; JSON.parse keeps the last and says nothing.
// The text is known to be valid JSON, so this only has to follow strings, brackets and commas.

interface Level {
  readonly path: string;
  /** Undefined inside an array. */
  readonly seen: Set<string> | undefined;
  index: number;
  key: string;
}

/** Paths such as `spec.containers[0].image`, in order of appearance, at most `limit`. */
export function duplicateFields(text: string, limit = 10): readonly string[] {
  const found: string[] = [];
  const levels: Level[] = [];
  let expectKey = false;
  for (let at = 0; at < text.length && found.length < limit; at++) {
    const top = levels.at(-1);
    switch (text[at]) {
      case '{':
      case '[': {
        const inObject = text[at] === '{';
        levels.push({ path: pathOf(top), seen: inObject ? new Set() : undefined, index: 0, key: '' });
        expectKey = inObject;
        break;
      }
      case '}':
      case ']':
        levels.pop();
        expectKey = false;
        break;
      case ',':
        if (top) top.index++;
        expectKey = top?.seen !== undefined;
        break;
      case '"': {
        const end = endOfString(text, at);
        if (expectKey && top?.seen) {
          top.key = JSON.parse(text.slice(at, end + 1)) as string;
          if (top.seen.has(top.key)) found.push(pathOf(top));
          top.seen.add(top.key);
          expectKey = false;
        }
        at = end;
        break;
      }
      default:
        break;
    }
  }
  return found;
}

function pathOf(level: Level | undefined): string {
  if (!level) return '';
  if (!level.seen) return `${level.path}[${level.index}]`;
  return level.path ? `${level.path}.${level.key}` : level.key;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}
