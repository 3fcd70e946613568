// Processors for containers that want whole ones to themselves: as near to each other as can be. Pure.
// Source: "CPU Management Policies on the Node" in the Kubernetes documentation (static policy).

export interface Processor {
  readonly cpu: number;
  readonly core: number;
  readonly socket: number;
}

/** Undefined when there are not as many. Whole sockets first, then whole cores, then what is left over of others. */
export function takeCpus(
  free: ReadonlySet<number>,
  count: number,
  topology: readonly Processor[],
): ReadonlySet<number> | undefined {
  if (free.size < count) return undefined;
  const taken = new Set<number>();
  const isFree = ({ cpu }: Processor): boolean => free.has(cpu) && !taken.has(cpu);
  const groups = (key: (one: Processor) => string): Processor[][] => {
    const found = new Map<string, Processor[]>();
    for (const one of topology) found.set(key(one), [...(found.get(key(one)) ?? []), one]);
    return [...found.values()];
  };
  const freeIn = (socket: number): number => topology.filter((one) => one.socket === socket && isFree(one)).length;
  /** A socket that is begun is used up before another one is. */
  const nearest = (a: Processor, b: Processor): number =>
    Number(isBegun(b.socket)) - Number(isBegun(a.socket)) || freeIn(a.socket) - freeIn(b.socket) || a.cpu - b.cpu;
  const isBegun = (socket: number): boolean => topology.some((one) => one.socket === socket && taken.has(one.cpu));

  for (const key of [socketOf, coreOf]) {
    const whole = groups(key).filter((group) => group.every(isFree));
    for (;;) {
      const fitting = whole.filter((group) => group.every(isFree) && group.length <= count - taken.size);
      const [next] = fitting.sort(([a], [b]) => (a && b ? nearest(a, b) : 0));
      if (!next) break;
      for (const { cpu } of next) taken.add(cpu);
    }
  }
  const freeInCore = (one: Processor): number =>
    topology.filter((other) => coreOf(other) === coreOf(one) && isFree(other)).length;
  while (taken.size < count) {
    const [next] = topology.filter(isFree).sort((a, b) => freeInCore(a) - freeInCore(b) || nearest(a, b));
    if (!next) return undefined;
    taken.add(next.cpu);
  }
  return taken;
}

const socketOf = ({ socket }: Processor): string => String(socket);
const coreOf = ({ socket, core }: Processor): string => `${socket}/${core}`;

/** `0-2,5`, as the kernel writes it. */
export function formatCpus(cpus: Iterable<number>): string {
  const parts: [number, number][] = [];
  for (const cpu of [...cpus].sort((a, b) => a - b)) {
    const last = parts.at(-1);
    if (last?.[1] === cpu - 1) last[1] = cpu;
    else parts.push([cpu, cpu]);
  }
  return parts.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(',');
}

/** Undefined for a text that is no such list. */
export function parseCpus(text: string): Set<number> | undefined {
  const cpus = new Set<number>();
  for (const part of text.trim() === '' ? [] : text.trim().split(',')) {
    const [, from = '', to = from] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part) ?? [];
    if (from === '' || Number(to) < Number(from)) return undefined;
    for (let cpu = Number(from); cpu <= Number(to); cpu++) cpus.add(cpu);
  }
  return cpus;
}
