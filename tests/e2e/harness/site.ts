// A whole site for one test file, started as a user would: `kedge up --detach`.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { containerdSite } from '@kedge/platform/containerd';
import { type Kubectl, kubectlFor } from './kubectl.ts';
import { freePortBase } from './ports.ts';
import { kedgeProgram, type Ran, run } from './run.ts';

export interface TestSite {
  readonly data: string;
  readonly node: string;
  readonly portBase: number;
  readonly kubectl: Kubectl;
  /** Texts by which anything of this site on the host can be recognised. */
  readonly marks: readonly string[];
  kedge(...args: string[]): Promise<Ran>;
  up(): Promise<Ran>;
  down(): Promise<Ran>;
  /** Logs of all daemons, for failure messages. */
  logs(): Promise<string>;
  remove(): Promise<void>;
}

/**
 * Without the sample devices, unless they are asked for: most tests have no use for them. `anyRuntime`: edgecore runs on what it
 * chooses, whatever the group of tests says.
 */
export async function createTestSite(name: string, { devices = false, anyRuntime = false } = {}): Promise<TestSite> {
  const parent = await mkdtemp(join(tmpdir(), `kedge-${name}-`));
  const data = join(parent, 'site');
  const portBase = await freePortBase();
  const node = `edge-${name}`;
  const env = anyRuntime ? { KEDGE_EDGE_RUNTIME: '' } : {};
  const kedge = (...args: string[]): Promise<Ran> => run(kedgeProgram, args, { timeoutMs: 300_000, env });
  const runtime = containerdSite(join(data, 'containerd'));
  const options = ['--detach', '--data', data, '--node', node, '--port-base', String(portBase)];
  if (!devices) options.push('--no-devices');
  return {
    data,
    node,
    portBase,
    kubectl: kubectlFor(join(data, 'kubeconfig'), parent),
    marks: [data, runtime.cgroupRoot.slice(1), runtime.bridge],
    kedge,
    up: () => kedge('up', ...options),
    down: () => kedge('down', '--data', data),
    async logs() {
      const texts = [
        'kedge',
        'apiserver',
        'cloudcore',
        'edgecore',
        'simulated-thermostat',
        'modbus-mapper',
        'simulated-tank',
        'opcua-mapper',
      ].map(async (part) => {
        const text = await readFile(join(data, 'logs', `${part}.log`), 'utf8').catch(() => '');
        return `--- ${part}\n${text.split('\n').slice(-40).join('\n')}`;
      });
      return (await Promise.all(texts)).join('\n');
    },
    async remove() {
      await kedge('down', '--data', data);
      await rm(parent, { recursive: true, force: true });
    },
  };
}
