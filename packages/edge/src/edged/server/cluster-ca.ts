// The certificate of the CA that callers of the kubelet's endpoints have to show one of: asked of the cloud, kept on
// the disk for starts without it.
import type { Files } from '@kedge/core/ports';
import type { Asks, Link } from '../ports.ts';

export interface ClusterCaDeps {
  readonly files: Pick<Files, 'readText' | 'writeAtomically' | 'makeDirectory'>;
  readonly asks: Asks;
  readonly link: Pick<Link, 'isOnline'>;
  readonly rootDirectory: string;
}

/** PEM, or undefined as long as nobody knows it. */
export function createClusterCa({ files, asks, link, rootDirectory }: ClusterCaDeps) {
  const directory = `${rootDirectory}/pki`;
  const path = `${directory}/cluster-ca.crt`;
  return async (signal: AbortSignal): Promise<string | undefined> => {
    const kept = await files.readText(path);
    if (!link.isOnline) return kept;
    const answer = await asks.ask<unknown>({ kind: 'ca.get' }, signal);
    if (!answer.ok || typeof answer.value !== 'string' || !answer.value.includes('BEGIN CERTIFICATE')) return kept;
    if (answer.value !== kept) {
      await files.makeDirectory(directory, { mode: 0o755 });
      await files.writeAtomically(path, answer.value, { mode: 0o644 });
    }
    return answer.value;
  };
}
