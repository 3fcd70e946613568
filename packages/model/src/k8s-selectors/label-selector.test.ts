import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isStatus } from '../k8s/index.ts';
import {
  checkLabelSelector,
  formatLabelSelector,
  labelSelectorOf,
  matchesLabels,
  parseLabelSelector,
} from './index.ts';

const web = { app: 'web', tier: 'front', size: '10', empty: '' };

describe('label selectors as text', () => {
  const cases: readonly [string, boolean][] = [
    ['', true],
    ['app', true],
    ['!app', false],
    ['!old', true],
    ['! old', true],
    ['app=web', true],
    ['app == web', true],
    ['app=db', false],
    ['app!=db', true],
    ['missing!=db', true],
    ['empty=', true],
    ['app=', false],
    ['tier in (front,back)', true],
    ['tier in (back)', false],
    ['tier notin (back)', true],
    ['missing notin (x)', true],
    ['empty in ()', true],
    ['empty in (,x)', true],
    ['size>9', true],
    ['size<10', false],
    ['app>1', false],
    ['app=web,tier=front,!old', true],
    ['app=web,tier=back', false],
    ['in', false],
    ['in in (in)', false],
    ['kubernetes.io/hostname=x', false],
  ];
  for (const [text, matches] of cases) {
    it(`${text || '(empty)'} ${matches ? 'selects' : 'does not select'} the object`, () => {
      assert.equal(matchesLabels(parseLabelSelector(text), web), matches);
    });
  }

  const refusals: readonly [string, RegExp][] = [
    ['app=web,', /found '', expected: identifier after ','/],
    ['=web', /found '=', expected: !, identifier, or 'end of string'/],
    ['app in web', /found 'web', expected: '\('/],
    ['app in (a', /found '', expected: ',' or '\)'/],
    ['app web', /found 'web', expected: in, notin, =, ==, !=, gt, lt/],
    ['app>x', /must be an integer/],
    ['a/b/c=x', /a qualified name must consist of/],
    ['app=-x', /a valid label must be an empty string or/],
    ['!app=web', /found '='/],
  ];
  for (const [text, why] of refusals) {
    it(`refuses ${text} with a reason`, () => {
      assert.throws(
        () => parseLabelSelector(text),
        (error) => isStatus(error, 'BadRequest') && why.test(error.message),
      );
    });
  }

  it('writes a selector so that it reads back the same', () => {
    const text = '!old,app=web,size>3,tier in (a,b),zone notin (c,d)';
    assert.equal(formatLabelSelector(parseLabelSelector(text)), 'app=web,!old,size>3,tier in (a,b),zone notin (c,d)');
  });
});

describe('label selectors as objects', () => {
  it('select everything when empty and nothing when absent', () => {
    assert.equal(matchesLabels(labelSelectorOf({}), web), true);
    assert.equal(matchesLabels(labelSelectorOf(undefined), web), false);
  });

  it('need all labels and all expressions', () => {
    const selector = labelSelectorOf({
      matchLabels: { app: 'web' },
      matchExpressions: [
        { key: 'tier', operator: 'NotIn', values: ['back'] },
        { key: 'old', operator: 'DoesNotExist' },
      ],
    });
    assert.equal(matchesLabels(selector, web), true);
    assert.equal(matchesLabels(selector, { app: 'web', old: '' }), false);
  });

  it('report every wrong expression with its path', () => {
    const errors = checkLabelSelector(
      {
        matchExpressions: [
          { key: 'a', operator: 'In' },
          { key: 'b', operator: 'Exists', values: ['x'] },
          { key: 'c', operator: 'Is' },
        ],
      },
      'spec.selector',
    );
    assert.deepEqual(
      errors.map(({ field, message }) => `${field}: ${message}`),
      [
        "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
        "spec.selector.matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        'spec.selector.matchExpressions[2].operator: Invalid value: "Is": not a valid selector operator',
      ],
    );
  });
});
