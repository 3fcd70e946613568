// What a container left in its termination message file, or at the end of its log when it failed without a word.
import type { Files } from '@kedge/core/ports';
import type { Pod } from '@kedge/model/k8s-types';
import type { PodPaths } from '../runtime/pod-paths.ts';
import type { SeenContainer } from '../runtime/seen.ts';
import { allContainersOf, uidOf } from './pod-spec.ts';

const longestMessage = 4_096;
const longestTail = 2_048;
const tailLines = 80;
/** Enough for the tail with a time before each line. */
const longestLogRead = 16_384;

export async function readLastWords(
  pod: Pod,
  { name, restartCount, state }: SeenContainer,
  { files, paths }: { files: Files; paths: PodPaths },
): Promise<string> {
  const file = paths.terminationMessage(uidOf(pod), name, restartCount);
  const decoder = new TextDecoder();
  const message = decoder.decode(await files.readPart(file, 0, longestMessage));
  const container = allContainersOf(pod).find((one) => one.name === name);
  const failed = state.at === 'exited' && state.exitCode !== 0;
  if (message !== '' || !failed || container?.terminationMessagePolicy !== 'FallbackToLogsOnError') return message;
  const log = `${paths.logDirectory(pod)}/${paths.logFile(name, restartCount)}`;
  return logTail(decoder.decode(await files.readPart(log, -longestLogRead, longestLogRead)));
}

/** Lines of a CRI log are `time stream F|P text`. */
function logTail(log: string): string {
  const lines = log.trimEnd().split('\n').slice(-tailLines);
  return lines
    .map((line) => line.split(' ').slice(3).join(' '))
    .join('\n')
    .slice(-longestTail);
}
