// Starts mosquitto and ends it with the test. It can be stopped and started again on its port in between.
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { temporaryDirectory } from '../contracts/temporary-directory.ts';
import { freePort } from '../free-port/index.ts';
import { findProgram, type OwnServer, startServer } from '../server-process/index.ts';

const program = findProgram('mosquitto');

export const hasMosquitto = program !== undefined;

export interface MosquittoOptions {
  readonly user?: { readonly username: string; readonly password: string };
  /** PEM. */
  readonly tls?: { readonly certificate: string; readonly key: string; readonly clientCa?: string };
}

export type Mosquitto = OwnServer;

/** Ends with the test, or whatever else calls what it is given with `after`. */
export async function startMosquitto(
  t: Pick<TestContext, 'after'>,
  { user, tls }: MosquittoOptions = {},
): Promise<Mosquitto> {
  const directory = await temporaryDirectory(t);
  const port = await freePort();
  const file = async (name: string, content: string): Promise<string> => {
    await writeFile(join(directory, name), content, { mode: 0o600 });
    return join(directory, name);
  };
  const lines = [`listener ${port} 127.0.0.1`, 'user root', `allow_anonymous ${user ? 'false' : 'true'}`];
  if (user) {
    const passwords = await file('passwords', '');
    execFileSync('mosquitto_passwd', ['-b', passwords, user.username, user.password], { stdio: 'ignore' });
    lines.push(`password_file ${passwords}`);
  }
  if (tls) {
    lines.push(`certfile ${await file('server.crt', tls.certificate)}`, `keyfile ${await file('server.key', tls.key)}`);
    if (tls.clientCa) lines.push(`cafile ${await file('ca.crt', tls.clientCa)}`, 'require_certificate true');
  }
  const config = await file('mosquitto.conf', `${lines.join('\n')}\n`);
  return startServer(t, { program: program ?? 'mosquitto', args: ['-c', config], port });
}
