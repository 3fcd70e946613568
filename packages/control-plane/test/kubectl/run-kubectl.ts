// Runs the real kubectl with one kubeconfig, and tells what it printed.
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { Ran } from './row.ts';

export interface Kubectl {
  /** For commands that go on until they are stopped. */
  start(args: readonly string[]): ChildProcessWithoutNullStreams;
  run(args: string | readonly string[], options?: { input?: string; env?: Record<string, string> }): Promise<Ran>;
  /** What the command prints; fails the test when it does not succeed. */
  ok(args: string, input?: string): Promise<string>;
}

/** Words as a shell would split them; single quotes keep spaces. */
export const words = (args: string): string[] =>
  args.match(/(?:[^\s']+|'[^']*')+/g)!.map((word) => word.replaceAll("'", ''));

/** `home` is where kubectl keeps its cache. */
export function createKubectl(kubeconfig: string, home: string, cwd?: string): Kubectl {
  const start = (args: readonly string[], env: Record<string, string> = {}) =>
    spawn('kubectl', args, {
      ...(cwd === undefined ? {} : { cwd }),
      env: { ...process.env, KUBECONFIG: kubeconfig, HOME: home, ...env },
    });
  const run: Kubectl['run'] = (args, { input = '', env = {} } = {}) =>
    new Promise((resolve, reject) => {
      const child = start(typeof args === 'string' ? words(args) : args, env);
      let out = '';
      let err = '';
      child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
      child.once('error', reject);
      child.once('close', (code) => resolve({ code: code ?? -1, out, err }));
      // A command that reads nothing may be gone before this is written.
      child.stdin.on('error', () => undefined);
      child.stdin.end(input);
    });
  return {
    start: (args) => start(args),
    run,
    async ok(args, input = '') {
      const { code, out, err } = await run(args, { input });
      assert.equal(code, 0, `kubectl ${args}: ${err}${out}`);
      return out;
    },
  };
}
