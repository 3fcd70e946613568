// The scale subresource: one number of an object behind a shape that is the same for every kind that has it.
import { documentOfObject, type Patch, type WriteOptions, type Call, type Written } from '@kedge/engine/kube-api';
import { fail, type KubeObject } from '@kedge/model/k8s';
import { isObject } from '@kedge/model/k8s-patch';
import { formatLabelSelector, labelSelectorOf, type LabelSelectorObject } from '@kedge/model/k8s-selectors';
import type { Kind } from '../kinds/kind.ts';
import { patched, readPatchDocument } from '../objects/patch-objects.ts';
import type { ObjectReader } from '../objects/read-objects.ts';
import type { ObjectWriter } from '../objects/write-objects.ts';
import type { Subresource, SubresourceTarget } from './subresource.ts';

/** Where a kind keeps its numbers, as dotted paths. */
export interface ScalePaths {
  readonly specReplicas: string;
  readonly statusReplicas: string;
  readonly selector: string | undefined;
}

const usual: ScalePaths = {
  specReplicas: 'spec.replicas',
  statusReplicas: 'status.replicas',
  selector: 'spec.selector',
};

export function createScale(
  reader: ObjectReader,
  writer: ObjectWriter,
  customPaths: (kind: Kind) => ScalePaths | undefined,
): Subresource {
  const pathsOf = (kind: Kind): ScalePaths => customPaths(kind) ?? usual;
  const read = ({ kind, namespace, name }: SubresourceTarget): KubeObject =>
    scaleOf(reader.get(kind, namespace, name).object, pathsOf(kind));

  async function write(of: SubresourceTarget, scale: KubeObject, options: WriteOptions, call: Call): Promise<Written> {
    const { kind, namespace, name } = of;
    const replicas = (scale['spec'] as { replicas?: number } | undefined)?.replicas ?? 0;
    if (!Number.isInteger(replicas) || replicas < 0) {
      throw fail(
        'Invalid',
        `Scale "${name}" is invalid: spec.replicas: Invalid value: ${replicas}: must be greater than or equal to 0`,
      );
    }
    const { resourceVersion, uid } = scale.metadata;
    const { document } = await writer.change(
      {
        kind,
        namespace,
        name,
        subresource: 'scale',
        part: 'main',
        manages: 'update',
        make(before) {
          const next = structuredClone(before);
          writePath(next, pathsOf(kind).specReplicas, replicas);
          next.metadata = {
            ...next.metadata,
            ...(resourceVersion ? { resourceVersion } : {}),
            ...(uid ? { uid } : {}),
          };
          return next;
        },
      },
      options,
      call,
    );
    return { document: documentOfObject(scaleOf(document.object, pathsOf(kind))), created: false };
  }

  return {
    get: async (of) => documentOfObject(read(of)),
    update: write,
    async patch(of, patch: Patch, options, call) {
      const document = await readPatchDocument(patch);
      // Server-side apply of a scale states one field; merging it has the same result.
      const type = patch.type === 'apply' ? 'merge' : patch.type;
      return write(
        of,
        patched({ ...of.kind, schema: undefined, isCustom: false }, type, read(of), document),
        options,
        call,
      );
    },
  };
}

function scaleOf(object: KubeObject, paths: ScalePaths): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = paths.selector === undefined ? undefined : readPath(object, paths.selector);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp } as KubeObject['metadata'],
    spec: { replicas: readPath(object, paths.specReplicas) ?? 0 },
    status: {
      replicas: readPath(object, paths.statusReplicas) ?? 0,
      ...(selector ? { selector: selectorText(selector) } : {}),
    },
  };
}

function selectorText(selector: unknown): string {
  if (typeof selector === 'string') return selector;
  if (!isObject(selector)) return '';
  const isPlainMap = !('matchLabels' in selector) && !('matchExpressions' in selector);
  return formatLabelSelector(
    labelSelectorOf((isPlainMap ? { matchLabels: selector } : selector) as LabelSelectorObject),
  );
}

function readPath(object: unknown, path: string): unknown {
  let at = object;
  for (const name of path.split('.')) at = isObject(at) ? at[name] : undefined;
  return at;
}

function writePath(object: KubeObject, path: string, value: unknown): void {
  const names = path.split('.');
  const last = names.pop()!;
  let at: Record<string, unknown> = object;
  for (const name of names) at = (at[name] ??= {}) as Record<string, unknown>;
  at[last] = value;
}
