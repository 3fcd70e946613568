// The Kubernetes vocabulary: objects, names, versions and Status.
export { apiVersionOf, compareVersions, nodeName, objectKey, parseApiVersion, resourceVersion, uid } from './object.ts';
export type {
  GroupVersionKind,
  GroupVersionResource,
  KubeObject,
  ManagedFieldsEntry,
  NodeName,
  ObjectMeta,
  ObjectName,
  OwnerReference,
  ResourceVersion,
  Uid,
} from './object.ts';
export { fail, failure, httpCodes, isStatus, notFound, statusError, toStatus } from './status.ts';
export type { Status, StatusCause, StatusDetails, StatusError, StatusReason } from './status.ts';
export {
  duplicateField,
  forbiddenField,
  invalidField,
  invalidItem,
  invalidObject,
  notFoundField,
  requiredField,
  sayFieldErrors,
  tooLongField,
  tooManyItems,
  unsupportedField,
  wrongType,
} from './field-errors.ts';
export type { FieldError } from './field-errors.ts';
export {
  asPrefix,
  checkConfigMapKey,
  checkDns1035Label,
  checkDns1123Label,
  checkDns1123Subdomain,
  checkEnvVarName,
  checkHttpHeaderName,
  checkLabelValue,
  checkPercent,
  checkPortName,
  checkPortNumber,
  checkQualifiedName,
  checkWildcardDns1123Subdomain,
} from './names.ts';
export { findCondition, hasCondition, removeCondition, setCondition } from './conditions.ts';
export type { ConditionLike, ConditionStatus } from './conditions.ts';
export { controllerOf, controllerReference, isControlledBy, isOwnedBy } from './owners.ts';
export { isPodActive, isPodReady, isPodTerminal, isSidecar, qosClass } from './pods.ts';
export type { PodLike, QosClass } from './pods.ts';
export { intOrPercent, percentOf } from './int-or-percent.ts';
