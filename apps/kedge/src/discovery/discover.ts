// `kedge device discover`: from here or from a node, and what was found as objects to review and apply.
import { createLog } from '@kedge/core/log';
import { createRandom, onTermination, systemClock, writeToStandardError } from '@kedge/platform/node';
import { sayOnStandardError, withNodeAccess } from '../node-pod/node-access.ts';
import { runOnNode } from '../node-pod/run-on-node.ts';
import { defaultNodeName } from '../site/node-name.ts';
import { type Found, searchHere, type SearchRequest } from './search-here.ts';
import { readSearchLog, searchPod } from './search-pod.ts';
import { toYaml } from './to-yaml.ts';

export interface DiscoverOptions {
  readonly request: SearchRequest;
  /** Search from there; undefined: from here. */
  readonly node: string | undefined;
  readonly namespace: string;
  readonly image: string | undefined;
  readonly kubeconfig: string | undefined;
  readonly data: string;
  readonly output: 'yaml' | 'json';
}

/** Exit code 1: nothing was found. */
export async function discover(options: DiscoverOptions): Promise<number> {
  const { request, node, namespace, output } = options;
  const termination = onTermination();
  let count = 0;
  const print = ({ protocol, found }: Found): void => {
    count += 1;
    if (output === 'json') return void process.stdout.write(`${JSON.stringify({ protocol, found })}\n`);
    process.stdout.write(toYaml({ protocol, found }, { node: node ?? defaultNodeName(), namespace }));
  };
  try {
    if (node === undefined) {
      const log = createLog({ now: systemClock.now, write: writeToStandardError, level: 'warn' });
      for await (const one of searchHere(request, log, termination.signal)) print(one);
    } else {
      for (const one of await fromNode(options, node, termination.signal)) print(one);
    }
  } finally {
    termination.stop();
  }
  if (output === 'json') return 0;
  if (count === 0) process.stderr.write('nothing was found\n');
  return count === 0 ? 1 : 0;
}

function fromNode(options: DiscoverOptions, node: string, signal: AbortSignal): Promise<readonly Found[]> {
  const { request, namespace } = options;
  return withNodeAccess(options, 'kedge-discover', async ({ api, image, prepare }) => {
    await prepare(node);
    const name = `kedge-discover-${createRandom().uuid().slice(0, 8)}`;
    const pod = searchPod({ name, namespace, node, image, request });
    const run = { api, pod, instead: 'kedge device discover', say: sayOnStandardError };
    const { ok, why, log } = await runOnNode(run, signal);
    const { found, rest } = readSearchLog(log);
    for (const line of rest) sayOnStandardError(line);
    if (!ok) throw new Error(`the search on node ${node} failed${why === '' ? '' : `: ${why}`}`);
    return found;
  });
}
