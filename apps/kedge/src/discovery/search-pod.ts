// The pod that searches from a node: what it is, and what to make of what it wrote. Pure.
import type { Pod } from '@kedge/model/k8s-types';
import { CommandLineError } from '../commands/command-line-error.ts';
import { nodePod } from '../node-pod/node-pod.ts';
import type { Found, SearchRequest } from './search-here.ts';

export interface SearchPodOptions {
  readonly name: string;
  readonly namespace: string;
  readonly node: string;
  readonly image: string;
  readonly request: SearchRequest;
}

const task = { label: 'kedge-discover', container: 'search' };
const longestSeconds = 1_800;

/** Throws for options that are nobody else's business: whoever may read pods reads their arguments. */
export function searchPod({ request, ...where }: SearchPodOptions): Pod {
  const { protocol, options } = request;
  if (options['password'] !== undefined) {
    throw new CommandLineError(
      'a password would be readable in the pod that searches: search without one, or on the node itself (without --node)',
    );
  }
  const words = [
    ...(protocol === undefined ? [] : [protocol]),
    ...Object.entries(options).map((entry) => entry.join('=')),
  ];
  const args = ['device', 'discover', ...words, '--output', 'json'];
  return nodePod({ ...where, task, args, longestSeconds, serial: options['serial'] });
}

/** Standard output and standard error of a container are one log: what was found, and the rest. */
export function readSearchLog(log: string): { readonly found: readonly Found[]; readonly rest: readonly string[] } {
  const found: Found[] = [];
  const rest: string[] = [];
  for (const line of log.split('\n')) {
    if (line.trim() === '') continue;
    const one = parseFound(line);
    if (one) found.push(one);
    else rest.push(line);
  }
  return { found, rest };
}

function parseFound(line: string): Found | undefined {
  if (!line.startsWith('{"protocol":')) return undefined;
  try {
    const { protocol, found } = JSON.parse(line) as Partial<Found>;
    const isWhole = typeof protocol === 'string' && typeof found?.name === 'string' && Array.isArray(found.properties);
    return isWhole ? { protocol, found } : undefined;
  } catch {
    return undefined;
  }
}
