// Label and field selectors: parsing with Kubernetes' refusals, and matching.
//
//     const selector = labelSelectorOf(deployment.spec.selector);
//     pods.filter((pod) => matchesLabels(selector, pod.metadata.labels));
export { checkFieldSelector, escapeFieldValue, matchesFields, parseFieldSelector } from './field-selector.ts';
export type { FieldSelector, FieldTerm } from './field-selector.ts';
export { checkLabelSelector, labelSelectorOf, parseLabelSelector } from './label-selector.ts';
export type { LabelSelectorObject } from './label-selector.ts';
export { everything, formatLabelSelector, matchesLabels, meets, parseInteger } from './match-labels.ts';
export type { Labels, LabelSelector, Requirement } from './match-labels.ts';
