// The room warms up to what is wanted, stays there, and cools down when it is told to.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advance, coldRoom } from './thermostat.ts';

test('the room goes to its target and stays there', () => {
  let room = { ...coldRoom, target: 24 };
  assert.ok(advance(room, 5).temperature > room.temperature + 0.5);
  for (let second = 60; second < 120; second++) {
    room = advance(room, second === 60 ? 60 : 1);
    assert.ok(Math.abs(room.temperature - 24) < 0.3, `${room.temperature}`);
  }
});

test('a lower target lets it cool down, and the heater is off meanwhile', () => {
  const room = advance({ ...coldRoom, temperature: 22, target: 20 }, 5);
  assert.equal(room.heating, false);
  assert.ok(room.temperature < 21.5 && room.temperature > 20);
});

test('switched off, it loses its heat whatever is wanted', () => {
  const room = advance({ ...coldRoom, enabled: false }, 600);
  assert.equal(room.heating, false);
  assert.ok(room.temperature < 12.1 && room.temperature > 11.9);
});

test('how often somebody looks changes nothing to speak of', () => {
  let often = coldRoom;
  for (let n = 0; n < 200; n++) often = advance(often, 0.1);
  assert.ok(Math.abs(often.temperature - advance(coldRoom, 20).temperature) < 0.01);
});
