// CEL with Kubernetes' functions: what expressions evaluate to, and what rules of a schema say about objects.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Schema } from '../k8s-schema/index.ts';
import { checkRules, compile, compileSchemaRules, loadCel, Meter, toDynamic } from './index.ts';

const cel = await loadCel();

function evaluated(text: string, self: unknown = {}): unknown {
  const compiled = compile(
    cel.open().registerVariable('self', 'dyn'),
    text,
    ['bool', 'int', 'string', 'double'],
    'type',
  );
  if (!compiled.ok) return compiled.why;
  const outcome = compiled.expression.evaluate({ self: toDynamic(self) }, new Meter());
  return outcome.ok ? outcome.value : `error: ${outcome.why}`;
}

const truths = `
  [1, 2, 3].sum() == 6 && [1.5, 2.0].sum() == 3.5 && [duration('1m'), duration('1s')].sum() == duration('61s')
  [3, 1, 2].min() == 1 && ['a', 'c'].max() == 'c' && !['b', 'a'].isSorted() && [1, 1, 2].isSorted()
  [1, 2, 2].indexOf(2) == 1 && [1, 2, 2].lastIndexOf(2) == 2 && ['a'].indexOf('b') == -1
  sets.contains([1, 2], [2]) && sets.equivalent([1, 2, 2], [2, 1]) && !sets.intersects([1], [2])
  'abc 123 def 456'.find('[0-9]+') == '123' && 'abc'.find('[0-9]+') == ''
  '123 abc 456'.findAll('[0-9]+') == ['123', '456'] && '1 2 3'.findAll('[0-9]', 2) == ['1', '2']
  'web-1'.matches('^[a-z]+-[0-9]$') && !'Web'.matches('^[a-z]+$') && 'Web'.matches('(?i)^web$')
  'tacocat'.charAt(3) == 'o' && 'a-b-c'.replace('-', '+', 1) == 'a+b-c' && 'a,b'.split(',') == ['a', 'b']
  ['a', 'b'].join('-') == 'a-b' && 'TacoCat'.lowerAscii() == 'tacocat' && ' x '.trim() == 'x'
  'n=%d s=%s f=%.2f x=%x'.format([42, 'str', 3.14159, 255]) == 'n=42 s=str f=3.14 x=ff'
  strings.quote('a"b') == '"a\\\\"b"'
  url('https://u@example.com:80/a/b?x=1&x=2').getHost() == 'example.com:80' && url('/p?q').getScheme() == ''
  url('https://[::1]:80/').getHostname() == '::1' && url('https://x:80/').getPort() == '80'
  url('https://x/a?k=v1&k=v2').getQuery()['k'] == ['v1', 'v2'] && !isURL('../relative') && isURL('https://x')
  ip('127.0.0.1').isLoopback() && ip('::1').family() == 6 && ip('fe80::1').isLinkLocalUnicast()
  ip.isCanonical('2001:db8::1') && !ip.isCanonical('2001:db8:0::1') && !isIP('1.2.3') && string(ip('::FFFF')) == '::ffff'
  cidr('192.168.0.0/16').containsIP('192.168.7.1') && cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')
  cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && cidr('::1/128').prefixLength() == 128 && !isCIDR('1.2.3.4')
  quantity('1.5Gi').isGreaterThan(quantity('1500M')) && quantity('500m').add(quantity('500m')) == quantity('1')
  quantity('3').asInteger() == 3 && !quantity('1500m').isInteger() && quantity('1').sub(2).sign() == -1 && !isQuantity('x')
  !format.dns1123Label().validate('web-1').hasValue() && format.named('uuid').value().validate('x').hasValue()
  self.list.all(x, x.n > 0) && self.list.exists(x, x.n == 2) && self.list.map(x, x.n).sum() == 3
  has(self.a) && !has(self.b) && self.?b.orValue('none') == 'none' && self.map.all(k, self.map[k] != '')
  'k' in self.map && self.a in ['x', 'y'] && type(self.a) == string && size(self.list) == 2
  timestamp('2024-01-02T03:04:05Z') - timestamp('2024-01-02T03:04:00Z') == duration('5s')
  timestamp('2024-03-04T05:06:07Z').getFullYear() == 2024 && duration('90m').getHours() == 1
`;
const self = { a: 'x', list: [{ n: 1 }, { n: 2 }], map: { k: 'v' } };
for (const truth of truths
  .split('\n')
  .map((line) => line.trim())
  .filter(Boolean)) {
  test(truth, () => assert.equal(evaluated(truth, self), true));
}

