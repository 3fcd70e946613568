// Request bodies: bounded, decoded as JSON or YAML, checked to be an object of the kind the URL names.
import { codeOf } from '@kedge/core/errors';
import type { ServerRequest } from '@kedge/core/ports';
import { fail, type KubeObject } from '@kedge/model/k8s';
import { patchMediaTypes, type PatchType } from '../kube-client/index.ts';
import { duplicateFields } from './json-duplicates.ts';
import { isNestedTooDeeply } from './nesting.ts';

/** As upstream: what etcd would take, doubled. */
export const bodyLimit = 3 * 1024 * 1024;

export interface ReadBody {
  readonly object: KubeObject | undefined;
  readonly duplicates: readonly string[];
}

const mediaType = (request: ServerRequest): string =>
  (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();

async function readBytes(request: ServerRequest): Promise<Uint8Array> {
  try {
    return await request.body(bodyLimit);
  } catch (error) {
    if (codeOf(error) !== 'HTTP_BODY_TOO_LARGE') throw error;
    throw fail('RequestEntityTooLarge', `Request entity too large: limit is ${bodyLimit}`);
  }
}

function asText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw fail('BadRequest', 'the request body is not UTF-8');
  }
}

/** An object body; `object` is undefined when the body is empty. */
export async function readObject(request: ServerRequest, findDuplicates: boolean): Promise<ReadBody> {
  const type = mediaType(request);
  const bytes = await readBytes(request);
  if (bytes.length === 0) return { object: undefined, duplicates: [] };
  if (type === 'application/vnd.kubernetes.protobuf') return { object: await parseProtobuf(bytes), duplicates: [] };
  const text = asText(bytes);
  if (text.trim() === '') return { object: undefined, duplicates: [] };
  if (type === '' || type === 'application/json' || type === 'text/plain' || type === 'application/octet-stream') {
    return { object: asObject(parseJson(text)), duplicates: findDuplicates ? duplicateFields(text) : [] };
  }
  if (type === 'application/yaml') return { object: asObject(await parseYaml(text)), duplicates: [] };
  throw fail(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf (it is ${type})`,
  );
}

const patchTypes = new Map<string, PatchType>(
  Object.entries(patchMediaTypes).map(([type, media]) => [media, type as PatchType]),
);

export async function readPatch(request: ServerRequest): Promise<{ type: PatchType; text: string }> {
  const type = patchTypes.get(mediaType(request));
  if (!type) {
    throw fail(
      'UnsupportedMediaType',
      `the body of the request was in an unknown format - accepted media types include: ${[...patchTypes.keys()].join(', ')}`,
    );
  }
  const text = asText(await readBytes(request));
  checkNesting(text);
  return { type, text };
}

function checkNesting(text: string): void {
  if (isNestedTooDeeply(text)) throw fail('BadRequest', 'the request body is nested too deeply');
}

function parseJson(text: string): unknown {
  checkNesting(text);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw fail('BadRequest', `the request body is not valid JSON: ${(error as Error).message}`);
  }
}

/** Loaded when first needed: a server that never meets a Go client does not carry it. */
async function parseProtobuf(bytes: Uint8Array): Promise<KubeObject> {
  const { decodeKubeProtobuf } = await import('@kedge/wire/kube-protobuf');
  try {
    return asObject(decodeKubeProtobuf(bytes));
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    throw fail('BadRequest', (error as Error).message);
  }
}

async function parseYaml(text: string): Promise<unknown> {
  const { parse } = await import('yaml');
  try {
    return parse(text, { version: '1.1', uniqueKeys: true });
  } catch (error) {
    throw fail('BadRequest', `the request body is not valid YAML: ${(error as Error).message}`);
  }
}

function asObject(value: unknown): KubeObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw fail('BadRequest', 'the request body must be one object');
  }
  const object = value as KubeObject;
  const metadata: unknown = object.metadata ?? {};
  if (typeof metadata !== 'object' || Array.isArray(metadata)) {
    throw fail('BadRequest', 'the metadata of the request body must be an object');
  }
  object.metadata = metadata as KubeObject['metadata'];
  return object;
}
