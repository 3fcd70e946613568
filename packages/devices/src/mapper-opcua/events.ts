// Events of the server: a property whose visitor has `event` is what a node tells about, one sample for each event.
import { constructEventFilter, type EventFilter, ofType, type Variant } from 'node-opcua-client';
import type { RawValue } from '../mapper-sdk/index.ts';
import type { OpcuaVisitor } from './settings.ts';
import { toRaw } from './values.ts';

/** What BaseEventType has, in this order first. */
const common = ['EventId', 'EventType', 'SourceName', 'Time', 'Message', 'Severity'] as const;
/** A twin has room for 4 KiB. */
const room = { message: 1_000, all: 4_000 };

const moreFields = ({ eventFields = '' }: OpcuaVisitor): string[] =>
  eventFields
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');

export const eventFilter = (visitor: OpcuaVisitor): EventFilter =>
  constructEventFilter([...common, ...moreFields(visitor)], visitor.eventType ? ofType(visitor.eventType) : undefined);

/** Undefined: it is not severe enough. */
export function readEvent(
  fields: readonly Variant[],
  visitor: OpcuaVisitor,
): { readonly value: RawValue; readonly time: Date | undefined } | undefined {
  const [id, type, source, time, message, severity] = fields.map(plain);
  if (Number(severity ?? 0) < (visitor.minimumSeverity ?? 0)) return undefined;
  const at = fields[3]?.value instanceof Date ? fields[3].value : undefined;
  const text = String(message ?? '').slice(0, room.message);
  switch (visitor.event) {
    case 'severity':
      return { value: Number(severity ?? 0), time: at };
    case 'message':
      return { value: text, time: at };
    default: {
      const own = { id, type, source: String(source ?? '').slice(0, 200), time, message: text, severity };
      const names = moreFields(visitor);
      const more = names.map((name, n) => [name, plain(fields[common.length + n])] as const);
      const whole = JSON.stringify({ ...own, ...Object.fromEntries(more) });
      if (new TextEncoder().encode(whole).length <= room.all) return { value: whole, time: at };
      return { value: JSON.stringify({ ...own, truncated: true }), time: at };
    }
  }
}

/** As JSON has it. */
function plain(field: Variant | undefined): unknown {
  if (!field || field.value === null || field.value === undefined) return null;
  let raw: RawValue;
  try {
    raw = toRaw(field);
  } catch {
    return null;
  }
  if (raw instanceof Uint8Array) return Buffer.from(raw).toString('base64');
  return typeof raw === 'bigint' ? String(raw) : raw;
}
