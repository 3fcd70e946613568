// What a patch of a status may say besides the status. The API lets the metadata of an object be changed along with its
// status, and cloudcore writes in its own name: without this a node could label itself, or its pods, as it likes.
import { isControlPlaneLabel, isRestrictedLabel } from './reserved-labels.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What any writer repeats so that the patch is for this object and version only. */
const identity: readonly string[] = ['uid', 'name', 'namespace', 'resourceVersion', 'creationTimestamp'];

/** Why a node may not send this patch; undefined when it may. What is no patch at all is left to the API to refuse. */
export function whyNotPatch(of: 'node' | 'pod', patch: string): string | undefined {
  const document = readFields(patch);
  if (!document) return undefined;
  const { metadata = {}, status: _, ...rest } = document;
  if (Object.keys(rest).length > 0) return `it changes ${Object.keys(rest).join(', ')}`;
  if (!isFields(metadata)) return 'its metadata is no document';
  // Kubernetes' own kubelet reports labels and annotations of its Node this way; of a pod it names the uid only.
  const allowed = of === 'node' ? [...identity, 'labels', 'annotations'] : identity;
  const stray = Object.keys(metadata).find((field) => !allowed.includes(field));
  if (stray !== undefined) return `it changes metadata.${stray}`;
  const { labels = {} } = metadata;
  if (!isFields(labels)) return 'its labels are no document';
  const reserved = Object.keys(labels).find(
    (label) => label.startsWith('$') || isRestrictedLabel(label) || isControlPlaneLabel(label),
  );
  return reserved === undefined ? undefined : `label ${reserved} is for administrators`;
}

function readFields(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
