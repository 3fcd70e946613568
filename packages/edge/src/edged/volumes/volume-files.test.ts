// The files of volumes, how they are swapped, and paths that must not lead out.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createMemoryFiles } from '@kedge/testing/files';
import { writeAtomicDirectory } from './atomic-directory.ts';
import { resolveSubPath } from './sub-path.ts';
import { configMapFiles, isSafePath, secretFiles, type VolumeFile } from './volume-file.ts';

const text = (path: string, content: string, mode = 0o644): VolumeFile => ({
  path,
  mode,
  content: new TextEncoder().encode(content),
});

describe('a volume of files', () => {
  const write = async (
    files: ReturnType<typeof createMemoryFiles>,
    content: VolumeFile[],
    serial: string,
    group?: number,
  ) => {
    await files.makeDirectory('/v');
    return writeAtomicDirectory(files, '/v', content, { group, serial });
  };

  test('files are read through links that one rename switches', async () => {
    const files = createMemoryFiles();
    assert.equal(await write(files, [text('a', '1'), text('d/b', '2')], '1'), true);
    assert.equal(await files.readText('/v/a'), '1');
    assert.equal(await files.readText('/v/d/b'), '2');
    assert.equal(await files.readLink('/v/..data'), '..1');
    await write(files, [text('a', 'new'), text('c', '3')], '2');
    assert.equal(await files.readText('/v/a'), 'new');
    assert.equal(await files.readText('/v/c'), '3');
    assert.equal(await files.info('/v/d'), undefined);
    assert.deepEqual((await files.list('/v'))?.toSorted(), ['..2', '..data', 'a', 'c']);
  });

  test('nothing is written when nothing changed', async () => {
    const files = createMemoryFiles();
    await write(files, [text('a', '1'), text('b/c', '2')], '1');
    assert.equal(await write(files, [text('b/c', '2'), text('a', '1')], '2'), false);
    assert.equal(await files.readLink('/v/..data'), '..1');
  });

  test('a write that was cut short is done again', async () => {
    const files = createMemoryFiles();
    await files.makeDirectory('/v/..1');
    await files.append('/v/..1/a', 'hal');
    await files.symlink('..1', '/v/..data_tmp');
    await write(files, [text('a', 'half')], '2');
    assert.equal(await files.readText('/v/a'), 'half');
  });

  test('files have the mode they ask for, and their group may read them', async () => {
    const files = createMemoryFiles();
    await write(files, [text('a', '1', 0o400)], '1');
    assert.equal((await files.info('/v/..1/a'))?.mode, 0o400);
    await write(files, [text('a', '2', 0o400)], '2', 2_000);
    assert.equal((await files.info('/v/..2/a'))?.mode, 0o440);
    assert.deepEqual(files.ownerOf('/v/..2/a'), { uid: 0, gid: 2_000 });
  });
});

describe('what a ConfigMap or Secret gives a volume', () => {
  const whole = { items: undefined, mode: 0o644, optional: false };
  test('all keys, text and binary', () => {
    const files = configMapFiles({ data: { a: '1' }, binaryData: { b: 'AAE=' } }, whole);
    assert.deepEqual(files, [text('a', '1'), { path: 'b', mode: 0o644, content: Uint8Array.of(0, 1) }]);
  });
  test('chosen keys under other names and modes', () => {
    const items = [{ key: 'a', path: 'x/y', mode: 0o600 }];
    assert.deepEqual(secretFiles({ data: { a: 'MQ==', b: 'Mg==' } }, { ...whole, items }), [text('x/y', '1', 0o600)]);
  });
  test('a chosen key that is missing is a problem unless it is optional', () => {
    const items = [{ key: 'none', path: 'x' }];
    assert.equal(configMapFiles({}, { ...whole, items }), 'references non-existent key: none');
    assert.deepEqual(configMapFiles({}, { ...whole, items, optional: true }), []);
  });
  for (const path of ['', '/etc/passwd', '../x', 'a/../../x', 'a//b', './a']) {
    test(`the path "${path}" is refused`, () => assert.equal(isSafePath(path), false));
  }
});

describe('a path inside a volume', () => {
  const volume = async () => {
    const files = createMemoryFiles();
    await files.makeDirectory('/v/dir');
    await files.symlink('dir', '/v/link');
    await files.symlink('/etc', '/v/out');
    await files.symlink('../../etc', '/v/up');
    await files.symlink('loop', '/v/loop');
    return files;
  };
  const cases: [string, string | undefined][] = [
    ['dir', '/v/dir'],
    ['dir/new/deep', '/v/dir/new/deep'],
    ['link/x', '/v/dir/x'],
    ['out', undefined],
    ['up', undefined],
    ['dir/../../x', undefined],
    ['loop', undefined],
  ];
  for (const [subPath, expected] of cases) {
    test(`${subPath} ${expected ? `is ${expected}` : 'is refused'}`, async () => {
      const resolved = await resolveSubPath(await volume(), '/v', subPath);
      assert.equal('inside' in resolved ? ['/v', ...resolved.inside].join('/') : undefined, expected);
    });
  }
  test('what is missing is left to whoever mounts it', async () => {
    const files = await volume();
    await resolveSubPath(files, '/v', 'a/b');
    assert.equal(await files.info('/v/a'), undefined);
  });
});
