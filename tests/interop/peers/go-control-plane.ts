// Starts kube-controller-manager and kube-scheduler from the folder that $PEERS names, against the API of a kubeconfig.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findPeer } from './go-cloudcore.ts';

export interface GoControlPlane {
  /** Names of the programs that have ended by themselves; none is meant to. */
  ended(): readonly string[];
  log(): string;
  stop(): Promise<void>;
}

const names = ['kube-controller-manager', 'kube-scheduler'] as const;

/** Why they cannot be started; undefined when both are there. */
export function goControlPlaneMissing(): string | undefined {
  const absent = names.map((name) => findPeer(name)).find((found) => 'missing' in found);
  return absent && 'missing' in absent ? absent.missing : undefined;
}

/** `pki`: where the API server keeps its keys; `folder`: where logs go. */
export function startGoControlPlane(options: { kubeconfig: string; pki: string; folder: string }): GoControlPlane {
  const { kubeconfig, pki, folder } = options;
  const shared = [`--kubeconfig=${kubeconfig}`, '--kube-api-content-type=application/json', '--secure-port=0'];
  const own: Record<(typeof names)[number], readonly string[]> = {
    'kube-controller-manager': [
      `--service-account-private-key-file=${join(pki, 'sa.key')}`,
      `--root-ca-file=${join(pki, 'ca.crt')}`,
      `--cluster-signing-cert-file=${join(pki, 'ca.crt')}`,
      `--cluster-signing-key-file=${join(pki, 'ca.key')}`,
      '--use-service-account-credentials=true',
    ],
    'kube-scheduler': [],
  };
  const logOf = (name: string): string => join(folder, `${name}.log`);
  const children = names.map((name): [string, ChildProcess] => {
    const found = findPeer(name);
    if ('missing' in found) throw new Error(found.missing);
    const log = openSync(logOf(name), 'a');
    const child = spawn(found.path, [...shared, ...own[name]], { cwd: folder, stdio: ['ignore', log, log] });
    closeSync(log);
    return [name, child];
  });
  const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    ended: () => children.filter(([, child]) => hasEnded(child)).map(([name]) => name),
    log: () => names.map((name) => `--- ${name}\n${readFileSync(logOf(name), 'utf8').slice(-4_000)}`).join('\n'),
    async stop() {
      for (const [, child] of children) {
        if (hasEnded(child)) continue;
        const gone = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        await gone;
      }
    },
  };
}
