// The file system keeps the contract of files, and removal never reaches into a mount.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createFiles } from '@kedge/platform/node';
import { describeFiles, temporaryDirectory, withCode } from '@kedge/testing/contracts';

const files = createFiles();

describeFiles('the file system', files);

const root = process.getuid?.() === 0;

for (const [what, ...mount] of [
  ['a file system of its own', '-t', 'tmpfs', 'tmpfs'],
  ['a bind mount of the same file system', '--bind', 'SOURCE'],
]) {
  test(`remove stops at ${what}, and leaves the tree as it was`, { skip: root ? false : 'needs root' }, async (t) => {
    const directory = await temporaryDirectory(t);
    const [source, tree] = [join(directory, 'source'), join(directory, 'tree')];
    const inside = join(tree, 'volumes', 'with space');
    mkdirSync(source);
    mkdirSync(inside, { recursive: true });
    writeFileSync(join(tree, 'a'), '');
    execFileSync('mount', [...mount.map((part) => (part === 'SOURCE' ? source : part)), inside]);
    try {
      writeFileSync(join(inside, 'precious'), 'x');
      await assert.rejects(files.remove(tree), withCode('FILES_MOUNTED'));
      await assert.rejects(files.remove(inside), withCode('FILES_MOUNTED'));
      assert.equal(await files.readText(join(inside, 'precious')), 'x');
      assert.deepEqual(await files.list(tree), ['a', 'volumes']);
    } finally {
      execFileSync('umount', [inside]);
    }
    await files.remove(tree);
    assert.equal(await files.info(tree), undefined);
  });
}
