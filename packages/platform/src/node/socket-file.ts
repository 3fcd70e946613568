// The file of a Unix socket: one that a process has left behind is in the way of the next, one that somebody listens on is not
// to be taken away.
import { unlink } from 'node:fs/promises';
import { connect } from 'node:net';

/** False: another program listens there. */
export async function clearSocketFile(path: string): Promise<boolean> {
  const answers = await new Promise<boolean>((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
  if (answers) return false;
  await unlink(path).catch(() => undefined);
  return true;
}
