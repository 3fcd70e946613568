// A part of a volume is mounted by what was opened: links inside lead nowhere, and what is missing is made. Needs root.
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { createMounts } from '@kedge/platform/linux';
import { createProcesses } from '@kedge/platform/node';
import { withCode } from '@kedge/testing/contracts';

const skip = process.getuid?.() === 0 ? false : 'not root';

async function place(t: TestContext) {
  const mounts = createMounts(createProcesses());
  const directory = await mkdtemp(join(tmpdir(), 'kedge-test-'));
  t.after(async () => {
    // What is mounted in it would go with it.
    for (const mount of await mounts.below(directory)) await mounts.unmount(mount);
    await rm(directory, { recursive: true, force: true });
  });
  const root = `${directory}/volume`;
  await mkdir(`${root}/dir`, { recursive: true });
  await chmod(root, 0o2777);
  await writeFile(`${root}/dir/file`, 'inside');
  await symlink('/etc', `${root}/out`);
  await symlink('dir', `${root}/link`);
  return { mounts, root, target: `${directory}/shown/0`, directory };
}

describe('a part of a volume', { skip }, () => {
  test('is a directory, and what is written there later is seen', async (t) => {
    const { mounts, root, target } = await place(t);
    await mounts.bindBelow(root, ['dir'], target);
    await writeFile(`${root}/dir/later`, 'as well');
    assert.deepEqual(
      [await readFile(`${target}/file`, 'utf8'), await readFile(`${target}/later`, 'utf8')],
      ['inside', 'as well'],
    );
  });

  test('is a file', async (t) => {
    const { mounts, root, target } = await place(t);
    await mounts.bindBelow(root, ['dir', 'file'], target);
    assert.equal(await readFile(target, 'utf8'), 'inside');
  });

  test('takes the place of what was shown there, of either kind', async (t) => {
    const { mounts, root, target } = await place(t);
    await mounts.bindBelow(root, ['dir'], target);
    await mounts.bindBelow(root, ['dir', 'file'], target);
    assert.equal(await readFile(target, 'utf8'), 'inside');
    await mounts.bindBelow(root, [], target);
    assert.equal(await readFile(`${target}/dir/file`, 'utf8'), 'inside');
    assert.deepEqual(await mounts.below(target), [target]);
  });

  test('is made where it is missing, as open as its volume', async (t) => {
    const { mounts, root, target } = await place(t);
    await mounts.bindBelow(root, ['a', 'b'], target);
    for (const path of [`${root}/a`, `${root}/a/b`]) assert.equal((await stat(path)).mode & 0o7777, 0o2777);
  });

  for (const path of [['out'], ['out', 'ssl'], ['link'], ['link', 'file'], ['link', 'new']])
    test(`is refused by a link on the way: ${path.join('/')}`, async (t) => {
      const { mounts, root, target, directory } = await place(t);
      await assert.rejects(mounts.bindBelow(root, path, target), withCode('MOUNT_LINK_INSIDE'));
      assert.deepEqual(await mounts.below(directory), []);
    });
});
