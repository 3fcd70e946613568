// Finds devices by listening: to the discovery messages of Home Assistant, which zigbee2mqtt, Tasmota, ESPHome and others
// publish, and to whatever else is said, from which topics and JSON make proposals. Ends after a time, and keeps little.
import type { Mqtt } from '@kedge/core/ports';
import { type Clock, type Duration, seconds } from '@kedge/core/time';
import type { PropertyType } from '@kedge/model/kubeedge';
import { type DriverContext, type FoundDevice, objectName, propertyName, readConfig } from '../mapper-sdk/index.ts';
import { Broker, type Heard } from './broker.ts';
import { type Entity, isDiscoveryTopic, readEntity } from './home-assistant.ts';
import { type MqttConfig, protocolConfig, readBroker } from './settings.ts';

export interface AnnouncementOptions {
  /** As a device's `protocol.configData`. */
  readonly broker: Readonly<Record<string, unknown>>;
  readonly listenFor: Duration;
  /** Filters of discovery messages. */
  readonly discovery: readonly string[];
  /** Filters of plain topics; none: only what announces itself is found. */
  readonly topics: readonly string[];
}

const usual = ['homeassistant/+/+/config', 'homeassistant/+/+/+/config'];
/** What is kept at most while listening. */
const maxTopics = 5_000;
const maxBytes = 16 << 20;
const maxDevices = 500;
const maxProperties = 200;

/** For the SDK: `brokerURL` and the other keys of a device, `for` in seconds (10), `topics` with commas between them. */
export async function* findAnnounced(
  deps: { mqtt(): Promise<Mqtt> },
  options: Readonly<Record<string, string>>,
  context: DriverContext,
): AsyncIterable<FoundDevice> {
  const { for: listenFor, topics, ...broker } = options;
  yield* await announcements(
    await deps.mqtt(),
    {
      broker,
      listenFor: seconds(Math.min(600, Math.max(0.1, Number(listenFor ?? 10) || 10))),
      discovery: usual,
      topics: (topics ?? '').split(',').filter((topic) => topic !== ''),
    },
    context,
  );
}

/** Proposals, once it has listened for as long as asked. Throws what connecting throws. */
export async function announcements(
  mqtt: Mqtt,
  { broker: given, listenFor, discovery, topics }: AnnouncementOptions,
  { clock, random, signal }: Pick<DriverContext, 'random' | 'signal'> & { readonly clock: Clock },
): Promise<FoundDevice[]> {
  signal.throwIfAborted();
  const config: MqttConfig = readConfig(protocolConfig, given, 'the broker');
  const entities: Entity[] = [];
  const plain = new Map<string, unknown>();
  const seen = new Set<string>();
  let bytes = 0;
  const onMessage = (topic: string, { payload, length }: Heard): void => {
    if (seen.has(topic) || seen.size >= maxTopics || length === 0 || payload.length < length) return;
    if (bytes + length > maxBytes) return;
    bytes += length;
    seen.add(topic);
    const text = new TextDecoder().decode(payload);
    const document = parsed(text);
    if (isDiscoveryTopic(topic)) {
      const entity = readEntity(topic, document);
      if (entity) entities.push(entity);
    } else if (!topic.startsWith('$')) plain.set(topic, document ?? text);
  };
  const clientId = `kedge-discover-${Math.floor(random.next() * 2 ** 30).toString(36)}`;
  const broker = await Broker.open(mqtt, readBroker(config), clientId, clock, signal, onMessage);
  try {
    await broker.hear([...discovery, ...topics]);
    const lost = broker.lost.then((error) => Promise.reject(error));
    await Promise.race([clock.sleep('announcements', listenFor, signal), lost]);
  } finally {
    broker.end(new Error('the search is over'));
  }
  const announced = new Set(entities.map(({ visitor }) => visitor['topic']));
  const rest = [...plain].filter(([topic]) => !announced.has(topic));
  return [...fromEntities(entities, given), ...fromTopics(rest, given)].slice(0, maxDevices);
}

