// Between the form in the store and the form of a served version.
import { type Document, documentOfObject, documentOfText } from '@kedge/engine/kube-api';
import type { KubeObject } from '@kedge/model/k8s';
import type { Kind } from '../kinds/kind.ts';

/** JSON text for the store, apiVersion first, so that the version of a body can be told without parsing it. */
export function storedText(kind: Kind, object: KubeObject, revision: number): string {
  const { apiVersion, kind: name, metadata, ...rest } = kind.conversion ? kind.conversion.toStored(object) : object;
  return JSON.stringify({
    apiVersion,
    kind: name,
    metadata: { ...metadata, resourceVersion: String(revision) },
    ...rest,
  });
}

/** A stored body as the kind's version shows it. */
export function present(kind: Kind, body: string): Document {
  if (body.startsWith(`{"apiVersion":${JSON.stringify(kind.apiVersion)},`)) return documentOfText(body);
  return documentOfObject(toServed(kind, JSON.parse(body) as KubeObject));
}

export function toServed(kind: Kind, object: KubeObject): KubeObject {
  if (object.apiVersion === kind.apiVersion) return object;
  if (kind.conversion) return kind.conversion.toServed(object);
  return { ...object, apiVersion: kind.apiVersion };
}

/** The last state of a removed object carries the version of its removal. */
export function presentRemoved(kind: Kind, body: string, revision: number): Document {
  const object = toServed(kind, JSON.parse(body) as KubeObject);
  return documentOfObject({ ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } });
}
