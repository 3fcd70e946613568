// What is known of one device's values: what edges reported, merged by property, newest wins. Decides whether a report is
// news, and keeps who waits for which state of it to be in the API.
import { parseTime } from '@kedge/core/time';
import type {
  DeviceProperty,
  DeviceStatusFields,
  StatusCondition,
  TwinProperty,
  TwinStatus,
} from '@kedge/model/kubeedge';
import type { DeviceCondition, Twin, Twins, TwinSide, TwinVersion } from '@kedge/model/messages';

/** One side of a twin as it stands or will stand in the status. */
interface Known {
  readonly value: string;
  /** Unix milliseconds at the edge; undefined where it did not say. */
  readonly at: number | undefined;
  readonly type: string | undefined;
  /** How many changes the edge had counted; unknown of what was read from the API. */
  readonly version: number | undefined;
}

interface KnownTwin {
  reported?: Known | undefined;
  observedDesired?: Known | undefined;
}

/** `value`: something else is to be written; `time`: the same again, later; `nothing`: old, or heard before. */
export type News = 'value' | 'time' | 'nothing';

/**
 * An edge repeats a report that it heard no answer to, upstream's after every connect and once a minute. What comes when a
 * link has stood for longer than this is new, whatever the edge counts and its clock says.
 */
const repeatsFor = 150_000;

export class DeviceRecord {
  readonly uid: string;
  readonly node: string;
  readonly #twins = new Map<string, KnownTwin>();
  readonly #unknown = new Set<string>();
  state: string | undefined;
  lastOnlineTime: string | undefined;
  edgeConditions: readonly DeviceCondition[] = [];
  /** When the edge last said something, Unix milliseconds here. */
  heardAt: number | undefined;
  /** Counts what is to be written. */
  revision = 0;
  /** The last revision that is in the API. */
  written = 0;
  /** Something besides values is to be written: a later time, a condition. */
  isDirty = false;
  /** The conditions as last written, without times. */
  conditions: readonly StatusCondition[] = [];
  #trustsAllFrom: number;
  #stateAt = 0;

  /** `mayRepeat`: the edge may still repeat what it said to an earlier one of us. */
  constructor(uid: string, node: string, now: number, mayRepeat: boolean) {
    this.uid = uid;
    this.node = node;
    this.#trustsAllFrom = mayRepeat ? now + repeatsFor : now;
  }

  /** The edge may repeat what it said before. */
  connected(now: number): void {
    this.#trustsAllFrom = now + repeatsFor;
  }

  /** The edge may have lost its store: it counts anew, and repeats nothing. */
  distrusted(now: number): void {
    this.#trustsAllFrom = now;
    for (const [property, { reported, observedDesired }] of this.#twins) {
      this.#twins.set(property, { reported: uncounted(reported), observedDesired: uncounted(observedDesired) });
    }
  }

