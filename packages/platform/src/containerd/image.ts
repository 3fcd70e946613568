// Builds container images out of plain files: an OCI image layout in one tar, as `ctr images import` reads it.
// There is no registry on a machine that has just been set up, so the first images are made on the spot.
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { encodeTar, type TarEntry } from './tar.ts';

export interface ImageSpec {
  /** Complete, as pods name it: `docker.io/library/busybox:1.35`. */
  readonly reference: string;
  readonly files: readonly TarEntry[];
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly env?: readonly string[];
  readonly workingDirectory?: string;
  readonly user?: string;
  /** What ends it, such as `SIGKILL`; SIGTERM when absent. */
  readonly stopSignal?: string;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const architectures: Partial<Record<NodeJS.Architecture, string>> = { x64: 'amd64', arm64: 'arm64' };

/** The parts of images by their SHA-256, each once, and which of them are the manifests. */
export interface ImageBlobs {
  readonly blobs: ReadonlyMap<string, Uint8Array>;
  readonly manifests: readonly Descriptor[];
}

export function layOutImages(images: readonly ImageSpec[]): ImageBlobs {
  const blobs = new Map<string, Uint8Array>();
  const store = (mediaType: string, content: Uint8Array): Descriptor => {
    const hash = createHash('sha256').update(content).digest('hex');
    blobs.set(hash, content);
    return { mediaType, digest: `sha256:${hash}`, size: content.length };
  };
  return { manifests: images.map((image) => storeImage(image, store)), blobs };
}

/** Writes one archive that holds all of `images`. */
export async function writeImageArchive(path: string, images: readonly ImageSpec[]): Promise<void> {
  const { blobs, manifests } = layOutImages(images);
  const named = manifests.map((manifest, index) => {
    const { reference = '' } = images[index] ?? {};
    return {
      ...manifest,
      annotations: {
        'io.containerd.image.name': reference,
        'org.opencontainers.image.ref.name': reference.slice(reference.lastIndexOf(':') + 1),
      },
    };
  });
  await writeFile(
    path,
    encodeTar([
      jsonFile('oci-layout', { imageLayoutVersion: '1.0.0' }),
      jsonFile('index.json', { schemaVersion: 2, manifests: named }),
      { type: 'directory', path: 'blobs', mode: 0o755 },
      { type: 'directory', path: 'blobs/sha256', mode: 0o755 },
      ...[...blobs].map(([hash, content]): TarEntry => ({
        type: 'file',
        path: `blobs/sha256/${hash}`,
        mode: 0o644,
        content,
      })),
    ]),
  );
}

function storeImage(image: ImageSpec, store: (mediaType: string, content: Uint8Array) => Descriptor): Descriptor {
  const layer = store('application/vnd.oci.image.layer.v1.tar', encodeTar(image.files));
  const config = store(
    'application/vnd.oci.image.config.v1+json',
    encodeJson({
      created: '1970-01-01T00:00:00Z',
      architecture: architectures[process.arch] ?? process.arch,
      os: 'linux',
      config: {
        Entrypoint: image.entrypoint,
        Cmd: image.command,
        Env: image.env ?? ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
        WorkingDir: image.workingDirectory,
        User: image.user,
        StopSignal: image.stopSignal,
      },
      rootfs: { type: 'layers', diff_ids: [layer.digest] },
      history: [{ created: '1970-01-01T00:00:00Z', created_by: 'kedge' }],
    }),
  );
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  return store(mediaType, encodeJson({ schemaVersion: 2, mediaType, config, layers: [layer] }));
}

const encodeJson = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const jsonFile = (path: string, value: unknown): TarEntry => ({
  type: 'file',
  path,
  mode: 0o644,
  content: encodeJson(value),
});
