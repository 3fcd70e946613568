// What a pod refers to. Cloud and edge have to agree on it: the one decides by it what a node may see, the other what to
// keep.
//
//     podReferences(pod).some(({ type, name }) => type === 'secret' && name === 'db-password');
export { podReferences } from './pod-references.ts';
export type { Reference, ReferencedType } from './pod-references.ts';
