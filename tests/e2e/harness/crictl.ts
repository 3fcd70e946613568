// What the container runtime itself says, without going through anything of ours: `ctr` on the runtime's socket.
import { must } from './run.ts';

/** Process ids of the running containers, pause processes included. */
export async function runningTasks(socket: string): Promise<ReadonlyMap<string, number>> {
  const text = await must('ctr', ['--address', socket, '--namespace', 'k8s.io', 'tasks', 'list']);
  const tasks = new Map<string, number>();
  for (const line of text.trim().split('\n').slice(1)) {
    const [id, pid, state] = line.split(/\s+/);
    if (id && state === 'RUNNING') tasks.set(id, Number(pid));
  }
  return tasks;
}
