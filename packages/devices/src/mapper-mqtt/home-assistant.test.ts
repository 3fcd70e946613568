// Discovery messages as devices in the field publish them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEntity } from './home-assistant.ts';

test('a sensor of zigbee2mqtt', () => {
  const entity = readEntity('homeassistant/sensor/0x00158d/temperature/config', {
    availability: [{ topic: 'zigbee2mqtt/bridge/state' }],
    device: { identifiers: ['zigbee2mqtt_0x00158d'], manufacturer: 'Xiaomi', model: 'WSDCGQ11LM', name: 'Hall' },
    name: 'Temperature',
    state_topic: 'zigbee2mqtt/Hall',
    unit_of_measurement: '°C',
    value_template: '{{ value_json.temperature }}',
  });
  assert.deepEqual(entity, {
    device: 'Hall',
    description: 'Xiaomi WSDCGQ11LM',
    name: 'Temperature',
    type: 'DOUBLE',
    unit: '°C',
    minimum: undefined,
    maximum: undefined,
    canBeWritten: false,
    visitor: { topic: 'zigbee2mqtt/Hall', jsonPath: '$.temperature' },
    availability: {},
  });
});

test('a switch in abbreviated keys, as Tasmota and ESPHome write it', () => {
  const entity = readEntity('homeassistant/switch/plug/config', {
    '~': 'tele/plug',
    name: 'Plug',
    stat_t: '~/STATE',
    cmd_t: 'cmnd/plug/POWER',
    val_tpl: "{{value_json['POWER'] | upper}}",
    pl_on: 'AN',
    pl_off: 'AUS',
    avty_t: '~/LWT',
    pl_avail: 'Online',
    dev: { ids: 'plug-1' },
  });
  assert.equal(entity?.device, 'plug-1');
  assert.equal(entity.type, 'BOOLEAN');
  assert.deepEqual(entity.visitor, {
    topic: 'tele/plug/STATE',
    jsonPath: "$['POWER']",
    payloadTrue: 'AN',
    payloadFalse: 'AUS',
    writeTopic: 'cmnd/plug/POWER',
  });
  assert.deepEqual(entity.availability, {
    availabilityTopic: 'tele/plug/LWT',
    payloadAvailable: 'Online',
    payloadNotAvailable: 'offline',
  });
});

test('what is no announcement is none', () => {
  for (const [topic, document] of [
    ['homeassistant/sensor/x/config', undefined],
    ['homeassistant/sensor/x/config', []],
    ['homeassistant/sensor/x/config', { name: 'no topics' }],
    ['homeassistant/sensor/x/state', { state_topic: 'x' }],
    ['a/config', { state_topic: 'x' }],
  ] as const) {
    assert.equal(readEntity(topic, document), undefined, topic);
  }
});
