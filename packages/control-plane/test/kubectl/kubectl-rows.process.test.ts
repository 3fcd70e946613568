// Every row of the table in docs/kubernetes-api.md, with the real kubectl on a real API server with controllers and
// scheduler. Each has a namespace of its own, so that several run at once.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { node } from './objects.ts';
import type { Row } from './row.ts';
import { type Site, startSite } from './site.ts';
import { sections } from './sections.ts';
import { collections } from '@kedge/engine/kube-client';

let site: Site;
before(async () => {
  site = await startSite();
  for (const name of ['edge-1', 'edge-2'])
    await site.api.create(collections.nodes, undefined, node(name, { rack: 'shared' }));
});
after(() => site.stop());

async function run({ command, given, input, env, fails = false, shows = [], leaves }: Row): Promise<void> {
  const place = await site.place();
  await given?.(place);
  const ran = await place.kubectl(command.replaceAll('~', place.unique), {
    ...(input === undefined ? {} : { input }),
    ...(env ? { env } : {}),
  });
  const said = `${ran.out}${ran.err}`;
  assert.equal(ran.code !== 0, fails, `kubectl ${command}\n${said}`);
  for (const pattern of shows) assert.match(said, pattern);
  await leaves?.(place, ran);
}

describe('kubectl', { concurrency: 6 }, () => {
  for (const { rows } of sections) for (const row of rows) test(row.command, () => run(row));
});
