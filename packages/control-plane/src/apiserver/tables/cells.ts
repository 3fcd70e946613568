// Small pieces that printed columns are made of.
import type { Cell, TableColumn } from '@kedge/engine/kube-api';
import { age, humanDuration } from '@kedge/engine/kube-api';
import { type Instant, parseTime } from '@kedge/core/time';
import type { KubeObject } from '@kedge/model/k8s';
import { formatLabelSelector, labelSelectorOf, type LabelSelectorObject } from '@kedge/model/k8s-selectors';

/** A column and how its cell is made. */
export interface Column<T> extends TableColumn {
  cell(object: T, now: Instant): Cell | undefined;
}

export const text = <T>(name: string, cell: Column<T>['cell'], priority = 0): Column<T> => ({
  name,
  type: 'string',
  cell,
  priority,
});

export const count = <T>(name: string, cell: Column<T>['cell'], priority = 0): Column<T> => ({
  name,
  type: 'integer',
  cell: (object, now) => cell(object, now) ?? 0,
  priority,
});

export const nameColumn: Column<KubeObject> = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name of the object, unique in its collection.',
  cell: ({ metadata }) => metadata.name,
};

export const ageColumn: Column<KubeObject> = {
  name: 'Age',
  type: 'string',
  description: 'Time since the object was created.',
  cell: ({ metadata }, now) => age(metadata.creationTimestamp, now),
};

export const flag = <T>(name: string, cell: (object: T) => boolean | undefined): Column<T> => ({
  name,
  type: 'boolean',
  cell: (object) => cell(object) ?? false,
});

/** Most kinds begin with their name, and end with their age. */
export const named = <T>(columns: Column<T>[]): Column<T>[] => [nameColumn as unknown as Column<T>, ...columns];
export const aged = <T>(): Column<T> => ageColumn as unknown as Column<T>;

export const none = '<none>';
export const joined = (parts: readonly (string | undefined)[] | undefined, separator = ','): string =>
  (parts ?? []).filter(Boolean).join(separator) || none;

export const labelsText = (labels: Readonly<Record<string, string>> | undefined): string =>
  joined(
    Object.entries(labels ?? {})
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => `${key}=${value}`),
  );

export function selectorText(selector: LabelSelectorObject | undefined): string {
  if (!selector) return none;
  try {
    return formatLabelSelector(labelSelectorOf(selector)) || none;
  } catch {
    return none;
  }
}

interface PodTemplate {
  readonly spec?: { readonly containers?: readonly { readonly name: string; readonly image?: string }[] };
}

/** The two columns every workload ends with in the wide form. */
export const containerColumns = <T>(template: (object: T) => PodTemplate | undefined): Column<T>[] => [
  text(
    'Containers',
    (object) =>
      template(object)
        ?.spec?.containers?.map(({ name }) => name)
        .join(','),
    1,
  ),
  text(
    'Images',
    (object) =>
      template(object)
        ?.spec?.containers?.map(({ image }) => image)
        .join(','),
    1,
  ),
];

/** Time since an event, `<unknown>` when it has not happened. */
export const since = (time: string | null | undefined, now: Instant): string => age(time, now);

export function between(from: string | null | undefined, to: string | null | undefined, now: Instant): string {
  const start = parseTime(from);
  return start === undefined ? '' : humanDuration((parseTime(to) ?? now) - start);
}
