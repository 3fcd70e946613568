// What is wrong with the machine beyond what conditions of a kubelet say: processes killed for want of memory, a file system
// that went read-only, a clock that is off or was set. Each is an event of the Node, told when it begins.
import { explain } from '@kedge/core/errors';
import type { Scope } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Host, MemoryVictims } from '@kedge/core/ports';
import { type Clock, type Duration, formatDuration, seconds } from '@kedge/core/time';
import type { EventRecorder } from '../events.ts';

export interface NodeProblemsDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly host: Pick<Host, 'memoryVictims' | 'isReadOnly'>;
  readonly events: Pick<EventRecorder, 'node'>;
  readonly rootDirectory: string;
  /** How far the cloud's clock is ahead of ours, and how wrong that may be; undefined where nothing was heard of it. */
  readonly cloudClock: () => { readonly ahead: number; readonly within: number } | undefined;
  /** The clock was set: whatever waits for a time of day has to look again. */
  readonly clockWasSet: () => void;
}

const lookEvery: Duration = seconds(30);
/** Certificates, tokens and leases bear this much. */
const bearable = seconds(10);
/** Less than this is a clock that is being kept right. */
const smallestJump = seconds(5);

export function watchNodeProblems(deps: NodeProblemsDeps, scope: Scope): void {
  const { clock, log, host, events } = deps;
  let victims: MemoryVictims['place'] | undefined;
  let wasReadOnly = false;
  let wasSkewed = false;

  const duration = (ms: number): string => formatDuration((Math.round(Math.abs(ms) / 1_000) * 1_000) as Duration);

  async function lookAtMemory(): Promise<void> {
    const found = await host.memoryVictims(victims);
    // What was killed before edged began is no news.
    for (const { process, pid } of victims === undefined ? [] : found.victims) {
      events.node('Warning', 'SystemOOM', `System OOM encountered, victim process: ${process}, pid: ${pid}`);
      log.warn('the system killed a process for want of memory', { name: process, pid });
    }
    victims = found.place;
  }

  async function lookAtDisk(): Promise<void> {
    const isReadOnly = await host.isReadOnly(deps.rootDirectory);
    if (isReadOnly && !wasReadOnly) {
      events.node('Warning', 'FilesystemIsReadOnly', `Filesystem of ${deps.rootDirectory} is read-only`);
      log.error('the file system of pods is read-only: check its disk', { path: deps.rootDirectory });
    } else if (!isReadOnly && wasReadOnly) {
      events.node('Normal', 'FilesystemIsNotReadOnly', `Filesystem of ${deps.rootDirectory} can be written to again`);
    }
    wasReadOnly = isReadOnly;
  }

  function lookAtClock(): void {
    const cloud = deps.cloudClock();
    if (!cloud) return;
    const isSkewed = Math.abs(cloud.ahead) - cloud.within > bearable;
    if (isSkewed && !wasSkewed) {
      const where = cloud.ahead > 0 ? 'behind' : 'ahead of';
      const message = `The clock of this node is ${duration(cloud.ahead)} ${where} that of the cloud`;
      events.node('Warning', 'ClockSkew', message);
      log.warn('the clock of this node is off: set it, or run a time service', { reason: message });
    }
    wasSkewed = isSkewed;
  }

  function lookForJump(wall: number, monotonic: number): void {
    const jump = clock.now() - wall - (clock.monotonic() - monotonic);
    if (Math.abs(jump) < smallestJump) return;
    const message = `The clock was set ${jump > 0 ? 'forward' : 'back'} by ${duration(jump)}`;
    events.node('Normal', 'ClockWasSet', message);
    log.warn('the clock was set', { reason: message });
    deps.clockWasSet();
  }

  scope.spawn('node problems', async (signal) => {
    while (!signal.aborted) {
      const [wall, monotonic] = [clock.now(), clock.monotonic()];
      await clock.sleep('node problems', lookEvery, signal).catch(() => undefined);
      if (signal.aborted) return;
      lookForJump(wall, monotonic);
      lookAtClock();
      for (const look of [lookAtMemory, lookAtDisk]) {
        await look().catch((error: unknown) => log.debug('the machine could not be asked', { reason: explain(error) }));
      }
    }
  });
}
