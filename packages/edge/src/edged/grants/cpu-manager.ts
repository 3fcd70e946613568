// The static CPU policy: a container of a guaranteed pod that asks for whole processors has them to itself, everything
// else shares the rest. Who has which is on disk, in the layout of the kubelet's own file, without its checksum.
// Source: "CPU Management Policies on the Node" in the Kubernetes documentation.
import type { Log } from '@kedge/core/log';
import type { Files } from '@kedge/core/ports';
import { quantity, quantityMillis } from '@kedge/model/k8s-quantity';
import type { Container, Pod } from '@kedge/model/k8s-types';
import { initContainersOf, isSidecar, qosClassOf, specOf, uidOf } from '../pod/pod-spec.ts';
import { formatCpus, parseCpus, type Processor, takeCpus } from './plan-cpus.ts';

export interface CpuManagerDeps {
  readonly log: Log;
  readonly files: Files;
  readonly path: string;
  readonly topology: readonly Processor[];
  /** Processors that no container gets to itself. */
  readonly reserved: ReadonlySet<number>;
}

export interface CpuManager {
  start(): Promise<void>;
  /** Returns what is wrong. */
  allocate(pod: Pod): Promise<string | undefined>;
  /** The list for one container: its own, or what all share. */
  cpusOf(uid: string, container: string): string;
  hasOwn(uid: string): boolean;
  /** True when more is shared than before. */
  keepOnly(isHere: (uid: string) => boolean): Promise<boolean>;
}

/** By pod and container. */
type Owned = ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<number>>>;

interface Document {
  readonly policyName?: string;
  readonly defaultCpuSet?: string;
  readonly entries?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export function createCpuManager({ log, files, path, topology, reserved }: CpuManagerDeps): CpuManager {
  const online = new Set(topology.map(({ cpu }) => cpu));
  let owned: Owned = new Map();

  const shared = (): Set<number> => {
    const own = new Set([...owned.values()].flatMap((of) => [...of.values()].flatMap((cpus) => [...cpus])));
    return new Set([...online].filter((cpu) => !own.has(cpu)));
  };

  async function save(): Promise<void> {
    const entries = [...owned].map(([uid, of]) => [
      uid,
      Object.fromEntries([...of].map(([name, cpus]) => [name, formatCpus(cpus)])),
    ]);
    const document = {
      policyName: 'static',
      defaultCpuSet: formatCpus(shared()),
      entries: Object.fromEntries(entries),
    };
    await files.writeAtomically(path, JSON.stringify(document), { mode: 0o600 });
  }

  const own = (uid: string, name: string, cpus: ReadonlySet<number>): Owned =>
    new Map([...owned, [uid, new Map([...(owned.get(uid) ?? []), [name, cpus]])]]);

  return {
    async start() {
      let document: Document = {};
      try {
        document = JSON.parse((await files.readText(path)) ?? '{}') as Document;
      } catch {
        log.warn('the record of processors cannot be read; pods keep what they run on until they restart', { path });
      }
      const read = Object.entries(document.policyName === 'static' ? (document.entries ?? {}) : {});
      owned = new Map(
        read.map(([uid, of]) => [
          uid,
          new Map(
            Object.entries(of).map(([name, text]) => [
              name,
              // A processor that is not there any more cannot be had.
              new Set([...(parseCpus(text) ?? [])].filter((cpu) => online.has(cpu))),
            ]),
          ),
        ]),
      );
    },
    async allocate(pod) {
      if (qosClassOf(pod) !== 'Guaranteed') return undefined;
      const before = owned;
      const uid = uidOf(pod);
      /** Of init containers, which have ended when the others start. */
      const reusable = new Set<number>();
      for (const container of [...initContainersOf(pod), ...specOf(pod).containers]) {
        const count = wholeCpus(container);
        if (count === 0) continue;
        const isInit = initContainersOf(pod).includes(container) && !isSidecar(container);
        const had = owned.get(uid)?.get(container.name);
        const free = [...shared()].filter((cpu) => !reserved.has(cpu));
        // Its pod's own first, so that as few as can be are taken away from all others.
        const fromOwn = had ?? takeCpus(reusable, Math.min(count, reusable.size), topology) ?? new Set<number>();
        const more = had ? undefined : takeCpus(new Set(free), count - fromOwn.size, topology);
        if (!had && !more) {
          owned = before;
          const available = free.length + reusable.size;
          return `not enough cpus available to satisfy request: requested=${count}, available=${available}`;
        }
        const cpus = new Set([...fromOwn, ...(more ?? [])]);
        owned = own(uid, container.name, cpus);
        for (const cpu of cpus)
          if (isInit) reusable.add(cpu);
          else reusable.delete(cpu);
      }
      if (owned !== before) await save();
      return undefined;
    },
    cpusOf: (uid, container) => formatCpus(owned.get(uid)?.get(container) ?? shared()),
    hasOwn: (uid) => owned.has(uid),
    async keepOnly(isHere) {
      const kept = new Map([...owned].filter(([uid]) => isHere(uid)));
      if (kept.size === owned.size) return false;
      owned = kept;
      await save();
      return true;
    },
  };
}

/** Only whole processors are had alone. */
function wholeCpus({ resources }: Container): number {
  const written = resources?.limits?.['cpu'] ?? resources?.requests?.['cpu'];
  const millis = written === undefined ? 0 : Number(quantityMillis(quantity(written)));
  return millis % 1_000 === 0 ? millis / 1_000 : 0;
}
