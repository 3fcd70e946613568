// A Device or DeviceModel as the link carries it: v1beta1, whatever it was stored as.
import { type KubeObject, type ResourceVersion, resourceVersion, type Uid, uid } from '@kedge/model/k8s';
import { devicesApiVersion, readDevice, readDeviceModel } from '@kedge/model/kubeedge';
import type { ObjectRef } from '@kedge/model/messages';
import type { Delete, Put } from '../sink.ts';

export type DeviceType = 'device' | 'devicemodel';

const read = { device: readDevice, devicemodel: readDeviceModel } as const;
const kinds = { device: 'Device', devicemodel: 'DeviceModel' } as const;

export const refOf = (type: DeviceType, { metadata }: KubeObject): ObjectRef => ({
  type,
  namespace: metadata.namespace,
  name: metadata.name ?? '',
});

export const versionOf = ({ metadata }: KubeObject): ResourceVersion => resourceVersion(metadata.resourceVersion ?? '');
export const uidOf = ({ metadata }: KubeObject): Uid => uid(metadata.uid ?? '');

const asLinked = (type: DeviceType, object: KubeObject): KubeObject => ({
  ...(read[type](object) as KubeObject),
  apiVersion: devicesApiVersion,
  kind: kinds[type],
});

export const putOf = (type: DeviceType, object: KubeObject, change: 'insert' | 'update'): Put => ({
  kind: 'object.put',
  ref: refOf(type, object),
  version: versionOf(object),
  object: asLinked(type, object),
  owner: 'devicecontroller',
  change,
});

export const deleteOf = (type: DeviceType, last: KubeObject): Delete => ({
  kind: 'object.delete',
  ref: refOf(type, last),
  uid: uidOf(last),
  object: asLinked(type, last),
  version: last.metadata.resourceVersion ? versionOf(last) : undefined,
  owner: 'devicecontroller',
});
