// What a kube-apiserver 1.32 said about definitions that are wrong in one way each, and what we say. Values that it shows
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

const recorded = JSON.parse(
  await readFile(new URL('recorded/definitions.json', import.meta.url), 'utf8'),
) as Recorded[];

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

async function answer(definition: KubeObject): Promise<string[]> {
  const of = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };
  try {
    await api.create(of, undefined, definition);
    return [];
  } catch (error) {
    if (!isStatus(error)) throw error;
    return (error.status.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);
  }
}

describe('a definition', () => {
  for (const one of recorded)
    test(`${one.name} is judged as by a kube-apiserver`, async () =>
      assert.deepEqual(await answer(definitionOf(one)), one.says));
});
