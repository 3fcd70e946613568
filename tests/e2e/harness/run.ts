// Running programs from tests: output caught, time bounded, and never left behind.
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const projectRoot = join(dirname(fileURLToPath(import.meta.url)), '../../..');
export const kedgeProgram = join(projectRoot, 'bin', 'kedge');

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly cwd?: string;
}

/** Runs to the end, whatever the exit code. A program that takes longer than its limit is killed and counts as code 124. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { input = '', env = {}, timeoutMs = 120_000, cwd = projectRoot } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.on('error', (error) => (clearTimeout(timer), reject(error)));
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code: late ? 124 : (code ?? 1), stdout, stderr });
    });
  });
}

/** As `run`; throws with the program's own words when it fails. */
export async function must(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, options);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with code ${code}:\n${stdout}${stderr}`);
  return stdout;
}

/** The command that runs `command` in a cgroup, under one process id. */
export const inCgroup = (folder: string, command: readonly string[]): readonly string[] => [
  'sh',
  '-c',
  'echo $$ > "$0"/cgroup.procs && exec "$@"',
  folder,
  ...command,
];

/** Looks every 100 ms until `look` gives something; says what it waited for when it never does. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  limitMs = 60_000,
): Promise<T> {
  const end = Date.now() + limitMs;
  let last: unknown;
  while (Date.now() < end) {
    try {
      const value = await look();
      if (value !== undefined && value !== false) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`never happened within ${limitMs / 1_000} s: ${what}`, { cause: last });
}