test('what cannot be compiled says where', () => {
  assert.equal(
    evaluated('self.a ==\n  other'),
    "compilation failed: ERROR: <input>:2:3: undeclared reference to 'other' (in container '')\n |   other\n | ..^",
  );
  assert.match(String(evaluated('1 +')), /^compilation failed: ERROR: <input>:1:4: Syntax error: /);
  assert.equal(
    evaluated('1 + "a"'),
    "compilation failed: ERROR: <input>:1:3: found no matching overload for '_+_' applied to '(int, string)'\n | 1 + \"a\"\n | ..^",
  );
  assert.match(String(evaluated('self.a == "x" ? 1 : "b"')), /^compilation failed/);
});

test('what goes wrong at run time is an error, unless the other side of || decides', () => {
  assert.equal(evaluated('self.nothing == 1'), 'error: no such key: nothing');
  assert.equal(evaluated('self.nothing == 1 || true'), true);
  assert.match(String(evaluated('1 / 0 == 1')), /division by zero/);
  assert.match(String(evaluated('quantity("x").isInteger()')), /^error: quantities must match/);
});

describe('an expression that costs too much is stopped', () => {
  const many = { list: Array.from({ length: 2_000 }, (_, at) => at) };
  for (const text of [
    'self.list.all(x, self.list.all(y, x + y >= 0))',
    'self.list.exists(x, self.list.exists(y, self.list.exists(z, x + y + z < 0))) || true',
    'self.list.all(x, self.list == self.list)',
    'self.list.all(x, x in self.list)',
    'self.list.map(x, self.list.map(y, y)).size() > 0',
  ]) {
    test(text, () => {
      const from = performance.now();
      assert.equal(evaluated(text, many), 'error: operation cancelled: actual cost limit exceeded');
      assert.ok(performance.now() - from < 3_000);
    });
  }
});

const spec = (more: Schema): Schema => ({
  type: 'object',
  properties: {
    replicas: { type: 'integer' },
    max: { type: 'integer' },
    name: { type: 'string', maxLength: 20 },
    'dashed-name': { type: 'string', maxLength: 20 },
    until: { type: 'string', format: 'date-time' },
    every: { type: 'string', format: 'duration' },
    port: { 'x-kubernetes-int-or-string': true },
    labels: { type: 'object', maxProperties: 10, additionalProperties: { type: 'string', maxLength: 10 } },
    items: {
      type: 'array',
      maxItems: 10,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['key'],
      items: {
        type: 'object',
        required: ['key'],
        properties: { key: { type: 'string', maxLength: 10 }, size: { type: 'integer' } },
        'x-kubernetes-validations': [{ rule: 'self.size >= oldSelf.size', message: 'must not shrink' }],
      },
    },
  },
  ...more,
});

function outcome(schema: Schema, value: unknown, old?: unknown): string[] {
  const { rules, errors } = compileSchemaRules(cel, schema, 'schema');
  assert.deepEqual(errors, []);
  return checkRules(cel, rules, schema, value, old, new Meter()).map(({ field, message }) => `${field}: ${message}`);
}

