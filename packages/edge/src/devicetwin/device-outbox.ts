// What the cloud still has to learn about devices, in the form in which the link carries it. An entry stays until the
// cloud has confirmed it; samples go in order, one report of a property at a time.
import type { Log } from '@kedge/core/log';
import type { Database } from '@kedge/core/ports';
import type { Status } from '@kedge/model/k8s';
import { parseDeviceId } from '@kedge/model/kubeedge';
import {
  type DeviceCondition,
  type DeviceName,
  maxConditionsPerDevice,
  maxSamplesPerReport,
  type Outcome,
  type QuestionBody,
  type Twins,
} from '@kedge/model/messages';
import type { Pending, TwinStore } from './twin-store.ts';

export interface TwinsBody {
  readonly event: string;
  readonly reportedAt: number;
  readonly twins: Twins;
}
export interface StateBody {
  readonly event: string;
  readonly reportedAt: number;
  readonly state: string;
  readonly lastOnlineTime: string;
}

export interface DeviceOutboxItem {
  readonly key: string;
  readonly send: { readonly as: 'question'; readonly body: QuestionBody };
  /** Which entry it was: a pending report, or the samples up to a number. */
  readonly of:
    | { readonly report: number }
    | { readonly device: string; readonly property: string; readonly upTo: number };
}

export interface DeviceOutbox {
  /** `isDense`: the cloud is one of ours, and takes what upstream's does not know. */
  take(isBusy: (key: string) => boolean, isDense: boolean): DeviceOutboxItem | undefined;
  settle(item: DeviceOutboxItem, outcome: Outcome<unknown>): Promise<'done' | 'later'>;
  listen(listener: () => void): () => void;
  announce(): void;
}

export function createDeviceOutbox({ db, log, store }: { db: Database; log: Log; store: TwinStore }): DeviceOutbox {
  const listeners = new Set<() => void>();
  /** Samples up to these numbers may have reached the cloud, as far as we know. */
  const offered = new Map<string, number>();
  /** Devices that had nothing for an upstream cloud; one of ours may want to hear of their conditions. */
  const held = new Set<string>();
  for (const { device, property } of store.sampled()) offered.set(`${device} ${property}`, Number.MAX_SAFE_INTEGER);

  function toSend({ device: id, kind, body }: Pending): QuestionBody | undefined {
    const device = parseDeviceId(id);
    if (!device) return undefined;
    switch (kind) {
      case 'twins':
        return { kind: 'twin.report', device, ...(JSON.parse(body) as TwinsBody) };
      case 'state':
        return { kind: 'device.state', device, ...(JSON.parse(body) as StateBody) };
      case 'conditions': {
        const conditions = JSON.parse(body) as DeviceCondition[];
        return { kind: 'device.conditions', device, conditions: conditions.slice(0, maxConditionsPerDevice) };
      }
    }
  }

  function takeSamples(isBusy: (key: string) => boolean): DeviceOutboxItem | undefined {
    for (const { device: id, property } of store.sampled()) {
      const key = `samples/${id}/${property}`;
      const device: DeviceName | undefined = isBusy(key) ? undefined : parseDeviceId(id);
      const run = device && store.run(id, property, maxSamplesPerReport);
      if (!device || !run) continue;
      const upTo = run.first + run.samples.length - 1;
      const before = offered.get(`${id} ${property}`) ?? 0;
      if (upTo > before) offered.set(`${id} ${property}`, upTo);
      const body: QuestionBody = {
        kind: 'samples.report',
        device,
        property,
        stream: run.stream,
        firstSequence: run.first,
        samples: run.samples,
        ...(run.first <= before ? { replayed: true as const } : {}),
      };
      return { key, send: { as: 'question', body }, of: { device: id, property, upTo } };
    }
    return undefined;
  }

  return {
    announce: () => listeners.forEach((listener) => listener()),
    take(isBusy, isDense) {
      if (isDense) {
        for (const device of held) store.wait(device);
        held.clear();
      }
      for (const device of store.waiting()) {
        const key = `device/${device}`;
        if (isBusy(key)) continue;
        const pending = store.next(device, isDense);
        const body = pending && toSend(pending);
        if (body) return { key, send: { as: 'question', body }, of: { report: pending.seq } };
        store.rest(device);
        if (!isDense) held.add(device);
      }
      return isDense ? takeSamples(isBusy) : undefined;
    },
    async settle({ key, of }, outcome) {
      if (!outcome.ok && !hopeless.has(outcome.status.reason ?? '')) return 'later';
      if (!outcome.ok) log.warn('the cloud did not take a report of a device', { key, reason: sayOf(outcome.status) });
      await db.write(() => {
        if ('report' in of) store.removePending(of.report);
        else store.removeSamples(of.device, of.property, of.upTo);
      });
      return 'done';
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** The device is gone, or another node's: saying it again would change nothing. */
const hopeless = new Set(['NotFound', 'Forbidden', 'Invalid', 'BadRequest', 'Gone']);
const sayOf = ({ message, reason }: Status): string => message ?? reason ?? '';
