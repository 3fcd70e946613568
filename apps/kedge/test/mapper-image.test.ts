// The image of the mappers: which files of packages go in, and the DaemonSet.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryDirectory } from '@kedge/testing/contracts';
import { parseAllDocuments } from 'yaml';
import { mapperManifest } from '../src/image/mapper-manifest.ts';
import { packageFiles } from '../src/image/package-files.ts';

describe('files of npm packages', () => {
  test('are those that run, with all that they depend on', async (t) => {
    const root = await temporaryDirectory(t);
    const put = async (path: string, content: unknown = ''): Promise<void> => {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), JSON.stringify(content));
    };
    await put('node_modules/a/package.json', { dependencies: { b: '1' }, optionalDependencies: { absent: '1' } });
    await put('node_modules/a/index.js');
    await put('node_modules/a/index.d.ts');
    await put('node_modules/a/README.md');
    await put('node_modules/a/test/x.js');
    await put('node_modules/a/node_modules/b/package.json', { dependencies: { a: '1' } });
    await put('node_modules/a/node_modules/b/lib/b.cjs');
    await put('node_modules/b/package.json');
    await put(`node_modules/a/prebuilds/linux-${process.arch}/x.node`);
    await put('node_modules/a/prebuilds/win32-mips/x.node');
    assert.deepEqual(await packageFiles(root, ['a']), [
      'node_modules/a/index.js',
      'node_modules/a/node_modules/b/lib/b.cjs',
      'node_modules/a/node_modules/b/package.json',
      'node_modules/a/package.json',
      `node_modules/a/prebuilds/linux-${process.arch}/x.node`,
    ]);
    await assert.rejects(packageFiles(root, ['missing']), /"missing" is not installed/);
  });
});

describe('the DaemonSet of a mapper', () => {
  interface DaemonSet {
    spec: {
      template: {
        spec: {
          nodeSelector: Record<string, string>;
          containers: { args: string[]; volumeMounts: { mountPath: string }[] }[];
          volumes: { hostPath?: { path: string } }[];
        };
      };
    };
  }

  test('runs where the label is, beside the socket of edgecore', () => {
    const options = {
      protocol: 'modbus',
      image: 'mapper:1',
      namespace: 'plant',
      dataDirectory: '/var/lib/m',
      restPort: 7_777,
    };
    const text = mapperManifest({ ...options, dmiSocket: '/etc/kubeedge/dmi.sock' });
    const [config, daemonSet] = parseAllDocuments(text).map((one) => one.toJS() as unknown);
    const { spec } = (daemonSet as DaemonSet).spec.template;
    assert.deepEqual(spec.nodeSelector, { 'mapper.kedge.io/modbus': 'true' });
    assert.deepEqual(spec.containers[0]!.args, ['mapper', 'modbus', '--config-file', '/etc/mapper/config.yaml']);
    assert.equal(spec.containers[0]!.volumeMounts[1]!.mountPath, '/etc/kubeedge');
    assert.equal(spec.volumes[1]!.hostPath!.path, '/etc/kubeedge');
    assert.match(JSON.stringify(config), /socket_path: \/etc\/kubeedge\/modbus-mapper.sock/);
    assert.doesNotMatch(text, /&a1|\*a1/);
  });
});
