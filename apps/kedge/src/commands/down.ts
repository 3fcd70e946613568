// `kedge down`: stops a site from outside, also one whose supervisor was killed.
import { existsSync } from 'node:fs';
import { containerdSite, stopContainerd } from '@kedge/platform/containerd';
import { siteLayout } from '../site/layout.ts';
import { liveProcesses, stopProcess } from '../site/pid-files.ts';
import { readSiteState, writeSiteState } from '../site/site-state.ts';

const supervisorGraceMs = 90_000;
const daemonGraceMs = 15_000;

export async function down(values: Readonly<Record<string, string | boolean | undefined>>): Promise<number> {
  const layout = siteLayout(String(values['data'] ?? './.kedge'));
  if (!existsSync(layout.data)) {
    process.stderr.write(`kedge down: there is no site in ${layout.data}\n`);
    return 1;
  }
  const supervisor = (await liveProcesses(layout.run)).find(({ name }) => name === 'kedge');
  if (supervisor) await stopProcess(supervisor, supervisorGraceMs);
  // What a killed supervisor left: the edge before the rest, so that it does not mend what is being taken down.
  const rest = [...(await liveProcesses(layout.run))].sort((a) => (a.name === 'edgecore' ? -1 : 1));
  for (const known of rest) await stopProcess(known, daemonGraceMs);
  const left = existsSync(layout.containerd) ? await stopContainerd(containerdSite(layout.containerd)) : [];
  const state = await readSiteState(layout);
  if (state) await writeSiteState(layout, { ...state, phase: 'stopped', say: 'stopped' });
  for (const what of left) process.stderr.write(`kedge down: could not take away ${what}\n`);
  process.stdout.write(left.length === 0 ? `kedge: stopped; the state stays in ${layout.data}\n` : '');
  return left.length === 0 ? 0 : 1;
}
