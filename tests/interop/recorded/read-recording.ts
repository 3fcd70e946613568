// Reads a recording of real KubeEdge traffic: one JSON object a line, see README.md beside the recordings.
import { readdirSync, readFileSync } from 'node:fs';
import type { RawMessage } from '@kedge/model/messages';

const folder = new URL('kubeedge-v1.22/', import.meta.url);

export interface RecordedFrame {
  /** Milliseconds since the recording began. */
  readonly t: number;
  readonly dir: 'edge>cloud' | 'cloud>edge';
  readonly message: RawMessage;
}

export const recordings = readdirSync(folder)
  .filter((name) => name.endsWith('.jsonl'))
  .map((name) => name.replace('.jsonl', ''))
  .sort();

/** The messages of the hub link, in order. */
export const readRecording = (name: string): RecordedFrame[] =>
  readRecordedEvents(name).filter((event): event is RecordedFrame => 'message' in (event as object));

/** Everything that was recorded: bootstrap requests, connects, frames of the tunnel. */
export const readRecordedEvents = (name: string): unknown[] =>
  readFileSync(new URL(`${name}.jsonl`, folder), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
