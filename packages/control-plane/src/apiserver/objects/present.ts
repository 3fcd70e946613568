// Between the form in the store and the form of a served version. Most kinds convert by plain functions; custom resources
// may have a webhook for it, which takes its time, so whoever reads or writes objects of such a kind comes by `asServed`
// and `asStored`.
import { type Document, documentOfObject, documentOfText } from '@kedge/engine/kube-api';
import type { KubeObject } from '@kedge/model/k8s';
import type { Kind } from '../kinds/kind.ts';

/** JSON text for the store, apiVersion first, so that the version of a body can be told without parsing it. */
export function storedText({ apiVersion, kind, metadata, ...rest }: KubeObject, revision: number): string {
  return JSON.stringify({ apiVersion, kind, metadata: { ...metadata, resourceVersion: String(revision) }, ...rest });
}

/** The form in which the object goes to the store. */
export function asStored(kind: Kind, object: KubeObject): KubeObject | Promise<KubeObject> {
  if (kind.webhook) return kind.webhook.toStored(object);
  return kind.conversion ? kind.conversion.toStored(object) : object;
}

/**
 * A stored body as the kind's version shows it; of a kind with a webhook in the version it is stored in. `isWhole`: it was
 * written by the kind as it is now.
 */
export function present(kind: Kind, body: string, isWhole: boolean): Document {
  if ((isWhole || !kind.complete) && isOfVersion(kind, body)) return documentOfText(body);
  return documentOfObject(toServed(kind, JSON.parse(body) as KubeObject));
}

const isOfVersion = (kind: Kind, body: string): boolean =>
  body.startsWith(`{"apiVersion":${JSON.stringify(kind.apiVersion)},`);

export function toServed(kind: Kind, object: KubeObject): KubeObject {
  const complete = kind.complete ?? same;
  if (object.apiVersion === kind.apiVersion) return complete(object);
  if (kind.webhook) return object;
  if (kind.conversion) return complete(kind.conversion.toServed(object));
  return complete({ ...object, apiVersion: kind.apiVersion });
}

const same = (object: KubeObject): KubeObject => object;

/** What `present` made, in the kind's version. Throws InternalError when a webhook cannot do it. */
export function asServed(
  kind: Kind,
  documents: readonly Document[],
): Promise<readonly Document[]> | readonly Document[] {
  return kind.webhook ? kind.webhook.toServed(documents) : documents;
}

/** A state that is about to be changed, in the kind's version. */
export async function servedObject(kind: Kind, body: string, isWhole: boolean): Promise<KubeObject> {
  const document = present(kind, body, isWhole);
  if (!kind.webhook) return document.object;
  const [served] = await kind.webhook.toServed([document]);
  return served!.object;
}

/** The last state of a removed object carries the version of its removal. */
export function presentRemoved(kind: Kind, body: string, revision: number): Document {
  const object = toServed(kind, JSON.parse(body) as KubeObject);
  return documentOfObject({ ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } });
}
