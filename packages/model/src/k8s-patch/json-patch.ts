// JSON patch (RFC 6902) by the rfc6902 package, with Kubernetes' limits and refusals.
import { applyPatch } from 'rfc6902';
import type { Operation } from 'rfc6902';
import { fail } from '../k8s/index.ts';
import { isObject, jsonCopy } from './json-value.ts';

const maxOperations = 10_000;
const operands: Readonly<Record<string, readonly string[]>> = {
  add: ['value'],
  remove: [],
  replace: ['value'],
  move: ['from'],
  copy: ['from'],
  test: ['value'],
};

/** The patched document. All operations take effect or none: a refused one throws a StatusError. */
export function jsonPatch(target: unknown, patch: unknown): unknown {
  const operations = checkOperations(patch);
  // The whole document as a field, so that operations on the root path need no special case.
  const holder = { document: jsonCopy(target) };
  const failed = applyPatch(holder, operations.map(inHolder)).find((outcome) => outcome !== null);
  if (failed) throw refused(failed.message);
  return holder.document;
}

function inHolder(operation: Operation): Operation {
  const moved = { ...jsonCopy(operation), path: `/document${operation.path}` };
  return 'from' in moved ? { ...moved, from: `/document${moved.from}` } : moved;
}

const refused = (why: string) =>
  fail('Invalid', `the server rejected our request due to an error in our request: ${why}`);

function checkOperations(patch: unknown): Operation[] {
  if (!Array.isArray(patch)) throw fail('BadRequest', 'error decoding patch: a JSON patch is an array of operations');
  if (patch.length > maxOperations) {
    throw fail(
      'RequestEntityTooLarge',
      `The allowed maximum operations in a JSON patch is ${maxOperations}, got ${patch.length}`,
    );
  }
  for (const operation of patch) checkOperation(operation);
  return patch as Operation[];
}

function checkOperation(operation: unknown): void {
  const op = isObject(operation) ? operation['op'] : undefined;
  if (!isObject(operation) || typeof op !== 'string' || !Object.hasOwn(operands, op)) {
    throw refused(`Unexpected kind: ${String(op ?? 'unknown')}`);
  }
  for (const pointer of ['path', ...(operands[op]!.includes('from') ? ['from'] : [])]) {
    const text = operation[pointer];
    if (typeof text !== 'string' || !(text === '' || text.startsWith('/'))) {
      throw refused(`${op} operation needs a JSON pointer in "${pointer}"`);
    }
  }
  if (operands[op]!.includes('value') && !('value' in operation)) throw refused(`${op} operation needs a "value"`);
}
