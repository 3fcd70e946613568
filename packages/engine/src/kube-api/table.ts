// Table form of objects (meta.k8s.io/v1): what `kubectl get` prints. Column definitions come from whoever knows the kind.
import type { KubeObject } from '@kedge/model/k8s';
import { type Instant, between, parseTime } from '@kedge/core/time';

export interface TableColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly format?: string | undefined;
  readonly description?: string | undefined;
  /** 0 is always shown, 1 with `-o wide`. */
  readonly priority?: number | undefined;
}

export type Cell = string | number | boolean | null;

export interface TableLayout {
  readonly columns: readonly TableColumn[];
  /** One cell per column. */
  row(object: KubeObject, now: Instant): readonly Cell[];
}

export interface TableRow {
  readonly cells: readonly Cell[];
  readonly object?: unknown;
}

export type IncludeObject = 'None' | 'Metadata' | 'Object';

/** Name and age: what is known of any object. */
export const plainLayout: TableLayout = {
  columns: [
    { name: 'Name', type: 'string', format: 'name', description: 'Name of the object, unique in its collection.' },
    { name: 'Age', type: 'string', description: 'Time since the object was created.' },
  ],
  row: (object, now) => [object.metadata.name ?? '', age(object.metadata.creationTimestamp, now)],
};

export const columnDefinitions = (layout: TableLayout): readonly unknown[] =>
  layout.columns.map(({ name, type, format = '', description = '', priority = 0 }) => ({
    name,
    type,
    format,
    description,
    priority,
  }));

export function tableRow(layout: TableLayout, object: KubeObject, include: IncludeObject, now: Instant): TableRow {
  const cells = layout.row(object, now);
  if (include === 'None') return { cells };
  return { cells, object: include === 'Object' ? object : metadataOnly(object) };
}

export const metadataOnly = (object: KubeObject): KubeObject => ({
  kind: 'PartialObjectMetadata',
  apiVersion: 'meta.k8s.io/v1',
  metadata: object.metadata,
});

/** How long ago, as kubectl writes it: `<unknown>` without a time. */
export function age(time: string | null | undefined, now: Instant): string {
  const at = parseTime(time);
  return at === undefined ? '<unknown>' : humanDuration(between(at, now));
}

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;

/** Two units at most, coarser the longer it is: 45s, 3m20s, 25m, 5h10m, 30h, 4d3h, 20d, 2y100d. */
export function humanDuration(milliseconds: number): string {
  const total = Math.floor(milliseconds / 1_000);
  if (total < -1) return '<invalid>';
  if (total < 0) return '0s';
  if (total < 2 * minute) return `${total}s`;
  const pair = (big: number, bigName: string, small: number, smallName: string): string => {
    const rest = Math.floor((total % big) / small);
    return `${Math.floor(total / big)}${bigName}${rest ? `${rest}${smallName}` : ''}`;
  };
  if (total < 10 * minute) return pair(minute, 'm', 1, 's');
  if (total < 3 * hour) return `${Math.floor(total / minute)}m`;
  if (total < 8 * hour) return pair(hour, 'h', minute, 'm');
  if (total < 2 * day) return `${Math.floor(total / hour)}h`;
  if (total < 8 * day) return pair(day, 'd', hour, 'h');
  if (total < 2 * 365 * day) return `${Math.floor(total / day)}d`;
  if (total < 8 * 365 * day) return pair(365 * day, 'y', day, 'd');
  return `${Math.floor(total / (365 * day))}y`;
}
