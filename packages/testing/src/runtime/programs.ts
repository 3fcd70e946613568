// Which programs of the host a test can use.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Its path; undefined when no folder of PATH has it. */
export const findProgram = (name: string): string | undefined =>
  (process.env['PATH'] ?? '')
    .split(':')
    .map((directory) => join(directory, name))
    .find(existsSync);

/** Why what needs root, these programs and a static busybox cannot be run here; undefined when it can. */
export function programsMissing(names: readonly string[]): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  const missing = names.filter((name) => !findProgram(name));
  if (!existsSync('/bin/busybox')) missing.push('/bin/busybox (busybox-static)');
  return missing.length > 0 ? `not on this host: ${missing.join(', ')}` : undefined;
}
