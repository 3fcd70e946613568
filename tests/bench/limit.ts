// The smallest memory limit of a cgroup in which edgecore keeps its node Ready while a hundred pods come and go.
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Contender, contenders } from './contenders.ts';
import { podStarts, removePods } from './pods.ts';
import { processFigures, round } from './process-figures.ts';
import { printTable } from './table.ts';
import { eventually } from '../e2e/harness/run.ts';

const stepMB = 2;
const highestMB = 128;
const lowestMB = 8;
const batches = 10;
const atOnce = 10;
/** A node that runs ten pods in more than this is of no use, whatever its condition says. */
const batchLimitMs = 60_000;
const readyLimitMs = 60_000;

const nodes = { group: '', version: 'v1', resource: 'nodes' };

/** A memory cgroup, of either version. */
class MemoryCgroup {
  private readonly v1 = existsSync('/sys/fs/cgroup/memory/memory.limit_in_bytes');
  readonly folder: string;

  constructor(name: string) {
    this.folder = this.v1 ? `/sys/fs/cgroup/memory/${name}` : `/sys/fs/cgroup/${name}`;
  }

  async make(): Promise<void> {
    if (!this.v1) await writeFile('/sys/fs/cgroup/cgroup.subtree_control', '+memory');
    await mkdir(this.folder, { recursive: true });
  }

  /** While nothing runs in it: version 1 refuses less than what is in use. */
  async limit(megabytes: number): Promise<void> {
    if (this.v1) await writeFile(join(this.folder, 'memory.force_empty'), '0');
    const file = this.v1 ? 'memory.limit_in_bytes' : 'memory.max';
    await writeFile(join(this.folder, file), String(megabytes * 2 ** 20));
  }

  /** Processes that the kernel has killed in it so far. */
  async kills(): Promise<number> {
    const text = await readFile(join(this.folder, this.v1 ? 'memory.oom_control' : 'memory.events'), 'utf8');
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
  }

  /** Once nothing runs in it. */
  async remove(): Promise<void> {
    await eventually('the cgroup to be empty', () => rmdir(this.folder).then(() => true));
  }
}

async function isReady({ api, node }: Contender): Promise<boolean> {
  const { status } = (await api.get(nodes, { name: node })) as {
    status?: { conditions?: readonly { type: string; status: string }[] };
  };
  return status?.conditions?.some(({ type, status: state }) => type === 'Ready' && state === 'True') ?? false;
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = new AbortController();
  const timeout = pause(ms, undefined, { signal: late.signal }).then(
    () => Promise.reject(new Error(`not within ${ms / 1_000} s`)),
    () => new Promise<never>(() => undefined),
  );
  return Promise.race([work, timeout]).finally(() => late.abort());
}

/** What went wrong within the limit, if anything. */
async function churn(contender: Contender, cgroup: MemoryCgroup, limitMB: number): Promise<string | undefined> {
  const killsBefore = await cgroup.kills();
  await contender.restartEdge(() => cgroup.limit(limitMB));
  const { pid } = contender;
  const state = async (): Promise<string | undefined> => {
    if ((await cgroup.kills()) > killsBefore) return 'killed for memory';
    if (contender.pid !== pid) return 'ended';
    return (await isReady(contender)) ? undefined : 'not Ready';
  };
  // Before the first heartbeat the node may still be Ready from the process before: pods tell.
  for (let batch = 0; batch < batches; batch++) {
    const names = Array.from({ length: atOnce }, (_, n) => `churn-${limitMB}-${batch}-${n}`);
    const limitMs = batch === 0 ? batchLimitMs + readyLimitMs : batchLimitMs;
    const slow = await within(
      limitMs,
      podStarts(contender.api, names).then(() => removePods(contender.api, names)),
    ).then(
      () => undefined,
      (error: Error) => error.message,
    );
    const wrong = (await state()) ?? slow;
    if (wrong !== undefined) return `${wrong}, batch ${batch + 1}`;
  }
  return undefined;
}

/** Halves the distance between a limit that is enough and one that is not. */
async function smallestLimit(contender: Contender, cgroup: MemoryCgroup): Promise<(string | number)[]> {
  let enough = highestMB;
  let tooLittle = lowestMB;
  let rssMB = Number.NaN;
  let why = '';
  while (enough - tooLittle > stepMB) {
    const tried = tooLittle + Math.round((enough - tooLittle) / 2 / stepMB) * stepMB;
    const wrong = await churn(contender, cgroup, tried);
    process.stderr.write(`${contender.name} in ${tried} MB: ${wrong ?? 'Ready throughout'}\n`);
    if (wrong === undefined) {
      enough = tried;
      rssMB = processFigures(contender.pid).rssMB;
    } else {
      tooLittle = tried;
      why = wrong;
      await recover(contender, cgroup);
    }
  }
  return [contender.name, enough, round(rssMB), `${tooLittle} MB: ${why}`];
}

/** With memory enough, so that the next try begins with a node that is Ready and has no pods. */
async function recover(contender: Contender, cgroup: MemoryCgroup): Promise<void> {
  await contender.restartEdge(() => cgroup.limit(highestMB * 2));
  const { api } = contender;
  const { items } = await api.list({ group: '', version: 'v1', resource: 'pods' }, { namespace: 'default' });
  await within(
    readyLimitMs * 2,
    removePods(
      api,
      items.map(({ metadata }) => metadata?.name ?? ''),
    ),
  );
  await eventually('the node to be Ready', () => isReady(contender), readyLimitMs);
}

export async function benchLimit(): Promise<void> {
  const rows: (string | number)[][] = [];
  for (const open of contenders()) {
    const cgroup = new MemoryCgroup(`kedge-bench-${process.pid}`);
    await cgroup.make();
    try {
      await cgroup.limit(highestMB * 2);
      const contender = await open({ edgeCgroup: cgroup.folder });
      try {
        rows.push(await smallestLimit(contender, cgroup));
      } finally {
        await contender.remove();
      }
    } finally {
      await cgroup.remove();
    }
  }
  const columns = ['', 'enough, MB', 'RSS in it, MB', 'not enough'];
  printTable(`Smallest memory limit for ${batches * atOnce} pods that come and go, ${atOnce} at once`, columns, rows);
}
