// Watches how much is left on the node and, when it is too little, first frees what nobody needs, then ends one pod at a
// time until there is enough again.
import { explain } from '@kedge/core/errors';
import type { Scope } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Files, Host } from '@kedge/core/ports';
import { type Clock, type Duration, seconds } from '@kedge/core/time';
import { formatQuantity, quantityOfUnits } from '@kedge/model/k8s-quantity';
import { podRequests } from '@kedge/model/k8s-scheduling';
import type { Pod } from '@kedge/model/k8s-types';
import type { EventRecorder } from '../events.ts';
import { describePod, isTerminating, qosClassOf, uidOf } from '../pod/pod-spec.ts';
import { type EvictionMemory, noEvictionMemory, planEviction } from './plan-eviction.ts';
import { isCritical, rankForEviction, type Usage } from './rank-pods.ts';
import {
  type EvictionSettings,
  isBelow,
  type Pressure,
  type Reading,
  type Readings,
  resourceOf,
  type EvictionSignal,
  type Threshold,
} from './thresholds.ts';

export interface EvictorDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly host: Pick<Host, 'load' | 'facts'>;
  readonly files: Pick<Files, 'space'>;
  readonly events: EventRecorder;
  readonly settings: EvictionSettings;
  /** Where pods' volumes and logs are. */
  readonly rootDirectory: string;
  /** Where the runtime keeps images; undefined as long as it does not say. */
  readonly imageDirectory: (signal: AbortSignal) => Promise<string | undefined>;
  /** Pods that have not ended, and have not been told to. */
  readonly pods: () => readonly Pod[];
  /** Nothing of it runs any more. */
  readonly isOver: (pod: Pod) => boolean;
  /** Bytes in use by pod uid, of memory or of the disk. */
  readonly usage: (of: 'memory' | 'disk', signal: AbortSignal) => Promise<Usage>;
  /** Removes images and containers that nobody needs; true when that freed anything. */
  readonly freeDisk: (signal: AbortSignal) => Promise<boolean>;
  /** Ends a pod; it does not come back. */
  readonly evict: (pod: Pod, message: string, graceSeconds: number) => void;
  readonly pressuresChanged: () => void;
}

export interface Evictor {
  readonly pressures: ReadonlySet<Pressure>;
  /** Why a pod cannot start here while the node is short of something; undefined when it can. */
  refusal(pod: Pod): { readonly reason: string; readonly message: string } | undefined;
  start(scope: Scope): void;
}

const lookEvery = seconds(10);
/** While a pod that was evicted is ending, others are left alone: for this long beyond its grace at most. */
const endWithin = seconds(30);
const lookAfterEviction = seconds(1);

interface Evicted {
  readonly pod: Pod;
  readonly grace: Duration;
}

const conditionOf: Readonly<Record<Pressure, string>> = {
  memory: 'MemoryPressure',
  disk: 'DiskPressure',
  pid: 'PIDPressure',
};

