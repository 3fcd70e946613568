// What a running site tells other processes about itself, in one small file: `kedge up --detach` waits on it, `kedge
// status` reads it, and the next start finds out with which choices the site was made.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SiteLayout } from './layout.ts';

export interface SiteState {
  readonly phase: 'starting' | 'ready' | 'failed' | 'stopping' | 'stopped';
  /** What is being done, or why it failed. */
  readonly say: string;
  readonly node: string;
  readonly portBase: number;
  readonly sampleApplied: boolean;
  /** Absent: of a site made before there were sample devices. */
  readonly devicesApplied?: boolean;
  /** Unix milliseconds of the last change. */
  readonly at: number;
}

const fileOf = (layout: SiteLayout): string => join(layout.data, 'site.json');

export async function readSiteState(layout: SiteLayout): Promise<SiteState | undefined> {
  try {
    return JSON.parse(await readFile(fileOf(layout), 'utf8')) as SiteState;
  } catch {
    return undefined;
  }
}

export async function writeSiteState(layout: SiteLayout, state: Omit<SiteState, 'at'>): Promise<void> {
  const file = fileOf(layout);
  await writeFile(`${file}.new`, `${JSON.stringify({ ...state, at: Date.now() }, undefined, 2)}\n`);
  await rename(`${file}.new`, file);
}
