// What every Files must do.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { Files } from '@kedge/core/ports';
import { withCode } from './expect-error.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** `directory` gives each test an empty directory of its own. */
export function describeFiles(
  what: string,
  files: Files,
  directory: (t: TestContext) => Promise<string> = temporaryDirectory,
): void {
  describe(`files: ${what}`, () => {
    test('what is written can be read, as text and as bytes', async (t) => {
      const path = join(await directory(t), 'a');
      await files.writeAtomically(path, 'grüß');
      assert.equal(await files.readText(path), 'grüß');
      assert.deepEqual([...(await files.readBytes(path))!.subarray(0, 2)], [0x67, 0x72]);
      await files.writeAtomically(path, Uint8Array.of(1, 2));
      assert.deepEqual([...(await files.readBytes(path))!], [1, 2]);
    });

    test('a part of a file is read from its beginning or from its end', async (t) => {
      const path = join(await directory(t), 'a');
      await files.append(path, 'abcdef');
      const part = async (start: number, length: number) =>
        new TextDecoder().decode(await files.readPart(path, start, length));
      assert.equal(await part(1, 2), 'bc');
      assert.equal(await part(-2, 10), 'ef');
      assert.equal(await part(-100, 3), 'abc');
      assert.equal(await part(100, 3), '');
      assert.equal(await files.readPart(`${path}-none`, 0, 1), undefined);
    });

    test('what is not there is undefined', async (t) => {
      const path = join(await directory(t), 'nothing');
      assert.equal(await files.readText(path), undefined);
      assert.equal(await files.readBytes(path), undefined);
      assert.equal(await files.list(path), undefined);
      assert.equal(await files.info(path), undefined);
      assert.equal(await files.readLink(path), undefined);
      assert.equal(await files.readText(join(path, 'below')), undefined);
    });

    test('a write leaves no other file beside its target', async (t) => {
      const path = await directory(t);
      await files.writeAtomically(join(path, 'a'), '1');
      await files.writeAtomically(join(path, 'a'), '2');
      assert.deepEqual(await files.list(path), ['a']);
    });

    test('a write that fails leaves the old content, and nothing beside it', async (t) => {
      const path = await directory(t);
      await files.makeDirectory(join(path, 'taken', 'inside'));
      await assert.rejects(files.writeAtomically(join(path, 'taken'), 'x'), withCode('FILES_FAILED'));
      assert.deepEqual(await files.list(path), ['taken']);
    });

    test('the mode asked for is the mode set, whatever the umask', async (t) => {
      const path = await directory(t);
      await files.writeAtomically(join(path, 'a'), '', { mode: 0o666 });
      await files.makeDirectory(join(path, 'd'), { mode: 0o777 });
      assert.equal((await files.info(join(path, 'a')))?.mode, 0o666);
      assert.equal((await files.info(join(path, 'd')))?.mode, 0o777);
      await files.chmod(join(path, 'a'), 0o600);
      assert.equal((await files.info(join(path, 'a')))?.mode, 0o600);
    });

    test('append adds to the end', async (t) => {
      const path = join(await directory(t), 'log');
      await files.append(path, 'one\n');
      await files.append(path, 'two\n');
      assert.equal(await files.readText(path), 'one\ntwo\n');
    });

    test('directories come with their parents, and twice is fine', async (t) => {
      const path = join(await directory(t), 'a', 'b');
      await files.makeDirectory(path);
      await files.makeDirectory(path);
      assert.equal((await files.info(path))?.kind, 'directory');
    });

    test('info is about a link, not about what it points at', async (t) => {
      const path = await directory(t);
      await files.symlink('nowhere', join(path, 'link'));
      assert.equal((await files.info(join(path, 'link')))?.kind, 'symlink');
      assert.equal(await files.readLink(join(path, 'link')), 'nowhere');
    });

    test('a link is swapped by renaming another over it', async (t) => {
      const path = await directory(t);
      await files.symlink('one', join(path, 'data'));
      await files.symlink('two', join(path, 'data.new'));
      await files.rename(join(path, 'data.new'), join(path, 'data'));
      assert.equal(await files.readLink(join(path, 'data')), 'two');
    });

    test('remove takes files, links and whole trees, and does not mind nothing', async (t) => {
      const path = await directory(t);
      await files.makeDirectory(join(path, 'tree', 'below'));
      await files.writeAtomically(join(path, 'tree', 'below', 'file'), 'x');
      await files.writeAtomically(join(path, 'kept'), 'x');
      await files.symlink(join(path, 'kept'), join(path, 'tree', 'link'));
      await files.remove(join(path, 'tree'));
      await files.remove(join(path, 'tree'));
      assert.deepEqual(await files.list(path), ['kept']);
    });

    test('remove of a link to a directory leaves the directory', async (t) => {
      const path = await directory(t);
      await files.makeDirectory(join(path, 'real'));
      await files.writeAtomically(join(path, 'real', 'file'), 'x');
      await files.symlink(join(path, 'real'), join(path, 'link'));
      await files.remove(join(path, 'link'));
      assert.equal(await files.readText(join(path, 'real', 'file')), 'x');
    });

    test('what a tree takes of the disk is that of everything in it', async (t) => {
      const path = await directory(t);
      await files.makeDirectory(join(path, 'tree', 'below'));
      const before = await files.usedBytes(join(path, 'tree'));
      await files.writeAtomically(join(path, 'tree', 'below', 'file'), 'x'.repeat(50_000));
      await files.symlink('/', join(path, 'tree', 'everything'));
      const grown = (await files.usedBytes(join(path, 'tree'))) - before;
      assert.ok(grown >= 50_000 && grown < 200_000, `${grown} bytes`);
      assert.equal(await files.usedBytes(join(path, 'nothing')), 0);
    });

    test('measuring a tree ends on abort', async (t) => {
      const path = await directory(t);
      await assert.rejects(files.usedBytes(path, AbortSignal.abort(new Error('enough'))), /enough/);
    });

    test('space tells what a file system has and has left', async (t) => {
      const space = await files.space(await directory(t));
      assert.ok(space.totalBytes > 0 && space.freeBytes <= space.totalBytes);
      assert.ok(space.freeInodes <= space.totalInodes);
    });
  });
}
