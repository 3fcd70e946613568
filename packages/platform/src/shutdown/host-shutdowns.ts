// Hears of the machine's shutdown from systemd-logind, where there is one, and by SIGUSR2 everywhere. logind is spoken to
// through its own programs: `systemd-inhibit` holds the lock as long as `busctl monitor` runs below it, and both end with
// this process, because the shell beside them reads from us until we are gone.
import type * as ChildProcess from 'node:child_process';
import { abortError } from '@kedge/core/flow';
import { type Files, type HostShutdown, type HostShutdowns, hostErrors, type Processes } from '@kedge/core/ports';
import { type Clock, type Duration, milliseconds, seconds } from '@kedge/core/time';

export interface HostShutdownsDeps {
  readonly clock: Clock;
  readonly files: Pick<Files, 'info' | 'makeDirectory' | 'writeAtomically'>;
  readonly processes: Processes;
  /** As SIGTERM would: whoever sent SIGUSR2 waits for it. */
  readonly endProcess: () => void;
}

const childProcess = (): typeof ChildProcess => process.getBuiltinModule('node:child_process');

const manager = 'org.freedesktop.login1.Manager';
const match = `type='signal',interface='${manager}',member='PrepareForShutdown'`;
/** The monitor takes the shell's place, so that its end is the end of the lock; the rest waits for ours. */
const script = `exec 3<&0; { cat <&3 >/dev/null; kill $$; } & exec busctl --system monitor "--match=$1"`;
const configuration = '/etc/systemd/logind.conf.d/99-kedge.conf';
const longestLine = 4_096;
const tryAgainAfter = seconds(10);

export function createHostShutdowns(deps: HostShutdownsDeps): HostShutdowns {
  const { clock, files, processes, endProcess } = deps;
  let hear: (() => void) | undefined;
  let wasHeard = false;
  let isListening = false;

  /** From the first call on for good: the signal would end the process otherwise. */
  function listen(): void {
    if (isListening) return;
    isListening = true;
    process.on('SIGUSR2', () => {
      wasHeard = true;
      hear?.();
    });
  }

  /** As far as the disk says: images of containers have logind's folder too, but no bus. */
  const hasLogind = async (): Promise<boolean> => {
    const places = ['/run/systemd/seats', '/run/dbus/system_bus_socket'];
    const infos = await Promise.all(places.map((path) => files.info(path)));
    return infos.every((info) => info !== undefined);
  };

  async function longestDelay(signal: AbortSignal): Promise<Duration> {
    const property = ['org.freedesktop.login1', '/org/freedesktop/login1', manager, 'InhibitDelayMaxUSec'];
    const { code, stdout, stderr } = await processes.run('busctl', ['--system', 'get-property', ...property], {
      signal,
    });
    const micros = /^t (\d+)/.exec(stdout)?.[1];
    if (code !== 0 || micros === undefined) throw unheard(`logind does not answer: ${(stderr || stdout).trim()}`);
    return milliseconds(Number(micros) / 1_000);
  }

  /** logind waits five seconds unless it is told otherwise. */
  async function askForDelay(wish: Duration, signal: AbortSignal): Promise<Duration> {
    const before = await longestDelay(signal);
    if (before >= wish) return before;
    await files.makeDirectory('/etc/systemd/logind.conf.d', { mode: 0o755 });
    await files.writeAtomically(
      configuration,
      `# Written by kedge edgecore, for shutdownGracePeriod.\n[Login]\nInhibitDelayMaxSec=${Math.ceil(wish / 1_000)}\n`,
      { mode: 0o644 },
    );
    await processes.run('systemctl', ['kill', '--signal=HUP', 'systemd-logind.service'], { signal });
    let granted = before;
    for (let turn = 0; turn < 10 && granted < wish; turn++) {
      await clock.sleep('logind', milliseconds(200), signal);
      granted = await longestDelay(signal);
    }
    return granted;
  }

  /** Resolves when a shutdown begins; the machine waits until `stop` is called. */
  function holdBack(held: () => void, signal: AbortSignal): { begun: Promise<void>; stop: () => Promise<void> } {
    const [who, why] = ['--who=kedge edgecore', '--why=Pods are ended in order'];
    const child = childProcess().spawn(
      'systemd-inhibit',
      ['--what=shutdown', '--mode=delay', who, why, 'sh', '-c', script, 'sh', match],
      { stdio: 'pipe' },
    );
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()));
    const stop = (): Promise<void> => {
      signal.removeEventListener('abort', stop);
      child.stdin.end();
      return gone;
    };
    signal.addEventListener('abort', stop);
    child.stdin.on('error', () => undefined);
    const begun = new Promise<void>((resolve, reject) => {
      let said = '';
      let isHeld = false;
      child.stderr.on('data', (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-longestLine);
        if (isHeld || !said.includes('Monitoring bus')) return;
        isHeld = true;
        held();
      });
      let message = '';
      child.stdout.on('data', (chunk: Buffer) => {
        message = (message + chunk.toString()).slice(-longestLine);
        if (message.includes('BOOLEAN true')) resolve();
      });
      child.once('error', (error) => reject(unheard(`systemd-inhibit cannot be run: ${error.message}`)));
      child.once('exit', () =>
        reject(signal.aborted ? abortError(signal) : unheard(said.trim() || 'the lock was lost')),
      );
    });
    return { begun, stop };
  }

  const bySignal = (stop: () => Promise<void>): HostShutdown => ({
    from: 'SIGUSR2',
    async letGo() {
      wasHeard = false;
      await stop();
      endProcess();
    },
  });

  async function untilSignal(signal: AbortSignal): Promise<void> {
    if (wasHeard) return;
    await new Promise<void>((resolve, reject) => {
      const give = (): void => reject(abortError(signal));
      if (signal.aborted) return give();
      signal.addEventListener('abort', give, { once: true });
      hear = () => {
        signal.removeEventListener('abort', give);
        resolve();
      };
    });
  }

  return {
    async next(wish, held, signal) {
      listen();
      if (!(await hasLogind())) {
        held(undefined);
        await untilSignal(signal);
        return bySignal(async () => undefined);
      }
      const over = new AbortController();
      const either = AbortSignal.any([signal, over.signal]);
      let stop = async (): Promise<void> => undefined;
      async function fromLogind(): Promise<HostShutdown> {
        try {
          const granted = await askForDelay(wish, either);
          const hold = holdBack(() => held(granted), signal);
          stop = hold.stop;
          await hold.begun;
          return { from: 'systemd-logind', letGo: stop };
        } catch (error) {
          await stop();
          // The signal is heard in any case.
          await clock.sleep('logind to answer', tryAgainAfter, either);
          throw error;
        }
      }
      const heard = [fromLogind(), untilSignal(either).then(() => bySignal(() => stop()))];
      try {
        return await Promise.race(heard);
      } finally {
        over.abort();
        for (const one of heard) one.catch(() => undefined);
      }
    },
  };
}

const unheard = (reason: string) => hostErrors.SHUTDOWN_UNHEARD({ reason });
