// The patch types of the Kubernetes API as pure functions over plain JSON values.
//
//     const shape = shapeOf(schemas.ofKind('v1', 'Pod'));
//     const patched = strategicMerge(pod, patch, shape);
export { isObject, jsonCopy, jsonEqual, jsonKey } from './json-value.ts';
export type { JsonObject } from './json-value.ts';
export { jsonPatch } from './json-patch.ts';
export { mergePatch } from './merge-patch.ts';
export { strategicMerge } from './strategic-merge.ts';
export type { Shape } from './shape.ts';
export { emptySet, setOfFields } from './field-set.ts';
export type { FieldSet } from './field-set.ts';
export { serverSideApply } from './server-side-apply.ts';
export type { Apply } from './server-side-apply.ts';
export { trackUpdate } from './track-update.ts';
export type { Tracking } from './track-update.ts';
