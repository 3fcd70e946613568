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
