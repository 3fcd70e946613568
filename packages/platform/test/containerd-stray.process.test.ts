// Daemons that nobody knows of: whoever started one may have been killed before it could write down which.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { containerdPid, containerdSite, removeContainerd, writeContainerdConfig } from '@kedge/platform/containerd';
import { containerdMissing } from '@kedge/testing/runtime';

test(
  'a daemon without a pid file, still starting, is found and ends with its site',
  { skip: containerdMissing() },
  async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'kedge-stray-'));
    t.after(() => rm(directory, { recursive: true, force: true }));
    const site = containerdSite(join(directory, 'containerd'));
    await writeContainerdConfig(site);
    const strays = [1, 2].map(() =>
      spawn('containerd', ['--config', site.configFile], { detached: true, stdio: 'ignore' }),
    );
    const ended = Promise.all(strays.map((stray) => once(stray, 'exit')));
    await Promise.all(strays.map((stray) => once(stray, 'spawn')));
    assert.ok(strays.map(({ pid }) => pid).includes(await containerdPid(site)));
    assert.deepEqual(await removeContainerd(site), []);
    await ended;
    assert.equal(await containerdPid(site), undefined);
  },
);
