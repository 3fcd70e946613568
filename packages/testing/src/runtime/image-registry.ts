// A registry of images on loopback, as much of it as pulling needs, behind a user and a password.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ImageSpec, layOutImages } from '@kedge/platform/containerd';

export interface ImageRegistry {
  /** `127.0.0.1:<port>`: how references to it begin. */
  readonly host: string;
  /** Layers come with a byte that is wrong while this is true. */
  isSpoiled: boolean;
  close(): Promise<void>;
}

/** Serves `image` under every name and tag, to everybody where nobody is named. */
export async function openImageRegistry(
  image: Omit<ImageSpec, 'reference'>,
  login?: { readonly user: string; readonly password: string },
): Promise<ImageRegistry> {
  const { blobs, manifests } = layOutImages([{ ...image, reference: 'served' }]);
  const [manifest] = manifests;
  const expected = login && `Basic ${Buffer.from(`${login.user}:${login.password}`).toString('base64')}`;
  const server = createServer((request, response) => {
    if (expected !== undefined && request.headers.authorization !== expected) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end();
      return;
    }
    const [, kind = '', name = ''] = /^\/v2\/.+\/(manifests|blobs)\/([^/]+)$/.exec(request.url ?? '') ?? [];
    const digest = kind === 'manifests' && !name.startsWith('sha256:') ? (manifest?.digest ?? '') : name;
    const content = blobs.get(digest.replace('sha256:', ''));
    if (!content) {
      response.writeHead(404).end();
      return;
    }
    const type = kind === 'manifests' ? manifest?.mediaType : 'application/octet-stream';
    response.writeHead(200, {
      'content-type': type,
      'content-length': content.length,
      'docker-content-digest': digest,
    });
    response.end(
      request.method === 'HEAD' ? undefined : registry.isSpoiled && isLayer(content) ? spoil(content) : content,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const registry: ImageRegistry = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    isSpoiled: false,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return registry;
}

/** Whatever is no JSON. */
const isLayer = (content: Uint8Array): boolean => content[0] !== '{'.charCodeAt(0);

function spoil(content: Uint8Array): Buffer {
  const spoiled = Buffer.from(content);
  spoiled[content.length >> 1]! ^= 1;
  return spoiled;
}
