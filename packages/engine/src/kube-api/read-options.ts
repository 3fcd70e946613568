// Query parameters of list, watch, write and delete requests, checked and turned into options.
import { type Duration, minutes, seconds } from '@kedge/core/time';
import { fail, type KubeObject } from '@kedge/model/k8s';
import {
  checkFieldSelector,
  everything,
  type LabelSelector,
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
} from '@kedge/model/k8s-selectors';
import type {
  FieldValidation,
  ListOptions,
  ObjectFilter,
  Propagation,
  RemoveOptions,
  VersionMatch,
  WriteOptions,
} from './object-api.ts';

/** The value of a selectable field (`spec.nodeName`); undefined when the kind has no such selectable field. */
export type ReadField = (path: string) => ((object: KubeObject) => string) | undefined;

export function readFilter(query: URLSearchParams, readField: ReadField, name: string): ObjectFilter | undefined {
  const labels = query.get('labelSelector');
  const fields = query.get('fieldSelector');
  if (!labels && !fields && !name) return undefined;
  const byLabels = labels ? parseLabelSelector(labels) : everything;
  const terms = fields ? [...parseFieldSelector(fields)] : [];
  if (name) terms.push({ field: 'metadata.name', op: '=', value: name });
  checkFieldSelector(terms, (field) => readField(field) !== undefined);
  const fixed = (field: string): string | undefined =>
    terms.find((term) => term.field === field && term.op === '=')?.value;
  const alone = fixed('metadata.name');
  return {
    name: alone,
    namespace: fixed('metadata.namespace'),
    words: wordsOf(byLabels, [alone, fixed('spec.nodeName')]),
    matches: (object) =>
      matchesLabels(byLabels, object.metadata.labels) && matchesFields(terms, (field) => readField(field)!(object)),
  };
}

/** Selectable fields of custom resources may be numbers and booleans, which JSON writes without quotes. */
const maybeNoString = /^(-?[0-9].*|true|false)$/;

/**
 * Labels that must be there, and the values of fields that are always in the text: names, and the node by which node agents
 * ask. Others may have a value that the text leaves out.
 */
function wordsOf(labels: LabelSelector, values: readonly (string | undefined)[]): readonly string[] {
  if (labels === 'nothing') return [];
  const words = labels.flatMap((term) => {
    if (term.op === 'in' && term.values.length === 1) return [term.key, term.values[0]!];
    return term.op === 'exists' ? [term.key] : [];
  });
  return [...words, ...values.filter((value) => value && !maybeNoString.test(value))].map((word) =>
    JSON.stringify(word),
  );
}

