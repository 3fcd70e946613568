// The four patch types over one object: what the patch makes of a state, to be tried on the newest one.
import type { Patch } from '@kedge/engine/kube-api';
import { fail, type KubeObject } from '@kedge/model/k8s';
import { isObject, jsonPatch, mergePatch, strategicMerge } from '@kedge/model/k8s-patch';
import { shapeOf } from '@kedge/model/k8s-schema';
import type { Kind } from '../kinds/kind.ts';

/** The document of a patch. Throws BadRequest. */
export async function readPatchDocument({ type, text }: Patch): Promise<unknown> {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (type !== 'apply') throw fail('BadRequest', `error decoding patch: ${(error as Error).message}`);
  }
  const { parse } = await import('yaml');
  try {
    return parse(text, { version: '1.1' });
  } catch (error) {
    throw fail('BadRequest', `error decoding YAML: ${(error as Error).message}`);
  }
}

/** The patched object. Throws what the patch does wrong. */
export function patched(
  kind: Kind,
  type: Exclude<Patch['type'], 'apply'>,
  before: KubeObject,
  document: unknown,
): KubeObject {
  if (type === 'json') return asObject(jsonPatch(before, document));
  if (!isObject(document)) throw fail('BadRequest', 'error decoding patch: it must be an object');
  if (type === 'merge') return asObject(mergePatch(before, document));
  if (kind.isCustom) {
    throw fail(
      'UnsupportedMediaType',
      'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
    );
  }
  return asObject(strategicMerge(before, document, kind.schema && shapeOf(kind.schema)));
}

function asObject(value: unknown): KubeObject {
  if (isObject(value) && isObject(value['metadata'])) return value as unknown as KubeObject;
  throw fail('Invalid', 'the patch does not leave an object with metadata');
}
