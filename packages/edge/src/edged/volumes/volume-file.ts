// What configMap, secret, downwardAPI and projected volumes consist of: files with a path, a mode and bytes; pure.
import type { ConfigMap, Container, DownwardAPIVolumeFile, KeyToPath, Pod, Secret } from '@kedge/model/k8s-types';
import { decodeBytes } from '../env/environment.ts';
import { readField, type PodAddresses } from '../env/field-path.ts';
import { type Allocatable, readResource } from '../env/resource-field.ts';
import { allContainersOf } from '../pod/pod-spec.ts';

export interface VolumeFile {
  /** Relative, without `..`. */
  readonly path: string;
  readonly mode: number;
  readonly content: Uint8Array;
  /** Owner; root when absent. */
  readonly uid?: number;
}

export const defaultFileMode = 0o644;

/** The files of a ConfigMap: all its keys, or those of `items`. A string says what is missing. */
export function configMapFiles(
  { data = {}, binaryData = {} }: Pick<ConfigMap, 'data' | 'binaryData'>,
  selection: Selection,
): VolumeFile[] | string {
  const bytes = new Map<string, Uint8Array>();
  for (const [key, value] of Object.entries(data)) bytes.set(key, new TextEncoder().encode(value));
  for (const [key, value] of Object.entries(binaryData)) bytes.set(key, decodeBytes(value));
  return select(bytes, selection);
}

export const secretFiles = ({ data = {} }: Pick<Secret, 'data'>, selection: Selection): VolumeFile[] | string =>
  select(new Map(Object.entries(data).map(([key, value]) => [key, decodeBytes(value)])), selection);

export interface Selection {
  readonly items: readonly KeyToPath[] | undefined;
  readonly mode: number;
  readonly optional: boolean;
}

function select(bytes: ReadonlyMap<string, Uint8Array>, { items, mode, optional }: Selection): VolumeFile[] | string {
  if (!items || items.length === 0) return [...bytes].map(([path, content]) => ({ path, mode, content }));
  const files: VolumeFile[] = [];
  for (const item of items) {
    const content = bytes.get(item.key);
    if (content) files.push({ path: item.path, mode: item.mode ?? mode, content });
    else if (!optional) return `references non-existent key: ${item.key}`;
  }
  return files;
}

export function downwardFiles(
  items: readonly DownwardAPIVolumeFile[],
  mode: number,
  { pod, addresses, allocatable }: { pod: Pod; addresses: PodAddresses; allocatable: Allocatable },
): VolumeFile[] | string {
  const files: VolumeFile[] = [];
  for (const { path, fieldRef, resourceFieldRef, mode: own } of items) {
    const of = resourceFieldRef && containerNamed(pod, resourceFieldRef.containerName);
    const value = fieldRef
      ? readField(pod, fieldRef.fieldPath, addresses)
      : resourceFieldRef && of && readResource(of, resourceFieldRef, allocatable);
    if (value === undefined)
      return `there is no value for ${fieldRef?.fieldPath ?? resourceFieldRef?.resource ?? path}`;
    files.push({ path, mode: own ?? mode, content: new TextEncoder().encode(value) });
  }
  return files;
}

const containerNamed = (pod: Pod, name: string | undefined): Container | undefined =>
  allContainersOf(pod).find((container) => container.name === name);

/** True for a path that stays inside its volume. */
export const isSafePath = (path: string): boolean =>
  path !== '' && !path.startsWith('/') && !path.split('/').some((part) => part === '..' || part === '.' || part === '');