export function createEvictor(deps: EvictorDeps): Evictor {
  const { clock, host, files, settings, events } = deps;
  const log = deps.log.child({ module: 'eviction' });
  let memory: EvictionMemory = noEvictionMemory;
  let pressures: ReadonlySet<Pressure> = new Set();

  async function read(signal: AbortSignal): Promise<Readings> {
    const [load, facts, node] = await Promise.all([host.load(), host.facts(), files.space(deps.rootDirectory)]);
    const readings = new Map<EvictionSignal, Reading>([
      ['memory.available', { available: load.availableMemoryBytes, capacity: facts.memoryBytes }],
      ['nodefs.available', { available: node.freeBytes, capacity: node.totalBytes }],
      ['pid.available', { available: load.maxProcesses - load.processes, capacity: load.maxProcesses }],
    ]);
    // Some file systems do not count inodes.
    if (node.totalInodes > 0) {
      readings.set('nodefs.inodesFree', { available: node.freeInodes, capacity: node.totalInodes });
    }
    const directory = await deps.imageDirectory(signal).catch(() => undefined);
    const images = directory === undefined ? undefined : await files.space(directory).catch(() => undefined);
    if (images) {
      readings.set('imagefs.available', { available: images.freeBytes, capacity: images.totalBytes });
      if (images.totalInodes > 0) {
        readings.set('imagefs.inodesFree', { available: images.freeInodes, capacity: images.totalInodes });
      }
    }
    return readings;
  }

  /** The pod that was ended; undefined when none had to be, or none could. */
  async function act(threshold: Threshold, readings: Readings, signal: AbortSignal): Promise<Evicted | undefined> {
    const resource = resourceOf[threshold.signal];
    events.node('Warning', 'EvictionThresholdMet', `Attempting to reclaim ${resource}`);
    const isDisk = threshold.signal.startsWith('nodefs') || threshold.signal.startsWith('imagefs');
    if (isDisk && (await deps.freeDisk(signal)) && !isBelow(threshold, await read(signal))) return undefined;
    const running = deps.pods().filter((pod) => !isTerminating(pod));
    const kind = threshold.signal === 'memory.available' ? 'memory' : isDisk ? 'disk' : undefined;
    const usage = kind ? await deps.usage(kind, signal) : new Map<string, number>();
    const requested = resource === 'memory' || resource === 'ephemeral-storage' ? resource : undefined;
    const [victim] = rankForEviction(running, usage, requested);
    if (!victim) {
      log.warn('the node is short and no pod can be evicted', { reason: resource });
      return undefined;
    }
    const message = evictionMessage(threshold, readings, victim, usage, requested);
    // A hard threshold leaves no time to say goodbye.
    const grace = threshold.grace > 0 ? settings.maxPodGraceSeconds : 0;
    log.warn('pod evicted', { pod: describePod(victim), reason: message });
    events.pod(victim, 'Warning', 'Evicted', message);
    deps.evict(victim, message, grace);
    return { pod: victim, grace: seconds(grace) };
  }

  /** It is reported as failed at once; what it uses comes back when its containers have ended. */
  async function untilEnded({ pod, grace }: Evicted, signal: AbortSignal): Promise<void> {
    const began = clock.monotonic();
    do await clock.sleep('end of an evicted pod', lookAfterEviction, signal);
    while (!deps.isOver(pod) && clock.monotonic() - began < grace + endWithin);
  }

  async function look(signal: AbortSignal): Promise<Evicted | undefined> {
    const readings = await read(signal);
    const verdict = planEviction(settings, readings, memory, clock.now());
    memory = verdict.memory;
    if (!isSame(verdict.pressures, pressures)) {
      const names = [...verdict.pressures].map((pressure) => conditionOf[pressure]).join(', ');
      log.info('pressure on the node changed', { to: names || 'none' });
      pressures = verdict.pressures;
      deps.pressuresChanged();
    }
    return verdict.act && act(verdict.act, readings, signal);
  }

  return {
    get pressures() {
      return pressures;
    },
    refusal(pod) {
      if (pressures.size === 0 || isCritical(pod)) return undefined;
      // Memory that nobody asked for is the first to be taken back: such a pod would go again at once.
      const matters = [...pressures].filter(
        (pressure) => pressure !== 'memory' || (qosClassOf(pod) === 'BestEffort' && !toleratesMemoryPressure(pod)),
      );
      if (matters.length === 0) return undefined;
      const names = matters.map((pressure) => conditionOf[pressure]).sort();
      return { reason: 'Evicted', message: `The node had condition: [${names.join(' ')}]. ` };
    },
    start(scope) {
      scope.spawn('eviction', async (signal) => {
        while (!signal.aborted) {
          const evicted = await look(signal).catch((error: unknown) => {
            signal.throwIfAborted();
            log.warn('what is left on the node could not be looked at', { reason: explain(error) });
            return undefined;
          });
          if (evicted) await untilEnded(evicted, signal);
          else await clock.sleep('eviction', lookEvery, signal);
        }
      });
    },
  };
}

const toleratesMemoryPressure = ({ spec }: Pod): boolean =>
  (spec?.tolerations ?? []).some(
    ({ key, operator, effect }) =>
      (key === 'node.kubernetes.io/memory-pressure' || (key === undefined && operator === 'Exists')) &&
      (effect === undefined || effect === '' || effect === 'NoSchedule'),
  );

function evictionMessage(
  { signal, written }: Threshold,
  readings: Readings,
  pod: Pod,
  usage: Usage,
  requested: string | undefined,
): string {
  const bytes = (n: number): string =>
    formatQuantity(quantityOfUnits(Math.max(0, Math.ceil(n / 1_024)) * 1_024, 'binarySI'));
  const available = readings.get(signal)?.available ?? 0;
  const shown = signal.endsWith('.available') && !signal.startsWith('pid') ? bytes(available) : String(available);
  const head = `The node was low on resource: ${resourceOf[signal]}. Threshold quantity: ${written}, available: ${shown}. `;
  const used = usage.get(uidOf(pod));
  if (requested === undefined || used === undefined) return head;
  const asked = podRequests(pod.spec).get(requested) ?? 0;
  return `${head}The pod was using ${bytes(used)}, request is ${asked === 0 ? '0' : bytes(asked)}, has larger consumption of ${requested}. `;
}

const isSame = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean =>
  a.size === b.size && [...a].every((one) => b.has(one));