export function readListOptions(query: URLSearchParams, filter: ObjectFilter | undefined): ListOptions {
  const limit = readInteger(query, 'limit') ?? 0;
  const continueToken = query.get('continue') || undefined;
  const version = query.get('resourceVersion') || undefined;
  const match = query.get('resourceVersionMatch');
  if (match && match !== 'Exact' && match !== 'NotOlderThan') {
    throw invalid(`resourceVersionMatch: Unsupported value: "${match}": supported values: "Exact", "NotOlderThan"`);
  }
  if (match && version === undefined) {
    throw invalid(
      'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
    );
  }
  if (match && continueToken) {
    throw invalid('resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided');
  }
  if (match === 'Exact' && version === '0') {
    throw invalid('resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
  }
  if (version !== undefined && !/^\d+$/.test(version)) throw invalid(`resourceVersion: Invalid value: "${version}"`);
  // Without a match, a version with a limit means exactly that version, as upstream has it.
  const exact = match === 'Exact' || (!match && limit > 0 && version !== undefined && version !== '0');
  const how: VersionMatch = exact ? 'exact' : 'not-older-than';
  return { filter, limit, continueToken, resourceVersion: version === '0' ? undefined : version, match: how };
}

export interface WatchOptions {
  /** Undefined: start with what exists. */
  readonly resourceVersion: string | undefined;
  readonly sendInitial: boolean;
  readonly markInitialEnd: boolean;
  readonly bookmarks: boolean;
  readonly lasts: Duration;
}

export function readWatchOptions(query: URLSearchParams, random: () => number): WatchOptions {
  const version = query.get('resourceVersion') || undefined;
  if (version !== undefined && !/^\d+$/.test(version)) throw invalid(`resourceVersion: Invalid value: "${version}"`);
  const asked = query.get('sendInitialEvents');
  const bookmarks = isTrue(query.get('allowWatchBookmarks'));
  if (asked !== null && query.get('resourceVersionMatch') !== 'NotOlderThan') {
    throw invalid(
      'resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
    );
  }
  const timeout = readInteger(query, 'timeoutSeconds') ?? 0;
  const fromStart = version === undefined || version === '0';
  return {
    resourceVersion: fromStart ? undefined : version,
    sendInitial: asked === null ? fromStart : isTrue(asked),
    markInitialEnd: asked !== null && isTrue(asked) && bookmarks,
    bookmarks,
    lasts: timeout > 0 ? seconds(timeout) : minutes(30 + 30 * random()),
  };
}

const validations: readonly FieldValidation[] = ['Strict', 'Warn', 'Ignore'];

export function readWriteOptions(
  query: URLSearchParams,
  userAgent: string,
  duplicates: readonly string[],
): WriteOptions {
  const asked = query.get('fieldValidation') || 'Warn';
  const fieldValidation = validations.find((validation) => validation === asked);
  if (!fieldValidation) {
    throw invalid(`fieldValidation: Unsupported value: "${asked}": supported values: "Ignore", "Strict", "Warn"`);
  }
  return {
    dryRun: readDryRun(query.getAll('dryRun')),
    // As upstream: the program's name when it gives no manager of its own.
    fieldManager: (query.get('fieldManager') || userAgent.split('/')[0] || 'unknown').slice(0, 128),
    fieldValidation,
    force: isTrue(query.get('force')),
    duplicates,
  };
}

/** Options come in the query, in a DeleteOptions body, or both; the body wins. */
export function readRemoveOptions(query: URLSearchParams, body: KubeObject | undefined): RemoveOptions {
  const given = (body ?? {}) as {
    gracePeriodSeconds?: unknown;
    propagationPolicy?: unknown;
    orphanDependents?: unknown;
    preconditions?: { uid?: string; resourceVersion?: string };
    dryRun?: string[];
  };
  const grace = given.gracePeriodSeconds ?? readInteger(query, 'gracePeriodSeconds');
  if (grace !== undefined && grace !== null && (!Number.isInteger(grace) || (grace as number) < 0)) {
    throw invalid(`gracePeriodSeconds: Invalid value: ${String(grace)}: must be a non-negative integer`);
  }
  const orphan = given.orphanDependents ?? readBoolean(query, 'orphanDependents');
  const policy = given.propagationPolicy ?? query.get('propagationPolicy') ?? undefined;
  if (policy !== undefined && policy !== 'Foreground' && policy !== 'Background' && policy !== 'Orphan') {
    throw invalid(
      `propagationPolicy: Unsupported value: "${String(policy)}": supported values: "Foreground", "Background", "Orphan"`,
    );
  }
  return {
    dryRun: readDryRun([...query.getAll('dryRun'), ...(given.dryRun ?? [])]),
    gracePeriodSeconds: (grace as number | undefined | null) ?? undefined,
    propagation: (policy as Propagation | undefined) ?? (orphan === true ? 'Orphan' : undefined),
    preconditions: given.preconditions ?? {},
  };
}

function readDryRun(values: readonly string[]): boolean {
  for (const value of values) {
    if (value !== 'All' && value !== '')
      throw invalid(`dryRun: Unsupported value: "${value}": supported values: "All"`);
  }
  return values.includes('All');
}

function readInteger(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  const value = Number(text);
  if (!Number.isInteger(value)) throw fail('BadRequest', `${name}: "${text}" is not an integer`);
  return value;
}

function readBoolean(query: URLSearchParams, name: string): boolean | undefined {
  const text = query.get(name);
  return text === null ? undefined : isTrue(text);
}

const isTrue = (text: string | null): boolean => text === 'true' || text === '1' || text === '';
const invalid = (message: string): Error => fail('Invalid', `options are invalid: ${message}`);
