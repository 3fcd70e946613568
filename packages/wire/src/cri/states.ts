// Reads ids and states out of a list of containers or sandboxes and steps over everything else, names and labels above
// all. Polling a runtime that sends no events costs next to nothing this way.
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import type { ContainerState, PodSandboxState } from './cri.generated.ts';

/** Container id to state. */
export type ContainerStates = ReadonlyMap<string, ContainerState>;
/** Sandbox id to state. */
export type SandboxStates = ReadonlyMap<string, PodSandboxState>;

/** Field numbers of `state` in the two messages; `id` is 1 in both. */
const containerStateField = 6;
const sandboxStateField = 3;

export const decodeContainerStates = (bytes: Uint8Array): ContainerStates =>
  decodeStates<ContainerState>(bytes, containerStateField);
export const decodeSandboxStates = (bytes: Uint8Array): SandboxStates =>
  decodeStates<PodSandboxState>(bytes, sandboxStateField);

// Tags as numbers: `reader.tag()` makes an array of each, hundreds a second for nothing.
const lengthDelimited = (field: number): number => (field << 3) | WireType.LengthDelimited;
const varint = (field: number): number => (field << 3) | WireType.Varint;
const typeOf = (tag: number): WireType => tag & 7;

function decodeStates<State extends number>(bytes: Uint8Array, stateField: number): Map<string, State> {
  const states = new Map<string, State>();
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag !== lengthDelimited(1)) {
      reader.skip(typeOf(tag));
      continue;
    }
    const end = reader.uint32() + reader.pos;
    let id = '';
    let state = 0;
    while (reader.pos < end) {
      const inner = reader.uint32();
      if (inner === lengthDelimited(1)) id = reader.string();
      else if (inner === varint(stateField)) state = reader.int32();
      else reader.skip(typeOf(inner));
    }
    states.set(id, state as State);
  }
  return states;
}