  /** What the API has, from an earlier or another cloudcore: taken where it is newer. */
  learn(
    { twins = [], state, lastOnlineTime }: DeviceStatusFields,
    conditions: readonly StatusCondition[],
    versions: Readonly<Record<string, unknown>> = {},
  ): void {
    for (const { propertyName, reported, observedDesired } of twins) {
      if (!propertyName) continue;
      const known = this.#twins.get(propertyName) ?? {};
      const [ofReported, ofObserved] = readVersions(versions[propertyName]);
      this.#twins.set(propertyName, {
        reported: later(known.reported, readSide(reported, ofReported)),
        observedDesired: later(known.observedDesired, readSide(observedDesired, ofObserved)),
      });
    }
    this.state = state ?? this.state;
    this.lastOnlineTime = lastOnlineTime ?? this.lastOnlineTime;
    if (conditions.length === 0) return;
    this.conditions = conditions;
    this.edgeConditions = conditions.filter(({ type }) => !ownConditions.has(type)).map(readCondition);
  }

  /** Properties that the device has not are left out, and noted. */
  merge(twins: Twins, properties: ReadonlySet<string>, now: number): News {
    let news: News = 'nothing';
    for (const [property, twin] of Object.entries(twins)) {
      if (!properties.has(property)) {
        if (this.#unknown.size < maxUnknown) this.#unknown.add(property);
        continue;
      }
      news = newer(news, twin === null ? this.#forget(property) : this.#mergeTwin(property, twin, now));
    }
    return this.#noted(news);
  }

  setState(state: string, lastOnlineTime: string, at: number): News {
    if (at !== 0 && at < this.#stateAt) return 'nothing';
    this.#stateAt = at;
    const isNew = state !== this.state;
    this.state = state;
    // Upstream's edge erases it when a device goes offline; when it was last online is then what one wants to know.
    if (lastOnlineTime !== '') {
      if (lastOnlineTime === this.lastOnlineTime && !isNew) return 'nothing';
      this.lastOnlineTime = lastOnlineTime;
    }
    return this.#noted(isNew ? 'value' : 'time');
  }

  setConditions(conditions: readonly DeviceCondition[]): News {
    if (JSON.stringify(conditions) === JSON.stringify(this.edgeConditions)) return 'nothing';
    this.edgeConditions = conditions;
    return this.#noted('value');
  }

  get hasTwins(): boolean {
    return this.#twins.size > 0;
  }

  /** The twins of these properties, in their order. */
  twins(properties: readonly DeviceProperty[]): TwinStatus[] {
    return properties.flatMap(({ name = '' }) => {
      const twin = this.#twins.get(name);
      if (!twin?.reported && !twin?.observedDesired) return [];
      // Upstream writes both sides always.
      return [
        { propertyName: name, reported: writeSide(twin.reported), observedDesired: writeSide(twin.observedDesired) },
      ];
    });
  }

  /** By property; null takes away what was left by one that is no more. */
  edgeVersions(properties: readonly DeviceProperty[]): Record<string, string | null> {
    const names = new Set(properties.map(({ name }) => name));
    const versions: Record<string, string | null> = {};
    for (const [property, { reported, observedDesired }] of this.#twins) {
      const isKnown = reported?.version !== undefined || observedDesired?.version !== undefined;
      if (!names.has(property)) versions[property] = null;
      else if (isKnown) versions[property] = `${reported?.version ?? ''}/${observedDesired?.version ?? ''}`;
    }
    return versions;
  }

  reportedValue(property: string): string | undefined {
    return this.#twins.get(property)?.reported?.value;
  }

  /** Reported, but not in the device's spec. */
  unknownProperties(properties: ReadonlySet<string>): string[] {
    for (const property of this.#unknown) if (properties.has(property)) this.#unknown.delete(property);
    return [...this.#unknown];
  }

  #noted(news: News): News {
    if (news === 'value') this.revision++;
    if (news === 'time') this.isDirty = true;
    return news;
  }

  #forget(property: string): News {
    return this.#twins.delete(property) ? 'value' : 'nothing';
  }

  #mergeTwin(property: string, twin: Twin, now: number): News {
    const known = this.#twins.get(property) ?? {};
    const type = twin.metadata?.type;
    const reported = this.#take(known.reported, twin.actual, twin.actual_version, type, now);
    const observed = this.#take(known.observedDesired, twin.expected, twin.expected_version, type, now);
    this.#twins.set(property, { reported: reported.side, observedDesired: observed.side });
    return newer(reported.news, observed.news);
  }

  #take(
    known: Known | undefined,
    side: TwinSide | undefined,
    version: TwinVersion | undefined,
    type: string | undefined,
    now: number,
  ): { side: Known | undefined; news: News } {
    if (side?.value === undefined) return { side: known, news: 'nothing' };
    const next: Known = { value: side.value, at: side.metadata?.timestamp, type, version: version?.edge };
    if (!known) return { side: next, news: 'value' };
    if (isStale(next, known, now < this.#trustsAllFrom)) {
      return { side: learnVersion(known, next), news: 'nothing' };
    }
    if (next.value !== known.value || next.type !== known.type) return { side: next, news: 'value' };
    return { side: next, news: next.at === known.at ? 'nothing' : 'time' };
  }
}

/** The conditions that are worked out here; all others are the edge's. */
export const ownConditions: ReadonlySet<string> = new Set(['Valid', 'Placed', 'ValuesValid', 'Reachable']);

const readCondition = ({ type, status, reason = '', message = '', lastTransitionTime }: StatusCondition) => {
  const since = lastTransitionTime === undefined ? undefined : parseTime(lastTransitionTime);
  return { type, status, reason, message, since: since ?? 0 };
};

const later = (known: Known | undefined, stored: Known | undefined): Known | undefined =>
  known && (!stored || (stored.at ?? 0) <= (known.at ?? 0)) ? known : stored;

const uncounted = (side: Known | undefined): Known | undefined => side && { ...side, version: undefined };

/** Names of properties nobody knows are a stranger's choice. */
const maxUnknown = 32;

const ranks: readonly News[] = ['nothing', 'time', 'value'];
const newer = (a: News, b: News): News => (ranks.indexOf(a) >= ranks.indexOf(b) ? a : b);

/**
 * Whether `next` was said before `known`. The edge counts its changes, and its clock may jump: what has a higher count is
 * newer. A lower count is older; or the edge began to count anew, which it is believed when it repeats nothing any more.
 */
export function isStale(
  next: Pick<Known, 'at' | 'version'>,
  known: Pick<Known, 'at' | 'version'>,
  mayRepeat: boolean,
): boolean {
  const isEarlier = next.at !== undefined && known.at !== undefined && next.at < known.at;
  if (next.version === undefined || known.version === undefined) return isEarlier && mayRepeat;
  if (next.version === known.version) return isEarlier && mayRepeat;
  return next.version < known.version && mayRepeat;
}

/** The very same report tells the count of what was read from the API. */
const learnVersion = (known: Known, next: Known): Known =>
  known.version === undefined && next.at === known.at && next.value === known.value
    ? { ...known, version: next.version }
    : known;

/** `7/3`: of the reported and of the observed desired value; nothing where it is not known. */
function readVersions(text: unknown): [number | undefined, number | undefined] {
  const [, reported, observed] = (typeof text === 'string' && /^(\d{1,15})?\/(\d{1,15})?$/.exec(text)) || [];
  return [reported ? Number(reported) : undefined, observed ? Number(observed) : undefined];
}

function readSide(side: TwinProperty | undefined, version: number | undefined): Known | undefined {
  // What was written for a side that was never reported.
  if (side === undefined || (side.value === '' && side.metadata === undefined)) return undefined;
  const at = Number(side.metadata?.['timestamp'] ?? Number.NaN);
  return {
    value: side.value,
    at: Number.isFinite(at) ? at : undefined,
    type: side.metadata?.['type'],
    version,
  };
}

function writeSide(side: Known | undefined): TwinProperty {
  if (!side) return { value: '' };
  const metadata: Record<string, string> = {
    ...(side.at === undefined ? {} : { timestamp: String(side.at) }),
    ...(side.type === undefined ? {} : { type: side.type }),
  };
  return { value: side.value, ...(Object.keys(metadata).length === 0 ? {} : { metadata }) };
}
