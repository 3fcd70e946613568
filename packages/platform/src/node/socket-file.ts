// The file of a Unix socket: one that a process has left behind is in the way of the next, one that somebody listens on is not
// to be taken away, and neither is a file that is no socket.
import { lstat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';

/** What is in the way and stays, if anything. */
export async function clearSocketFile(path: string): Promise<string | undefined> {
  const found = await lstat(path).catch(() => undefined);
  if (!found) return undefined;
  if (!found.isSocket()) return 'what is there is no socket';
  const isLeft = await new Promise<boolean>((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(false);
    });
    // Anything but a refusal is a listener: one that is too busy to take us, say.
    socket.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'ECONNREFUSED' || code === 'ENOENT'));
  });
  if (!isLeft) return 'another program listens there';
  await unlink(path).catch(() => undefined);
  return undefined;
}

/**
 * Begins to listen at a path that nobody else may connect to, not even for a moment: the file is made inside `listen`. Who is to
 * have more than the owner gets it with `chmod` afterwards.
 */
export function listenPrivately(listen: () => void): void {
  const before = process.umask(0o177);
  try {
    listen();
  } finally {
    process.umask(before);
  }
}
