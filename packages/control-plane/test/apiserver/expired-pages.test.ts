// A list in pages whose beginning is no longer kept: the client is told, and may go on with the newest state.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiStoreMigrations, createApiStore } from '@kedge/control-plane/apistore';
import { FakeClock } from '@kedge/core/testing';
import { minutes } from '@kedge/core/time';
import type { ListOptions } from '@kedge/engine/kube-api';
import { isStatus, type StatusError } from '@kedge/model/k8s';
import { loadBuiltinSchemas } from '@kedge/model/k8s-schema';
import { openDatabase } from '@kedge/platform/sqlite';
import { createKindCatalog } from '../../src/apiserver/kinds/kind-catalog.ts';
import { createObjectReader } from '../../src/apiserver/objects/read-objects.ts';
import { createWholeObjects } from '../../src/apiserver/objects/whole-objects.ts';

test('a continue token that is too old is Expired, and comes with one that lists the rest as it is now', async (t) => {
  const database = openDatabase({ path: ':memory:', migrations: apiStoreMigrations, durability: 'normal' });
  t.after(() => database.close());
  const clock = new FakeClock({ settle: () => Promise.resolve() });
  const store = createApiStore({ database, clock, keepFor: minutes(5), keepEvents: 3, recentBytes: 1 << 20 });
  const kind = createKindCatalog(await loadBuiltinSchemas()).builtin({
    group: '',
    version: 'v1',
    resource: 'configmaps',
  });
  const reader = createObjectReader(store, createWholeObjects());
  const put = (name: string): Promise<unknown> => {
    const metadata = (revision: number) => ({ name, namespace: 'default', resourceVersion: String(revision) });
    return store.write({ resource: 'configmaps', namespace: 'default', name }, 0, (revision) =>
      JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata(revision) }),
    );
  };
  const page = async (continueToken?: string) => {
    const options: ListOptions = {
      filter: undefined,
      limit: 2,
      continueToken,
      resourceVersion: undefined,
      match: 'not-older-than',
    };
    const listing = reader.list(kind, { resource: kind.served, namespace: 'default' }, options);
    const names: (string | undefined)[] = [];
    for await (const documents of listing.pages()) names.push(...documents.map(({ object }) => object.metadata.name));
    return { names, next: listing.tail().continueToken };
  };

  for (const name of ['a', 'b', 'c', 'd']) await put(name);
  const first = await page();
  assert.deepEqual(first.names, ['a', 'b']);
  for (const name of ['aa', 'e', 'f', 'g', 'h']) await put(name);
  await store.compact();

  let expired: StatusError | undefined;
  await assert.rejects(page(first.next), (error: unknown) => {
    expired = error as StatusError;
    return isStatus(error, 'Expired');
  });
  assert.equal(expired?.status.code, 410);
  const rest = await page(expired?.status.metadata?.['continue'] as string);
  assert.deepEqual(rest.names, ['c', 'd']);
  assert.deepEqual((await page(rest.next)).names, ['e', 'f']);
});
