// Child processes that are run to their end.
import type * as ChildProcess from 'node:child_process';
import { constants } from 'node:os';
import { abortError } from '@kedge/core/flow';
import { filesErrors, type Processes } from '@kedge/core/ports';

/** Loaded when the first program is run: a daemon that never runs one does without. */
const childProcess = (): typeof ChildProcess => process.getBuiltinModule('node:child_process');

const outputLimit = 1024 * 1024;

export function createProcesses(): Processes {
  return {
    run(command, args, options = {}) {
      const { signal, input = '', env } = options;
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(abortError(signal));
        const child = childProcess().spawn(command, args, {
          ...(signal ? { signal, killSignal: 'SIGKILL' } : {}),
          ...(env ? { env: { ...process.env, ...env } } : {}),
        });
        const stdout = gather();
        const stderr = gather();
        child.stdout.on('data', stdout.add);
        child.stderr.on('data', stderr.add);
        child.once('error', (error) => {
          if (!signal?.aborted) reject(filesErrors.CANNOT_RUN({ command, reason: error.message }, error));
        });
        // Also after an abort: whoever asked may count on the program being gone.
        child.once('close', (code, killedBy) => {
          if (signal?.aborted) return reject(abortError(signal));
          resolve({ code: code ?? 128 + constants.signals[killedBy!], stdout: stdout.text(), stderr: stderr.text() });
        });
        // A program that ends without reading its input is not our failure.
        child.stdin.on('error', () => undefined);
        child.stdin.end(input);
      });
    },
  };
}

function gather(): { add: (chunk: Buffer) => void; text: () => string } {
  const chunks: Buffer[] = [];
  let kept = 0;
  return {
    add(chunk) {
      const room = outputLimit - kept;
      if (room <= 0) return;
      chunks.push(chunk.subarray(0, room));
      kept += Math.min(room, chunk.length);
    },
    text: () => Buffer.concat(chunks).toString('utf8'),
  };
}
