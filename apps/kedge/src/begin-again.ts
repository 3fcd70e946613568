// How edgecore's daemon begins anew under the same process id, while pods run on: through its starter, which reads the
// configuration. It does so when it is asked to read it again (SIGHUP), if what it would read is right; when its
// database is damaged; and once it has joined, which takes modules that it will not use again for most of a year.
import { join } from 'node:path';
import type { Log } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import type { Processes } from '@kedge/core/ports';
import { onHangUp } from '@kedge/platform/node';
import { starterVariable } from './edgecore-settings.ts';

export interface BeginAgain {
  readonly restart: { readonly signal: AbortSignal; again(): never };
  readonly onHangUp: Module;
  onDamage(): void;
  /** Nothing the second time: a certificate that cannot be kept must not make a circle. */
  onJoined(): void;
}

/** Told from one life to the next. */
const joinedVariable = 'KEDGE_EDGECORE_JOINED';

export function createBeginAgain({ log, processes }: { log: Log; processes: Processes }): BeginAgain {
  const runtime = process.env[starterVariable] ?? process.execPath;
  const restart = new AbortController();
  const program = join(import.meta.dirname, 'edgecore.cjs');
  const args = process.argv.slice(2);
  const hasJustJoined = process.env[joinedVariable] !== undefined;
  delete process.env[joinedVariable];

  /** A configuration that is wrong must not end what runs well. */
  async function readAgain(): Promise<void> {
    const { code, stderr } = await processes.run(runtime, [program, ...args, '--checkconfig']);
    if (code !== 0) {
      log.error('the configuration is wrong and not taken over', { reason: stderr.trim() });
      return;
    }
    log.info('the configuration is read again');
    restart.abort(new Error('the configuration is read again'));
  }

  return {
    restart: {
      signal: restart.signal,
      again: () => process.execve!(runtime, [runtime, program, ...args], process.env),
    },
    onHangUp: {
      name: 'reload',
      async start(scope) {
        scope.defer(
          'SIGHUP',
          onHangUp(() => void readAgain().catch((error: unknown) => log.error('not read again', { err: error }))),
        );
      },
    },
    onDamage: () => restart.abort(new Error('the database is damaged')),
    onJoined() {
      if (hasJustJoined) return;
      process.env[joinedVariable] = '1';
      restart.abort(new Error('the node has joined'));
    },
  };
}
