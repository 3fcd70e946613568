// The patch types of the Kubernetes API as pure functions over plain JSON values.
//
//     const shape = shapeOf(schemas.ofKind('v1', 'Pod'));
//     const patched = strategicMerge(pod, patch, shape);
export { isObject, jsonCopy, jsonEqual } from './json-value.ts';
export type { JsonObject } from './json-value.ts';
export { jsonPatch } from './json-patch.ts';
export { mergePatch } from './merge-patch.ts';
export { strategicMerge } from './strategic-merge.ts';
export type { Shape } from './shape.ts';
