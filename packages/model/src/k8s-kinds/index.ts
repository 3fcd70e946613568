// What built-in kinds add to their schemas: defaults, initial state, validation and what may change.
//
//     const rules = rulesFor('apps/v1', 'Deployment');
//     const object = rules.defaults(readBuiltin(body, schema).value);
//     const errors = [...checkMetadata(object.metadata, { namespaced: true, checkName: rules.checkName }), ...rules.validate(object)];
//     if (errors.length > 0) throw invalidObject({ group: 'apps', kind: 'Deployment' }, name, errors);
export type { KindRules } from './kind-rules.ts';
export { checkMetadata, checkMetadataUpdate } from './object-meta.ts';
export type { MetadataRules } from './object-meta.ts';
export { defaultPod, defaultPodSpec, defaultPodTemplate, defaultPullPolicy } from '../k8s-defaults/index.ts';
export { checkPodResize, resizedPod } from './pod-resize.ts';
export { rulesFor } from './rules-for.ts';
export { versionPath } from './custom-resource-definition.ts';
