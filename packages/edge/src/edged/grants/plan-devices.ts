// Which devices a container gets: those its pod has already, then healthy ones that nobody has. Pure.
export interface DeviceDemand {
  readonly resource: string;
  readonly count: number;
  readonly healthy: ReadonlySet<string>;
  /** Given to any container of any pod. */
  readonly taken: ReadonlySet<string>;
  /** Of init containers of the same pod that have ended when this one starts. */
  readonly reusable: ReadonlySet<string>;
}

export type DeviceChoice =
  | {
      readonly ok: true;
      /** In it whatever is chosen. */
      readonly must: readonly string[];
      /** To choose the rest from. */
      readonly from: readonly string[];
    }
  | { readonly ok: false; readonly message: string };

export function chooseDevices({ resource, count, healthy, taken, reusable }: DeviceDemand): DeviceChoice {
  const must = [...reusable].filter((id) => healthy.has(id)).slice(0, count);
  const free = [...healthy].filter((id) => !taken.has(id)).sort();
  if (must.length + free.length < count) {
    const available = must.length + free.length;
    const message = `requested number of devices unavailable for ${resource}. Requested: ${count}, Available: ${available}`;
    return { ok: false, message };
  }
  return { ok: true, must, from: free };
}

/** The choice, with what the plugin would rather have, as far as it is among what there is. */
export function settleDevices(
  { must, from }: { readonly must: readonly string[]; readonly from: readonly string[] },
  count: number,
  preferred: readonly string[],
): string[] {
  const free = new Set(from);
  const chosen = new Set([...must, ...preferred.filter((id) => free.has(id)), ...from]);
  return [...chosen].slice(0, count);
}
