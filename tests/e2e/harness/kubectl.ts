// Real kubectl against one kubeconfig, with a home of its own so that no cache or configuration of the machine matters.
import { join } from 'node:path';
import { must, type Ran, run } from './run.ts';

export interface Kubectl {
  /** Output of a call that must succeed. */
  (...args: string[]): Promise<string>;
  /** A call that may fail. */
  try(...args: string[]): Promise<Ran>;
  apply(manifest: string): Promise<string>;
  json<T = Record<string, unknown>>(...args: string[]): Promise<T>;
}

export function kubectlFor(kubeconfig: string, home: string): Kubectl {
  const env = { KUBECONFIG: kubeconfig, HOME: home, KUBECACHEDIR: join(home, 'cache') };
  const call = (...args: string[]): Promise<string> => must('kubectl', args, { env });
  return Object.assign(call, {
    try: (...args: string[]) => run('kubectl', args, { env }),
    apply: (manifest: string) => must('kubectl', ['apply', '-f', '-'], { env, input: manifest }),
    json: async <T>(...args: string[]) => JSON.parse(await call(...args, '-o', 'json')) as T,
  });
}
