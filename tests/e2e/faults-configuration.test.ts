// Configuration as people get it wrong: what the daemons say, and with which exit code. And as they get it right: what
// the daemons print is taken back.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { kedgeProgram, type Ran, run } from './harness/run.ts';

const unusable = 1;
const misused = 2;

const headOf = {
  cloudcore: 'apiVersion: cloudcore.config.kubeedge.io/v1alpha1\nkind: CloudCore\n',
  edgecore: 'apiVersion: edgecore.config.kubeedge.io/v1alpha2\nkind: EdgeCore\n',
} as const;
type Daemon = keyof typeof headOf;
const daemons = Object.keys(headOf) as Daemon[];

describe('a configuration', () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kedge-configuration-'));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  const kedge = (...args: string[]): Promise<Ran> => run(kedgeProgram, args, { timeoutMs: 20_000, cwd: directory });
  async function startWith(daemon: Daemon, text: string | Uint8Array): Promise<Ran> {
    await writeFile(join(directory, 'given.yaml'), text);
    return kedge(daemon, '--config', 'given.yaml');
  }

  it('names an unknown key by its path, and the nearest known one', async () => {
    const cloud = await startWith('cloudcore', `${headOf.cloudcore}modules:\n  cloudHub:\n    nodeLimt: 5\n`);
    assert.equal(cloud.code, unusable);
    assert.match(
      cloud.stderr,
      /given\.yaml: modules\.cloudHub\.nodeLimt is not a known key; did you mean "nodeLimit"\?/,
    );
    const kubelet = 'modules:\n  edged:\n    tailoredKubeletConfig:\n      cgroupDrvier: systemd\n';
    const edge = await startWith('edgecore', headOf.edgecore + kubelet);
    assert.equal(edge.code, unusable);
    const path = 'modules.edged.tailoredKubeletConfig.cgroupDrvier';
    assert.ok(edge.stderr.includes(`${path} is not a known key; did you mean "cgroupDriver"?`), edge.stderr);
  });

  it('is told of all its mistakes at once', async () => {
    const text =
      'apiVersion: edgecore.config.kubeedge.io/v9\nkind: EdgeCore\nmodules:\n  edgeHub:\n    heartbeat: often\n    tokn: x\n';
    const { code, stderr } = await startWith('edgecore', text);
    assert.equal(code, unusable);
    for (const path of ['apiVersion', 'modules.edgeHub.heartbeat', 'modules.edgeHub.tokn']) {
      assert.ok(stderr.includes(path), `${path} in:\n${stderr}`);
    }
  });

  for (const daemon of daemons) {
    it(`that ${daemon} cannot read, or that is not YAML, is refused in a sentence`, async () => {
      const missing = await kedge(daemon, '--config', 'nowhere.yaml');
      assert.equal(missing.code, misused);
      assert.match(missing.stderr, /nowhere\.yaml cannot be read; --minconfig prints a configuration/);
      const unspoken = await kedge(daemon);
      assert.equal(unspoken.code, misused);
      assert.match(unspoken.stderr, /needs --config FILE/);
      const broken = await startWith(daemon, 'modules: [\n  - cloudHub: }\n');
      assert.equal(broken.code, misused);
      assert.match(broken.stderr, /given\.yaml is not YAML: .* line 2/);
      const rubbish: [string | Uint8Array, RegExp][] = [
        ['[1, 2]', /given\.yaml: is a list, needs keys and values/],
        [new Uint8Array([0, 1, 0xff, 0xfe]), /given\.yaml/],
        [`${headOf[daemon]}modules: 7\n`, /modules/],
        [`${headOf[daemon]}? {a: b}\n: c\n`, /given\.yaml/],
        ['a: &a [*a, *a]\n', /given\.yaml/],
        [`${'a: {'.repeat(3_000)}${'}'.repeat(3_000)}`, /given\.yaml/],
      ];
      for (const [text, say] of rubbish) {
        const { code, stderr } = await startWith(daemon, text);
        assert.ok(code === unusable || code === misused, `code ${code}`);
        assert.match(stderr, say);
        assert.doesNotMatch(stderr, /^\s+at .*\(/m, 'no stack trace');
        assert.ok(stderr.length < 4_000, `${stderr.length} bytes of complaint`);
      }
    });

    it(`that ${daemon} prints is taken back`, async () => {
      for (const flag of ['--defaultconfig', '--minconfig']) {
        const printed = await kedge(daemon, flag);
        assert.equal(printed.code, 0);
        // So that nothing is kept outside of the test: the daemon gets as far as its first need of this machine.
        const notADirectory = join(directory, 'file');
        await writeFile(notADirectory, '');
        const text = printed.stdout
          .replaceAll('/var/lib/kubeedge', notADirectory)
          .replaceAll('/etc/kubeedge', join(directory, 'etc'));
        const { code, stderr } = await startWith(daemon, text);
        assert.equal(code, 1);
        assert.doesNotMatch(stderr, /CONFIG_/);
        assert.match(stderr, daemon === 'cloudcore' ? /set kubeAPIConfig\.kubeConfig/ : /cannot open the database/);
      }
    });
  }

  it('has flags that are checked too', async () => {
    for (const args of [
      ['cloudcore', '--cnfig', 'x'],
      ['edgecore', '--cnfig'],
      ['up', '--port-base', '99'],
      ['nothing'],
    ]) {
      const { code, stderr } = await kedge(...args);
      assert.equal(code, misused, args.join(' '));
      assert.match(stderr, /^kedge/);
    }
  });
});
