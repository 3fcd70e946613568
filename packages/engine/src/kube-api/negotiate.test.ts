import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStatus } from '@kedge/model/k8s';
import { negotiate } from './negotiate.ts';

const forms = ['object', 'table', 'metadata'] as const;
const chosen = (accept: string, query = ''): string => {
  const { encoding, form, pretty } = negotiate({ accept }, new URLSearchParams(query), forms);
  return `${encoding} ${form}${pretty ? ' pretty' : ''}`;
};

test('the first form that can be had is chosen', () => {
  for (const [accept, expected] of [
    ['', 'json object'],
    ['*/*', 'json object'],
    ['application/yaml', 'yaml object'],
    ['application/json;as=Table;v=v1;g=meta.k8s.io,application/json', 'json table'],
    ['application/json;as=Table;v=v2;g=meta.k8s.io,application/json', 'json object'],
    ['application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io', 'json metadata'],
    ['application/vnd.kubernetes.protobuf,application/json', 'json object'],
    ['application/vnd.kubernetes.protobuf, */*', 'json object'],
    ['application/yaml;q=0.1, application/json;q=0.9', 'json object'],
  ] as const) {
    assert.equal(chosen(accept), expected, accept);
  }
  assert.equal(chosen('application/json', 'pretty=true'), 'json object pretty');
});

test('nothing acceptable is refused', () => {
  assert.throws(
    () => chosen('application/vnd.kubernetes.protobuf'),
    (error) => isStatus(error, 'NotAcceptable'),
  );
});
