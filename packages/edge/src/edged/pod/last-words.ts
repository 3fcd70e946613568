// What a container left in its termination message file, or at the end of its log when it failed without a word.
import type { Files } from '@kedge/core/ports';
import type { Pod } from '@kedge/model/k8s-types';
import type { PodPaths } from '../runtime/pod-paths.ts';
import type { SeenContainer } from '../runtime/seen.ts';
import { allContainersOf, uidOf } from './pod-spec.ts';

const longestMessage = 4_096;
/** Of all containers of a pod together, each an equal part. Source: "Determine the Reason for Pod Failure" in the Kubernetes documentation. */
const longestOfPod = 12_288;
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
  const containers = allContainersOf(pod);
  const longest = Math.min(longestMessage, Math.floor(longestOfPod / Math.max(1, containers.length)));
  const message = decoder.decode(await files.readPart(file, 0, longest));
  const container = containers.find((one) => one.name === name);
  const failed = state.at === 'exited' && state.exitCode !== 0;
  if (message !== '' || !failed || container?.terminationMessagePolicy !== 'FallbackToLogsOnError') return message;
  const log = `${paths.logDirectory(pod)}/${paths.logFile(name, restartCount)}`;
  return logTail(
    decoder.decode(await files.readPart(log, -longestLogRead, longestLogRead)),
    Math.min(longest, longestTail),
  );
}

/** Lines of a CRI log are `time stream F|P text`; `P` is a piece of a line that goes on in the next. */
function logTail(log: string, longest: number): string {
  const lines = log.trimEnd().split('\n').slice(-tailLines);
  const text = lines
    .map((line) => {
      const [, , tag, ...words] = line.split(' ');
      return `${words.join(' ')}${tag === 'P' ? '' : '\n'}`;
    })
    .join('')
    .replace(/\n$/, '');
  const bytes = new TextEncoder().encode(text);
  let from = Math.max(0, bytes.length - longest);
  // Not in the middle of a character.
  while (((bytes[from] ?? 0) & 0xc0) === 0x80) from += 1;
  return new TextDecoder().decode(bytes.subarray(from));
}
