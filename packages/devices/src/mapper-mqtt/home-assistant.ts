// Home Assistant's discovery messages: what a device says of one of its values, in long or abbreviated keys. Pure.
// https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
import type { PropertyType } from '@kedge/model/kubeedge';

export interface Entity {
  /** The device's, or the entity's own when it names no device. */
  readonly device: string;
  readonly description: string;
  readonly name: string;
  readonly type: PropertyType;
  readonly unit: string | undefined;
  readonly minimum: string | undefined;
  readonly maximum: string | undefined;
  readonly canBeWritten: boolean;
  readonly visitor: Readonly<Record<string, unknown>>;
  readonly availability: Readonly<Record<string, unknown>>;
}

const long: Readonly<Record<string, string>> = {
  avty_t: 'availability_topic',
  cmd_t: 'command_topic',
  cmd_tpl: 'command_template',
  dev: 'device',
  dev_cla: 'device_class',
  ids: 'identifiers',
  mdl: 'model',
  mf: 'manufacturer',
  obj_id: 'object_id',
  pl_avail: 'payload_available',
  pl_not_avail: 'payload_not_available',
  pl_off: 'payload_off',
  pl_on: 'payload_on',
  stat_off: 'state_off',
  stat_on: 'state_on',
  stat_t: 'state_topic',
  stat_val_tpl: 'state_value_template',
  uniq_id: 'unique_id',
  unit_of_meas: 'unit_of_measurement',
  val_tpl: 'value_template',
};

type Group = Readonly<Record<string, unknown>>;

const isGroup = (value: unknown): value is Group =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const longKeys = (group: Group): Group =>
  Object.fromEntries(Object.entries(group).map(([key, value]) => [Object.hasOwn(long, key) ? long[key]! : key, value]));
const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== ''
    ? value.slice(0, 512)
    : typeof value === 'number' || typeof value === 'boolean'
      ? String(value)
      : undefined;

/** Whether a topic is `prefix/component/[node/]object/config`. */
export const isDiscoveryTopic = (topic: string): boolean => /^[^/]+\/[^/]+\/(?:[^/]+\/)?[^/]+\/config$/.test(topic);

/** Nothing, when the message is none, or says nothing that a property can be made of. */
export function readEntity(topic: string, document: unknown): Entity | undefined {
  if (!isDiscoveryTopic(topic) || !isGroup(document)) return undefined;
  const parts = topic.split('/');
  const component = parts[1]!;
  const config = longKeys(document);
  const base = textOf(config['~']) ?? '';
  const topicOf = (key: string): string | undefined => {
    const text = textOf(config[key]);
    return text === undefined ? undefined : base === '' ? text : text.replace(/^~/, base).replace(/~$/, base);
  };
  const writeTopic = topicOf('command_topic');
  const stateTopic = topicOf('state_topic') ?? writeTopic;
  if (stateTopic === undefined) return undefined;
  const device = isGroup(config['device']) ? longKeys(config['device']) : {};
  const identifiers = device['identifiers'];
  const id = textOf(Array.isArray(identifiers) ? (identifiers as unknown[])[0] : identifiers);
  const own = textOf(config['object_id']) ?? textOf(config['name']) ?? textOf(config['unique_id']) ?? parts.at(-2)!;
  const template = textOf(config['value_template']) ?? textOf(config['state_value_template']);
  const path = template === undefined ? undefined : pathOf(template);
  const isSwitch = ['switch', 'binary_sensor', 'light', 'fan', 'siren', 'lock', 'input_boolean'].includes(component);
  const unit = textOf(config['unit_of_measurement']);
  const type: PropertyType = isSwitch ? 'BOOLEAN' : component === 'number' || unit !== undefined ? 'DOUBLE' : 'STRING';
  const on = textOf(config['state_on']) ?? textOf(config['payload_on']) ?? 'ON';
  const off = textOf(config['state_off']) ?? textOf(config['payload_off']) ?? 'OFF';
  const availabilityTopic = topicOf('availability_topic');
  return {
    device: textOf(device['name']) ?? id ?? own,
    description: [textOf(device['manufacturer']), textOf(device['model'])].filter(Boolean).join(' '),
    name: own,
    type,
    unit,
    minimum: textOf(config['min']),
    maximum: textOf(config['max']),
    canBeWritten: writeTopic !== undefined,
    visitor: {
      topic: stateTopic,
      ...(path === undefined ? {} : { jsonPath: path }),
      ...(isSwitch ? { payloadTrue: on, payloadFalse: off } : {}),
      ...(writeTopic === undefined ? {} : { writeTopic }),
    },
    availability:
      availabilityTopic === undefined
        ? {}
        : {
            availabilityTopic,
            payloadAvailable: textOf(config['payload_available']) ?? 'online',
            payloadNotAvailable: textOf(config['payload_not_available']) ?? 'offline',
          },
  };
}

/** `{{ value_json.a['b'][0] }}`, with filters behind it ignored; undefined: the template does more, or takes the payload as it is. */
function pathOf(template: string): string | undefined {
  const found = /^\s*\{\{-?\s*value_json((?:\.\w+|\[\d+\]|\['[^']*'\]|\["[^"]*"\])+)\s*(?:\|[^}]*)?-?\}\}\s*$/.exec(
    template,
  );
  return found ? `$${found[1]}` : undefined;
}
