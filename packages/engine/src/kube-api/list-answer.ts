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
  /** For human eyes: indented. */
  readonly pretty?: boolean;
}

/** Texts of this size are still short-lived memory to the engine; bigger ones are collected at a far higher price. */
const pieceSize = 32 * 1024;

export const listKindOf = (resource: ServedResource): string => resource.listKind ?? `${resource.kind}List`;

export async function* listText(resource: ServedResource, listing: Listing, how: ListForm): AsyncIterable<string> {
  const [beforeItem, afterItems] = how.pretty ? ['\n    ', '\n  '] : ['', ''];
  let held = head(resource, how);
  let separator = beforeItem;
  for await (const page of listing.pages()) {
    for (const document of page) {
      held += separator + item(document, how);
      separator = `,${beforeItem}`;
      if (held.length < pieceSize) continue;
      yield held;
      held = '';
    }
  }
  const { continueToken, remainingItemCount } = listing.tail();
  const metadata = {
    resourceVersion: listing.resourceVersion,
    ...(continueToken ? { continue: continueToken } : {}),
    ...(remainingItemCount ? { remainingItemCount } : {}),
  };
  const isEmpty = separator === beforeItem;
  yield (
    held +
    (how.pretty
      ? `${isEmpty ? '' : afterItems}],\n  "metadata": ${indented(metadata, '  ')}\n}\n`
      : `],"metadata":${JSON.stringify(metadata)}}\n`)
  );
}

/** What comes before the first item. */
function head(resource: ServedResource, { form, layout, pretty }: ListForm): string {
  const [fields, items] =
    form === 'table'
      ? [{ kind: 'Table', apiVersion: 'meta.k8s.io/v1', columnDefinitions: columnDefinitions(layout) }, 'rows']
      : [typeOf(resource, form), 'items'];
  if (!pretty) return `${JSON.stringify(fields).slice(0, -1)},"${items}":[`;
  return `${JSON.stringify(fields, undefined, 2).slice(0, -2)},\n  "${items}": [`;
}

const typeOf = (resource: ServedResource, form: Form): object =>
  form === 'metadata'
    ? { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1' }
    : { kind: listKindOf(resource), apiVersion: apiVersionOf(resource.group, resource.version) };

function item(document: Document, { form, layout, include, now, pretty }: ListForm): string {
  if (form === 'object' && !pretty) return document.text;
  const value = valueOf();
  return pretty ? indented(value, '    ') : JSON.stringify(value);

  function valueOf(): unknown {
    if (form === 'object') return document.object;
    return form === 'metadata' ? metadataOnly(document.object) : tableRow(layout, document.object, include, now);
  }
}

const indented = (value: unknown, by: string): string =>
  JSON.stringify(value, undefined, 2).replaceAll('\n', `\n${by}`);
