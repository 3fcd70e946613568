import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  asPrefix,
  checkConfigMapKey,
  checkDns1035Label,
  checkDns1123Label,
  checkDns1123Subdomain,
  checkEnvVarName,
  checkLabelValue,
  checkPortName,
  checkQualifiedName,
  invalidField,
  invalidObject,
  requiredField,
  unsupportedField,
} from './index.ts';

describe('names', () => {
  const cases: readonly [string, (value: string) => string[], readonly string[], readonly string[]][] = [
    ['a DNS label', checkDns1123Label, ['a', '1-a', 'a'.repeat(63)], ['', 'A', '-a', 'a.b', 'a'.repeat(64), 'a\n']],
    ['a DNS subdomain', checkDns1123Subdomain, ['a.b-c.1', 'a'.repeat(253)], ['a..b', 'a_b', '.a', 'a'.repeat(254)]],
    ['a service name', checkDns1035Label, ['web-1'], ['1-web', 'Web']],
    ['a label value', checkLabelValue, ['', 'A_b.c-1'], ['-a', 'a b', 'a'.repeat(64)]],
    ['a label key', checkQualifiedName, ['app', 'example.com/App_1'], ['', '/a', 'a/', 'a/b/c', 'UPPER.com/a', '-a']],
    ['a ConfigMap key', checkConfigMapKey, ['a.b', '.hidden', '_x-1'], ['', '.', '..', '..a', 'a/b', 'a b']],
    ['an environment variable', checkEnvVarName, ['A', '1a', 'a b'], ['', 'a=b', 'é']],
    ['a port name', checkPortName, ['http', 'p-1'], ['', '80', 'a--b', '-a', 'a-', 'HTTP', 'sixteen-letters-']],
  ];
  for (const [what, check, valid, invalid] of cases) {
    for (const name of valid) it(`${JSON.stringify(name)} is ${what}`, () => assert.deepEqual(check(name), []));
    for (const name of invalid)
      it(`${JSON.stringify(name)} is not ${what}`, () => assert.notDeepEqual(check(name), []));
  }

  it('are refused in the words of Kubernetes', () => {
    assert.deepEqual(checkDns1123Label('Web'), [
      "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
    ]);
  });

  it('may be generated from a prefix that ends in a dash', () => {
    assert.deepEqual(asPrefix(checkDns1123Subdomain)('web-'), []);
  });
});

describe('an invalid object', () => {
  it('is reported with its fields, as text and as causes', () => {
    const error = invalidObject({ group: 'apps', kind: 'Deployment' }, 'web', [
      invalidField('spec.replicas', -1, 'must be greater than or equal to 0'),
      requiredField('spec.selector'),
      unsupportedField('spec.strategy.type', 'x', ['Recreate', 'RollingUpdate']),
    ]);
    assert.equal(
      error.message,
      'Deployment.apps "web" is invalid: [spec.replicas: Invalid value: -1: must be greater than or equal to 0, spec.selector: Required value, spec.strategy.type: Unsupported value: "x": supported values: "Recreate", "RollingUpdate"]',
    );
    assert.deepEqual(error.status.details?.causes?.[1], {
      reason: 'FieldValueRequired',
      message: 'Required value',
      field: 'spec.selector',
    });
  });
});
