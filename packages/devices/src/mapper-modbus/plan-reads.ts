// Which requests read what is due: neighbours share one, as far as the protocol allows. Pure.
import { type Field, holdsBits, type Table } from './fields.ts';

export interface PlannedRead {
  readonly table: Table;
  readonly address: number;
  readonly count: number;
  readonly fields: readonly Field[];
}

/** What one answer holds. */
const most = { registers: 125, bits: 2_000 } as const;
/** Reading what nobody wants is cheaper than another request, up to this. */
const gap = { registers: 16, bits: 128 } as const;

/** `alone`: properties whose neighbourhood the device does not let be read. */
export function planReads(fields: readonly Field[], alone: ReadonlySet<string> = new Set()): PlannedRead[] {
  const sorted = fields.toSorted((a, b) => a.address - b.address || a.count - b.count);
  const plan: PlannedRead[] = [];
  for (const table of ['coil', 'discrete', 'holding', 'input'] as const) {
    const unit = holdsBits(table) ? 'bits' : 'registers';
    let open: { address: number; end: number; fields: Field[] } | undefined;
    const close = (): void => {
      if (open) plan.push({ table, address: open.address, count: open.end - open.address, fields: open.fields });
      open = undefined;
    };
    for (const field of sorted) {
      if (field.table !== table) continue;
      const { address, count, property } = field;
      if (alone.has(property)) {
        plan.push({ table, address, count, fields: [field] });
        continue;
      }
      const end = Math.max(open?.end ?? 0, address + count);
      if (open && address - open.end <= gap[unit] && end - open.address <= most[unit]) {
        open.end = end;
        open.fields.push(field);
      } else {
        close();
        open = { address, end: address + count, fields: [field] };
      }
    }
    close();
  }
  return plan;
}

/** The part of an answer that is the field's, in the form that `decode` takes. */
export function cut(read: PlannedRead, field: Field, answer: Uint8Array): Uint8Array {
  const from = field.address - read.address;
  if (!holdsBits(read.table)) return answer.subarray(from * 2, (from + field.count) * 2);
  const bits = new Uint8Array(Math.ceil(field.count / 8));
  for (let at = 0; at < field.count; at++) {
    const source = from + at;
    bits[at >> 3]! |= ((answer[source >> 3]! >> (source & 7)) & 1) << (at & 7);
  }
  return bits;
}