function fromEntities(entities: readonly Entity[], broker: Readonly<Record<string, unknown>>): FoundDevice[] {
  const byDevice = new Map<string, Entity[]>();
  for (const entity of entities) byDevice.set(entity.device, [...(byDevice.get(entity.device) ?? []), entity]);
  return [...byDevice].map(([device, all]) => ({
    name: objectName(device, 'device'),
    description: all[0]!.description || `announced by ${device}`,
    protocolConfig: { ...broker, ...all.find(({ availability }) => 'availabilityTopic' in availability)?.availability },
    properties: unique(
      all.map(({ name, type, unit, minimum, maximum, canBeWritten, visitor }) => ({
        name: propertyName(name),
        type,
        access: canBeWritten ? ('ReadWrite' as const) : ('ReadOnly' as const),
        ...(unit === undefined ? {} : { unit }),
        ...(minimum === undefined ? {} : { minimum }),
        ...(maximum === undefined ? {} : { maximum }),
        visitorConfig: visitor,
      })),
    ),
  }));
}

/** `hall/lamp/power` is property power of device hall-lamp; JSON has a property for each of its plain values. */
function fromTopics(
  topics: readonly (readonly [topic: string, content: unknown])[],
  broker: Readonly<Record<string, unknown>>,
): FoundDevice[] {
  const byDevice = new Map<string, FoundDevice['properties'][number][]>();
  for (const [topic, content] of topics) {
    const parts = topic.split('/').filter((part) => part !== '');
    const isGroup = typeof content === 'object' && content !== null;
    const device = (isGroup || parts.length < 2 ? parts : parts.slice(0, -1)).join('-') || 'device';
    const properties = byDevice.get(device) ?? [];
    byDevice.set(device, properties);
    for (const [path, value] of leaves(content)) {
      properties.push({
        name: propertyName(path.length === 0 ? (parts.at(-1) ?? topic) : path.join('-')),
        type: typeOf(value),
        access: 'ReadOnly',
        visitorConfig: { topic, ...(path.length === 0 ? {} : { jsonPath: toPath(path) }) },
      });
    }
  }
  return [...byDevice].map(([device, properties]) => ({
    name: objectName(device, 'device'),
    description: 'heard on its topics',
    protocolConfig: broker,
    properties: unique(properties),
  }));
}

/** Plain values in a document, three levels down. */
function leaves(content: unknown, path: readonly (string | number)[] = []): [(string | number)[], unknown][] {
  if (typeof content !== 'object' || content === null) return content === null ? [] : [[[...path], content]];
  if (path.length >= 3) return [];
  const entries: [string | number, unknown][] = Array.isArray(content)
    ? (content as unknown[]).slice(0, 8).map((value, n) => [n, value])
    : Object.entries(content).filter(([key]) => !/['"]/.test(key));
  return entries.flatMap(([key, value]) => leaves(value, [...path, key]));
}

const toPath = (path: readonly (string | number)[]): string =>
  `$${path.map((one) => (typeof one === 'number' ? `[${one}]` : /^\w+$/.test(one) ? `.${one}` : `['${one}']`)).join('')}`;

function typeOf(value: unknown): PropertyType {
  if (typeof value === 'boolean' || value === 'true' || value === 'false') return 'BOOLEAN';
  if (typeof value === 'number') return 'DOUBLE';
  return typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value)) ? 'DOUBLE' : 'STRING';
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Names once each, and no more than a device can have. */
function unique(properties: readonly FoundDevice['properties'][number][]): FoundDevice['properties'] {
  const names = new Set<string>();
  return properties.slice(0, maxProperties).map((property) => {
    let { name } = property;
    for (let n = 2; names.has(name); n++) name = `${property.name}-${n}`;
    names.add(name);
    return { ...property, name };
  });
}
