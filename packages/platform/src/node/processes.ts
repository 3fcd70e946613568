// Child processes that are run to their end.
import { spawn } from 'node:child_process';
import { filesErrors, type Processes } from '@kedge/core/ports';

const outputLimit = 1024 * 1024;

export function createProcesses(): Processes {
  return {
    run(command, args, options = {}) {
      return new Promise((resolve, reject) => {
        const child = spawn(command, args, options.signal ? { signal: options.signal } : {});
        const stdout = gather();
        const stderr = gather();
        child.stdout.on('data', stdout.add);
        child.stderr.on('data', stderr.add);
        child.once('error', (error) => {
          reject(options.signal?.aborted ? error : filesErrors.CANNOT_RUN({ command, reason: error.message }));
        });
        child.once('close', (code, signal) => {
          const status = code ?? 128 + (signal === 'SIGKILL' ? 9 : 15);
          resolve({ code: status, stdout: stdout.text(), stderr: stderr.text() });
        });
        // A program that ends without reading its input is not our failure.
        child.stdin.on('error', () => undefined);
        child.stdin.end(options.input ?? '');
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
