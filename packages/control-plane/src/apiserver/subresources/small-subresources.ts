// Subresources that write one field: the approval of certificate requests, and the finalizers of a namespace.
import type { Call, Patch, WriteOptions, Written } from '@kedge/engine/kube-api';
import type { KubeObject } from '@kedge/model/k8s';
import { patched, readPatchDocument } from '../objects/patch-objects.ts';
import type { ObjectReader } from '../objects/read-objects.ts';
import type { ObjectWriter } from '../objects/write-objects.ts';
import type { Subresource, SubresourceTarget } from './subresource.ts';

/** `carry` takes over from `wanted` what the subresource is about, and nothing else. */
function createPartial(
  reader: ObjectReader,
  writer: ObjectWriter,
  subresource: string,
  carry: (before: KubeObject, wanted: KubeObject) => KubeObject,
): Subresource {
  const write = (
    { kind, namespace, name }: SubresourceTarget,
    wanted: (before: KubeObject) => KubeObject,
    options: WriteOptions,
    call: Call,
  ): Promise<Written> =>
    writer.change(
      {
        kind,
        namespace,
        name,
        subresource,
        part: 'everything',
        manages: 'update',
        make(before) {
          const next = wanted(before);
          const { resourceVersion, uid } = next.metadata;
          const carried = carry(before, next);
          return {
            ...carried,
            metadata: { ...carried.metadata, ...(resourceVersion ? { resourceVersion } : {}), ...(uid ? { uid } : {}) },
          };
        },
      },
      options,
      call,
    );
  return {
    get: async ({ kind, namespace, name }) => reader.get(kind, namespace, name),
    update: (of, body, options, call) => write(of, () => body, options, call),
    async patch(of, patch: Patch, options, call) {
      const document = await readPatchDocument(patch);
      const type = patch.type === 'apply' ? 'merge' : patch.type;
      return write(of, (before) => patched(of.kind, type, before, document), options, call);
    },
  };
}

export const createApproval = (reader: ObjectReader, writer: ObjectWriter): Subresource =>
  createPartial(reader, writer, 'approval', (before, wanted) => {
    const { conditions } = (wanted['status'] ?? {}) as { conditions?: unknown };
    return {
      ...before,
      status: { ...(before['status'] as object | undefined), ...(conditions ? { conditions } : {}) },
    };
  });

export const createFinalize = (reader: ObjectReader, writer: ObjectWriter): Subresource =>
  createPartial(reader, writer, 'finalize', (before, wanted) => {
    const { finalizers } = (wanted['spec'] ?? {}) as { finalizers?: string[] };
    return { ...before, spec: finalizers?.length ? { finalizers } : {} };
  });
