// The executable as a user meets it: help, mistakes, and what it says without a site.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, describe, it } from 'node:test';

const kedge = fileURLToPath(new URL('../../../bin/kedge', import.meta.url));
const empty = mkdtempSync(join(tmpdir(), 'kedge-empty-'));
after(() => rmSync(empty, { recursive: true, force: true }));

function run(...args: string[]): { code: number; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(kedge, args, { encoding: 'utf8' });
  return { code: status ?? -1, stdout, stderr };
}

describe('kedge', () => {
  it('lists its commands', () => {
    const { code, stdout } = run('help');
    assert.equal(code, 0);
    for (const command of ['up', 'down', 'status', 'cloudcore', 'edgecore', 'doctor', 'version']) {
      assert.match(stdout, new RegExp(`kedge ${command}`));
    }
    assert.equal(run().code, 2);
    assert.match(run('up', '--help').stdout, /--port-base N/);
    assert.match(run('edgecore', '--help').stdout, /--minconfig/);
  });

  it('tells its version everywhere', () => {
    for (const args of [['version'], ['--version'], ['cloudcore', '--version'], ['edgecore', '--version']]) {
      assert.match(run(...args).stdout, /^kedge \d+\.\d+\.\d+ \(node 24\./);
    }
  });

  for (const [args, complaint] of [
    [['fly'], /no command "fly"/],
    [['up', '--fast'], /--fast/],
    [['up', '--port-base', '1'], /1024 to 64000/],
    [['status', '-o', 'xml'], /only json/],
    [['cloudcore'], /--config FILE/],
    [['edgecore'], /--config FILE/],
    [['apiserver'], /--config FILE/],
    [['edgecore', '--config', '/nonexistent/edgecore.yaml'], /cannot be read/],
  ] as const) {
    it(`answers "${args.join(' ')}" with exit code 2 and what is wrong`, () => {
      const { code, stderr } = run(...args);
      assert.equal(code, 2, stderr);
      assert.match(stderr, complaint);
    });
  }

  it('says where there is no site', () => {
    const nowhere = join(empty, 'none');
    for (const command of ['down', 'status']) {
      const { code, stderr } = run(command, '--data', nowhere);
      assert.equal(code, 1);
      assert.match(stderr, /there is no site in/);
    }
  });

  it('examines the host', () => {
    const { code, stdout } = run('doctor');
    assert.match(stdout, /containerd/);
    assert.match(stdout, code === 0 ? /this host can run an edge node/ : /missing/);
  });

  it('prints configurations to start from', () => {
    assert.match(run('cloudcore', '--minconfig').stdout, /kind: CloudCore/);
    assert.match(run('edgecore', '--defaultconfig').stdout, /kind: EdgeCore/);
  });
});
