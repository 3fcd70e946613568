// Lists on the wire: objects, a Table or metadata only, written as they are read so that no collection is in memory at once.
// `metadata` comes last, because where the list goes on is known only then.
import type { Instant } from '@kedge/core/time';
import { apiVersionOf } from '@kedge/model/k8s';
import type { ServedResource } from './catalog.ts';
import type { Form } from './negotiate.ts';
import type { Document, Listing } from './object-api.ts';
import { columnDefinitions, type IncludeObject, metadataOnly, type TableLayout, tableRow } from './table.ts';

export interface ListForm {
  readonly form: Form;
  readonly layout: TableLayout;
  readonly include: IncludeObject;
  readonly now: Instant;
}

export const listKindOf = (resource: ServedResource): string => resource.listKind ?? `${resource.kind}List`;

export async function* listText(resource: ServedResource, listing: Listing, how: ListForm): AsyncIterable<string> {
  yield head(resource, how);
  let separator = '';
  for await (const page of listing.pages()) {
    for (const document of page) {
      yield separator + item(document, how);
      separator = ',';
    }
  }
  const { continueToken, remainingItemCount } = listing.tail();
  const metadata = {
    resourceVersion: listing.resourceVersion,
    ...(continueToken ? { continue: continueToken } : {}),
    ...(remainingItemCount ? { remainingItemCount } : {}),
  };
  yield `],"metadata":${JSON.stringify(metadata)}}\n`;
}

function head(resource: ServedResource, { form, layout }: ListForm): string {
  if (form === 'table') {
    const columns = JSON.stringify(columnDefinitions(layout));
    return `{"kind":"Table","apiVersion":"meta.k8s.io/v1","columnDefinitions":${columns},"rows":[`;
  }
  if (form === 'metadata') return '{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","items":[';
  const apiVersion = apiVersionOf(resource.group, resource.version);
  return `{"kind":${JSON.stringify(listKindOf(resource))},"apiVersion":${JSON.stringify(apiVersion)},"items":[`;
}

function item(document: Document, { form, layout, include, now }: ListForm): string {
  if (form === 'object') return document.text;
  if (form === 'metadata') return JSON.stringify(metadataOnly(document.object));
  return JSON.stringify(tableRow(layout, document.object, include, now));
}