describe('rules of a schema', () => {
  const rule = (text: string, more: object = {}): Schema =>
    spec({ 'x-kubernetes-validations': [{ rule: text, ...more }] });

  test('see fields by their types', () => {
    const value = {
      replicas: 2,
      max: 3,
      'dashed-name': 'x',
      until: '2024-01-01T00:00:00Z',
      every: '1h',
      port: 80,
      labels: { a: 'b' },
    };
    for (const text of [
      'self.replicas <= self.max',
      "self.dashed__dash__name == 'x'",
      'self.until < timestamp("2025-01-01T00:00:00Z") && self.every == duration("60m")',
      'type(self.port) == int ? self.port < 100 : self.port.endsWith("%")',
      'self.labels.all(k, self.labels[k] != "") && !has(self.name)',
    ]) {
      assert.deepEqual(outcome(rule(text), value), [], text);
    }
  });

  test('say what failed, where and why', () => {
    const value = { replicas: 5, max: 3 };
    const bad = 'self.replicas <= self.max';
    assert.deepEqual(outcome(rule(bad), value), [
      '<nil>: Invalid value: "object": failed rule: self.replicas <= self.max',
    ]);
    assert.deepEqual(outcome(rule(bad, { message: 'too many', fieldPath: '.replicas' }), value), [
      'replicas: Invalid value: "object": too many',
    ]);
    assert.deepEqual(outcome(rule(bad, { messageExpression: '"%d > %d".format([self.replicas, self.max])' }), value), [
      '<nil>: Invalid value: "object": 5 > 3',
    ]);
    assert.deepEqual(outcome(rule(bad, { reason: 'FieldValueForbidden', message: 'no' }), value), [
      '<nil>: Forbidden: no',
    ]);
    assert.deepEqual(outcome(rule('self.name == "x"'), {}), [
      '<nil>: Invalid value: "object": no such key: name evaluating rule: failed rule: self.name == "x"',
    ]);
  });

  test('compare with the state before where there is one, matching items of lists by their keys', () => {
    const immutable = rule('self.name == oldSelf.name', { message: 'is immutable' });
    assert.deepEqual(outcome(immutable, { name: 'a' }), []);
    assert.deepEqual(outcome(immutable, { name: 'b' }, { name: 'a' }), [
      '<nil>: Invalid value: "object": is immutable',
    ]);
    const items = (...sizes: [string, number][]) => ({ items: sizes.map(([key, size]) => ({ key, size })) });
    assert.deepEqual(outcome(spec({}), items(['b', 2], ['a', 0], ['c', 0]), items(['a', 1], ['b', 1])), [
      'items[1]: Invalid value: "object": must not shrink',
    ]);
    const optional = rule('!oldSelf.hasValue() || self.max >= oldSelf.value().max', { optionalOldSelf: true });
    assert.deepEqual(outcome(optional, { max: 1 }), []);
    assert.deepEqual(outcome(optional, { max: 1 }, { max: 1 }), []);
    assert.equal(outcome(optional, { max: 1 }, { max: 2 }).length, 1);
  });

  test('leave alone what was wrong before and has not changed', () => {
    const schema = rule('self.replicas < 3');
    assert.equal(outcome(schema, { replicas: 5 }).length, 1);
    assert.deepEqual(outcome(schema, { replicas: 5 }, { replicas: 5 }), []);
    assert.equal(outcome(schema, { replicas: 6 }, { replicas: 5 }).length, 1);
  });
});

test('rules that cannot be are refused with the definition', () => {
  const broken: [object, string, RegExp][] = [
    [{ rule: 'self.nothing == 1' }, 'rule', /undefined field 'nothing'/],
    [{ rule: 'self.name' }, 'rule', /must evaluate to a bool/],
    [{ rule: 'true', messageExpression: '1' }, 'messageExpression', /must evaluate to a string/],
    [{ rule: '' }, 'rule', /rule is not specified/],
    [{ rule: 'true', reason: 'Because' }, 'reason', /supported values/],
    [{ rule: 'true', fieldPath: '.nothing' }, 'fieldPath', /must be a valid path/],
    [{ rule: 'true', optionalOldSelf: true }, 'optionalOldSelf', /may not be set if oldSelf is not used/],
    [{ rule: 'self.name == "a" &&\nself.max == 1' }, 'message', /line breaks/],
  ];
  for (const [rule, field, says] of broken) {
    const { errors } = compileSchemaRules(cel, spec({ 'x-kubernetes-validations': [rule as never] }), 'schema');
    assert.deepEqual(
      errors.map((error) => error.field),
      [`schema.x-kubernetes-validations[0].${field}`],
      JSON.stringify(rule),
    );
    assert.match(errors[0]!.message, says);
  }
});

test('a rule cannot look back where nothing tells which item was which', () => {
  const { errors } = compileSchemaRules(
    cel,
    {
      type: 'object',
      properties: {
        list: {
          type: 'array',
          maxItems: 5,
          items: { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self >= oldSelf' }] },
        },
      },
    },
    's',
  );
  assert.deepEqual(
    errors.map(({ field, message }) => `${field}: ${message}`),
    [
      's.properties[list].items.x-kubernetes-validations[0].rule: Invalid value: "self >= oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within s.properties[list]',
    ],
  );
});

test('a rule that could cost too much is refused with the definition, and let through with limits', () => {
  const list = (limits: object, inner: object): Schema => ({
    type: 'object',
    properties: { list: { type: 'array', items: { type: 'string', ...inner }, ...limits } },
    'x-kubernetes-validations': [{ rule: 'self.list.all(x, self.list.exists_one(y, x == y))' }],
  });
  const { errors } = compileSchemaRules(cel, list({}, {}), 's');
  assert.match(errors[0]!.message, /^Forbidden: estimated rule cost exceeds budget by factor of more than 100x/);
  assert.deepEqual(compileSchemaRules(cel, list({ maxItems: 50 }, { maxLength: 50 }), 's').errors, []);
});
