// Ends the pods when the machine goes down, group by group, while the machine waits; meanwhile the node is not ready and
// takes no pods.
import { explain } from '@kedge/core/errors';
import type { Scope } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { HostShutdowns } from '@kedge/core/ports';
import { type Clock, formatDuration, milliseconds, seconds } from '@kedge/core/time';
import type { EventRecorder } from '../events.ts';
import { describePod } from '../pod/pod-spec.ts';
import type { RunningPods } from '../run-pods.ts';
import { planShutdown, type ShutdownSettings, type ShutdownStep, shutdownTime } from './plan-shutdown.ts';

export interface NodeShutdownDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly shutdowns: HostShutdowns;
  readonly pods: Pick<RunningPods, 'accepted' | 'end' | 'isOver' | 'refuseAll'> & { readonly events: EventRecorder };
  readonly settings: ShutdownSettings;
}

export interface NodeShutdown {
  /** Why the node is not ready. */
  problems(): readonly string[];
  onChange(listener: () => void): void;
  start(scope: Scope): void;
}

const terminated = {
  reason: 'Terminated',
  message: 'Pod was terminated in response to imminent node shutdown.',
};
const refused = { reason: 'NodeShutdown', message: 'Pod was rejected as the node is shutting down.' };

const lookEvery = milliseconds(250);
const tryAgainAfter = seconds(1);
/** A machine that is let go does not go down that instant. */
const letGoFor = seconds(10);

export function createNodeShutdown(deps: NodeShutdownDeps): NodeShutdown {
  const { clock, shutdowns, pods, settings } = deps;
  const log = deps.log.child({ module: 'shutdown' });
  const wish = shutdownTime(settings);
  const listeners: (() => void)[] = [];
  let isShuttingDown = false;
  /** A machine without any way to tell is not complained about every time. */
  let complaint: string | undefined;

  function change(to: boolean): void {
    if (isShuttingDown === to) return;
    isShuttingDown = to;
    pods.refuseAll(to ? refused : undefined);
    const what = to ? 'event' : 'cancellation';
    pods.events.node('Normal', 'NodeShutdown', `Shutdown manager detected shutdown ${what}`);
    for (const tell of listeners) tell();
  }

  async function endAll({ ends, period }: ShutdownStep, signal: AbortSignal): Promise<void> {
    for (const { pod, grace } of ends) pods.end(pod, { ...terminated, disrupted: { grace } });
    const began = clock.monotonic();
    const left = (): string[] => ends.filter(({ pod }) => !pods.isOver(pod)).map(({ pod }) => describePod(pod));
    while (left().length > 0 && clock.monotonic() - began < period) {
      await clock.sleep('pods of a machine that goes down', lookEvery, signal);
    }
    if (left().length > 0) log.warn('pods have not ended in time for the shutdown', { pod: left().join(', ') });
  }

  async function follow(signal: AbortSignal): Promise<void> {
    const begun = await shutdowns.next(
      wish,
      (granted) => {
        complaint = undefined;
        // What can be held back again was called off.
        change(false);
        const short = granted !== undefined && granted < wish;
        if (!short) return log.info('the machine waits for pods when it goes down', { reason: formatDuration(wish) });
        log.warn('the machine does not wait as long as pods may take to end', {
          from: formatDuration(wish),
          to: formatDuration(granted),
        });
      },
      signal,
    );
    change(true);
    const steps = planShutdown(settings, pods.accepted());
    const count = steps.reduce((sum, { ends }) => sum + ends.length, 0);
    log.warn('the machine goes down: pods end', { count, from: begun.from });
    try {
      for (const step of steps) await endAll(step, signal);
    } finally {
      await begun.letGo();
    }
    log.info('the machine may go down');
  }

  return {
    problems: () => (isShuttingDown ? ['node is shutting down'] : []),
    onChange: (listener) => void listeners.push(listener),
    start(scope) {
      scope.spawn('node shutdown', async (signal) => {
        while (!signal.aborted) {
          const wait = await follow(signal).then(
            () => letGoFor,
            (error: unknown) => {
              signal.throwIfAborted();
              const reason = explain(error);
              if (reason !== complaint && !isShuttingDown) {
                log.warn('a shutdown of the machine would not be heard', { reason });
              }
              complaint = reason;
              return tryAgainAfter;
            },
          );
          await clock.sleep('next shutdown of the machine', wait, signal);
        }
      });
    },
  };
}
