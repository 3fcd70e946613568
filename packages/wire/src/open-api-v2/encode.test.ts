import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { encodeOpenApiV2 } from './encode.ts';

type Tree = [no: number, value: string | number | Tree][];

/** The fields of a message; `nested` says by path which of them are messages. */
function read(bytes: Uint8Array, nested: ReadonlySet<string>, path = ''): Tree {
  const reader = new BinaryReader(bytes);
  const tree: Tree = [];
  while (reader.pos < reader.len) {
    const [no, type] = reader.tag();
    const at = `${path}/${no}`;
    if (type === 0) tree.push([no, Number(reader.int64())]);
    else if (type === 1) tree.push([no, reader.double()]);
    else if (nested.has(at)) tree.push([no, read(reader.bytes(), nested, at)]);
    else tree.push([no, reader.string()]);
  }
  return tree;
}

test('definitions are written by name, with their types, references and extensions', () => {
  const bytes = encodeOpenApiV2({
    swagger: '2.0',
    definitions: {
      Lamp: {
        type: 'object',
        required: ['color'],
        properties: { color: { type: 'string', maxLength: 3 }, of: { $ref: '#/definitions/Other' } },
        'x-kubernetes-thing': [1],
        unheardOf: true,
      },
    },
  });
  const schema = '/9/1/2';
  const nested = new Set(['/9', '/9/1', schema, `${schema}/22`, `${schema}/25`, `${schema}/25/1`, `${schema}/25/1/2`]);
  for (const path of [`${schema}/25/1/2/22`, `${schema}/31`, `${schema}/31/2`]) nested.add(path);
  assert.deepEqual(read(bytes, nested), [
    [1, '2.0'],
    [
      9,
      [
        [
          1,
          [
            [1, 'Lamp'],
            [
              2,
              [
                [22, [[1, 'object']]],
                [19, 'color'],
                [
                  25,
                  [
                    [
                      1,
                      [
                        [1, 'color'],
                        [
                          2,
                          [
                            [22, [[1, 'string']]],
                            [11, 3],
                          ],
                        ],
                      ],
                    ],
                    [
                      1,
                      [
                        [1, 'of'],
                        [2, [[1, '#/definitions/Other']]],
                      ],
                    ],
                  ],
                ],
                [
                  31,
                  [
                    [1, 'x-kubernetes-thing'],
                    [2, [[2, '[1]']]],
                  ],
                ],
              ],
            ],
          ],
        ],
      ],
    ],
  ]);
});
