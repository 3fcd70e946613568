import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seconds } from '@kedge/core/time';
import { assert as assertProperty, json, oneof, property, string } from 'fast-check';
import { checkDeviceModel, type DeviceModel, deviceRulesAnnotation, readDeviceRules } from './index.ts';

const model = (text: string | undefined): DeviceModel => ({
  metadata: {
    name: 'm',
    namespace: 'default',
    ...(text === undefined ? {} : { annotations: { [deviceRulesAnnotation]: text } }),
  },
  spec: {
    properties: [
      { name: 'temperature', type: 'FLOAT' },
      { name: 'door', type: 'BOOLEAN' },
    ],
  },
});
const hot = { name: 'too-hot', property: 'temperature', operator: '>', threshold: 80 };

describe('rules of a model', () => {
  test('are read with their defaults', () => {
    const door = { name: 'door', property: 'door', operator: '==', threshold: true, for: '30s', severity: 'critical' };
    const { rules, problems } = readDeviceRules(
      model(JSON.stringify([{ ...hot, hysteresis: 2, message: 'hot' }, door])),
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(rules, [
      { ...hot, hysteresis: 2, for: 0, severity: 'warning', message: 'hot' },
      { ...door, threshold: 'true', hysteresis: 0, for: seconds(30), message: '' },
    ]);
    assert.deepEqual(readDeviceRules(model(undefined)), { rules: [], problems: [] });
  });

  const wrong: [unknown, string, RegExp][] = [
    ['{', '', /is not JSON .*: write a list such as/],
    [{ ...hot }, '', /is not a list/],
    [['x'], '[0]', /is not an object/],
    [[{ ...hot, name: 'Too Hot' }], '[0].name', /needs 1 to 63 lower-case/],
    [[hot, hot], '[1].name', /which another rule has/],
    [
      [{ ...hot, property: 'humidity' }],
      '[0].property',
      /is "humidity", needs one of the model's: "temperature", "door"/,
    ],
    [[{ ...hot, operator: '=>' }], '[0].operator', /is "=>", needs one of ">", ">="/],
    [[{ ...hot, threshold: '80' }], '[0].threshold', /needs a number/],
    [[{ ...hot, property: 'door' }], '[0].operator', /door is no number \(BOOLEAN\): use == or !=/],
    [[{ ...hot, hysteresis: -1 }], '[0].hysteresis', /not negative/],
    [[{ ...hot, operator: '==', hysteresis: 1 }], '[0].hysteresis', /leave it out/],
    [[{ ...hot, for: 30 }], '[0].for', /is 30, needs a duration such as "30s"/],
    [[{ ...hot, severity: 'bad' }], '[0].severity', /needs one of "info", "warning", "critical"/],
    [[{ ...hot, message: 'x'.repeat(300) }], '[0].message', /at most 256/],
    [[{ ...hot, treshold: 1 }], '[0].treshold', /is not known: a rule has name, property/],
    [Array.from({ length: 101 }, (_, n) => ({ ...hot, name: `r${n}` })), '', /has 101 rules, over 100/],
  ];
  for (const [rules, at, say] of wrong) {
    const text = typeof rules === 'string' ? rules : JSON.stringify(rules);
    test(`${text.slice(0, 80)} is refused with where and why`, () => {
      const [problem] = checkDeviceModel(model(text));
      assert.equal(problem?.path, `metadata.annotations["devices.kedge.io/rules"]${at}`);
      assert.match(problem.say, say);
    });
  }

  test('of any text give rules or problems', () => {
    assertProperty(
      property(oneof(string(), json()), (text) => {
        const { rules } = readDeviceRules(model(text));
        assert.ok(Array.isArray(rules));
      }),
    );
  });
});
