// Splits a body that arrives in pieces into lines, as a watch sends them. A line longer than the limit is an error.
import { kubeClientErrors } from './kube-client-errors.ts';

const newline = 0x0a;

/** The non-empty lines of a body; what follows the last newline when the body ends is a cut-off line and dropped. */
export async function* readLines(chunks: AsyncIterable<Uint8Array>, limit: number): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
      const line = joined(held, heldBytes, chunk.subarray(from, at));
      if (line.length > limit) throw kubeClientErrors.LINE_TOO_LONG({ limit });
      held = [];
      heldBytes = 0;
      from = at + 1;
      if (line.length > 0) yield decoder.decode(line);
    }
    if (from < chunk.length) {
      held.push(chunk.subarray(from));
      heldBytes += chunk.length - from;
      if (heldBytes > limit) throw kubeClientErrors.LINE_TOO_LONG({ limit });
    }
  }
}

function joined(held: readonly Uint8Array[], heldBytes: number, last: Uint8Array): Uint8Array {
  if (heldBytes === 0) return last;
  const line = new Uint8Array(heldBytes + last.length);
  let at = 0;
  for (const part of [...held, last]) {
    line.set(part, at);
    at += part.length;
  }
  return line;
}
