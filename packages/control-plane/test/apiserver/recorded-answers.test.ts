// What a kube-apiserver 1.32 said about definitions and objects that are wrong in one way each, and what we say. Values that it shows
// as structures of its own are kept as the text they hold.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { systemUser } from '@kedge/control-plane/apiserver';
import type { KubeApi } from '@kedge/engine/kube-client';
import { isStatus, type KubeObject } from '@kedge/model/k8s';
import { startTestServer, type TestServer } from './test-server.ts';

interface Recorded {
  readonly name: string;
  readonly plural: string;
  readonly spec?: { readonly names?: object };
  readonly version?: object;
  readonly schema?: object;
  readonly says: readonly string[];
}

interface RecordedObject {
  readonly name: string;
  readonly spec?: unknown;
  /** What it became, or what was wrong with it. */
  readonly becomes?: unknown;
  readonly says?: readonly string[];
}

const read = async (name: string): Promise<unknown> =>
  JSON.parse(await readFile(new URL(`recorded/${name}.json`, import.meta.url), 'utf8'));
const recorded = (await read('definitions')) as Recorded[];
const { definition, objects } = (await read('objects')) as { definition: KubeObject; objects: RecordedObject[] };

let directory: string;
let running: TestServer;
let api: KubeApi;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kedge-definitions-'));
  running = await startTestServer({ directory });
  api = running.server.localApi(systemUser);
});
after(async () => {
  await running.stop();
  await rm(directory, { recursive: true, force: true });
});

function definitionOf({ plural, spec, version, schema = { type: 'object' } }: Recorded): KubeObject {
  const singular = plural.replace('things', 'thing');
  const names = { plural, singular, kind: `T${singular.slice(1)}`, ...spec?.names };
  const whole = {
    group: 'diff.example.com',
    scope: 'Namespaced',
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema }, ...version }],
    ...spec,
    names,
  };
  return { metadata: { name: `${names.plural}.${whole.group}` }, spec: whole };
}

const definitions = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };

async function answer(creating: Promise<unknown>): Promise<string[]> {
  try {
    await creating;
    return [];
  } catch (error) {
    if (!isStatus(error)) throw error;
    return (error.status.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);
  }
}

describe('a definition', () => {
  for (const one of recorded)
    test(`${one.name} is judged as by a kube-apiserver`, async () =>
      assert.deepEqual(await answer(api.create(definitions, undefined, definitionOf(one))), one.says));
});

describe('a custom object', () => {
  const gadgets = { group: 'diff.example.com', version: 'v1', resource: 'gadgets' };
  before(() => api.create(definitions, undefined, definition));
  for (const { name, spec, becomes, says } of objects) {
    test(`with ${JSON.stringify(spec)} is judged as by a kube-apiserver`, async () => {
      const creating = api.create(gadgets, 'default', { metadata: { name }, ...(spec === undefined ? {} : { spec }) });
      if (says) assert.deepEqual(await answer(creating), says);
      else assert.deepEqual((await creating)['spec'], becomes);
    });
  }
});
