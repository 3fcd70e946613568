// A host without CAP_SYS_RESOURCE, such as a container, cannot lower OOM scores nor give that capability to a privileged
// container. containerd minds both; CRI-O does not, so its OCI runtime gets a script in front that asks for neither.
import { readFileSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';

const sysResource = 1n << 24n;

const hasSysResource = (): boolean => {
  const [, effective = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return (BigInt(`0x${effective}`) & sysResource) !== 0n;
};

/** The path to give to CRI-O: `ociRuntime` itself, or `script`, which is written. */
export async function runtimeForThisHost(ociRuntime: string, script: string): Promise<string> {
  if (hasSysResource()) return ociRuntime;
  const lowest = readFileSync('/proc/self/oom_score_adj', 'utf8').trim();
  const edits = `s/"oomScoreAdj": *-[0-9]*/"oomScoreAdj": ${lowest}/; /"CAP_SYS_RESOURCE",$/d`;
  const text = `#!/bin/sh
previous=
for argument; do
  if [ "$previous" = --bundle ]; then sed -i '${edits}' "$argument/config.json"; fi
  previous=$argument
done
exec '${ociRuntime}' "$@"
`;
  await writeFile(script, text);
  await chmod(script, 0o755);
  return script;
}
