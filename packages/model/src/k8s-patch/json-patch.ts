// JSON patch (RFC 6902) with Kubernetes' limits. Our own rather than the rfc6902 package's, which tests check it against:
// that one mistakes fields called `constructor`, compares lists in quadratic time and lets copies double without end.
import { fail } from '../k8s/index.ts';
import type { StatusError } from '../k8s/index.ts';
import { isObject, jsonCopy, jsonEqual } from './json-value.ts';

const maxOperations = 10_000;
/** What the copies of one patch may add up to, in characters of JSON. */
const maxCopied = 3 * 1024 * 1024;

type Operation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: unknown }
  | { readonly op: 'copy' | 'move'; readonly path: string; readonly from: string }
  | { readonly op: 'remove'; readonly path: string };

/** The place of a value: a field of an object or an element of a list. */
type Place =
  | { readonly in: 'list'; readonly list: unknown[]; readonly index: number }
  | { readonly in: 'object'; readonly object: Record<string, unknown>; readonly field: string };

/** The whole document as a field, so that operations on the root path need no special case. */
interface Holder {
  readonly document: unknown;
}

/** The patched document. All operations take effect or none: a refused one throws a StatusError. */
export function jsonPatch(target: unknown, patch: unknown): unknown {
  const holder: Holder = { document: jsonCopy(target) };
  let copied = 0;
  for (const operation of checkOperations(patch)) {
    if (operation.op === 'copy') {
      copied += JSON.stringify(read(findPlace(holder, operation.from, 'present'))).length;
      if (copied > maxCopied) throw tooLarge(`the copies of the JSON patch add up to more than ${maxCopied} bytes`);
    }
    carryOut(holder, operation);
  }
  return holder.document;
}

function carryOut(holder: Holder, operation: Operation): void {
  switch (operation.op) {
    case 'add':
      return insert(findPlace(holder, operation.path, 'new'), jsonCopy(operation.value));
    case 'remove':
      return remove(findPlace(holder, operation.path, 'present'));
    case 'replace':
      return assign(findPlace(holder, operation.path, 'present'), jsonCopy(operation.value));
    case 'copy':
      return insert(
        findPlace(holder, operation.path, 'new'),
        jsonCopy(read(findPlace(holder, operation.from, 'present'))),
      );
    case 'move':
      return move(holder, operation.from, operation.path);
    case 'test':
      if (!jsonEqual(read(findPlace(holder, operation.path, 'present')), operation.value)) {
        throw refused(`testing path ${JSON.stringify(operation.path)} failed`);
      }
  }
}

function move(holder: Holder, from: string, path: string): void {
  if (path !== from && (from === '' || path.startsWith(`${from}/`)))
    throw refused(`cannot move ${JSON.stringify(from)} into itself`);
  const source = findPlace(holder, from, 'present');
  const value = read(source);
  if (from === path) return;
  remove(source);
  insert(findPlace(holder, path, 'new'), value);
}

function findPlace(holder: Holder, path: string, want: 'new' | 'present'): Place {
  const tokens = path
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
  let place: Place = { in: 'object', object: holder as Record<string, unknown> & Holder, field: 'document' };
  for (const [depth, token] of tokens.entries()) {
    const isLast = depth === tokens.length - 1;
    place = step(read(place), token, isLast && want === 'new', path);
  }
  return place;
}

function step(parent: unknown, token: string, isNew: boolean, path: string): Place {
  if (Array.isArray(parent)) {
    const index = token === '-' && isNew ? parent.length : /^(?:0|[1-9]\d{0,9})$/.test(token) ? Number(token) : -1;
    const end = isNew ? parent.length : parent.length - 1;
    if (index < 0 || index > end) throw refused(`${JSON.stringify(path)} is not an index of the list`);
    return { in: 'list', list: parent, index };
  }
  if (!isObject(parent) || (!isNew && !Object.hasOwn(parent, token))) {
    throw refused(`doc is missing path: ${JSON.stringify(path)}`);
  }
  return { in: 'object', object: parent as Record<string, unknown>, field: token };
}

const read = (place: Place): unknown => (place.in === 'list' ? place.list[place.index] : place.object[place.field]);

function insert(place: Place, value: unknown): void {
  if (place.in === 'list') place.list.splice(place.index, 0, value);
  else assign(place, value);
}

function assign(place: Place, value: unknown): void {
  if (place.in === 'list') place.list[place.index] = value;
  // Defined rather than set, so that `__proto__` is a field like any other.
  else
    Object.defineProperty(place.object, place.field, { value, configurable: true, enumerable: true, writable: true });
}

function remove(place: Place): void {
  if (place.in === 'list') place.list.splice(place.index, 1);
  else delete place.object[place.field];
}

const refused = (why: string): StatusError =>
  fail('Invalid', `the server rejected our request due to an error in our request: ${why}`);

const tooLarge = (why: string): StatusError => fail('RequestEntityTooLarge', why);

const operands: Readonly<Record<Operation['op'], readonly ('from' | 'value')[]>> = {
  add: ['value'],
  remove: [],
  replace: ['value'],
  move: ['from'],
  copy: ['from'],
  test: ['value'],
};

function checkOperations(patch: unknown): readonly Operation[] {
  if (!Array.isArray(patch)) throw fail('BadRequest', 'error decoding patch: a JSON patch is an array of operations');
  if (patch.length > maxOperations) {
    throw tooLarge(`The allowed maximum operations in a JSON patch is ${maxOperations}, got ${patch.length}`);
  }
  for (const operation of patch) checkOperation(operation);
  return patch as Operation[];
}

function checkOperation(operation: unknown): void {
  const op = isObject(operation) ? operation['op'] : undefined;
  if (!isObject(operation) || typeof op !== 'string' || !Object.hasOwn(operands, op)) {
    throw refused(`Unexpected kind: ${String(op ?? 'unknown')}`);
  }
  const needed = operands[op as Operation['op']];
  for (const pointer of ['path', ...needed.filter((field) => field === 'from')]) {
    const text = operation[pointer];
    if (typeof text !== 'string' || !(text === '' || text.startsWith('/'))) {
      throw refused(`${op} operation needs a JSON pointer in "${pointer}"`);
    }
  }
  if (op === 'remove' && operation['path'] === '') throw refused('cannot remove the whole document');
  if (needed.includes('value') && !Object.hasOwn(operation, 'value')) throw refused(`${op} operation needs a "value"`);
}
