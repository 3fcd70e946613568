// The protobuf form of OpenAPI 2 documents (`openapi.v2` messages, as gnostic has them): writing only, and as much of it
// as documents of an API server use. kubectl and Helm read it where JSON would do as well.
import { BinaryWriter } from '@bufbuild/protobuf/wire';

/** What clients put into `Accept`. Answers carry the last one: the first is no valid media type to those who look closely. */
export const openApiV2MediaTypes: readonly string[] = [
  'application/com.github.proto-openapi.spec.v2@v1.0+protobuf',
  'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
];

type Value = Readonly<Record<string, unknown>>;

/** Writes the fields of a message for a value; fields it does not know are left out. */
type Encode = (writer: BinaryWriter, value: Value) => void;

/** How one field of a message is written. */
type Field = (writer: BinaryWriter, value: unknown) => void;

const tag = (writer: BinaryWriter, no: number, type: 0 | 1 | 2): BinaryWriter => writer.uint32((no << 3) | type);
const isObject = (value: unknown): value is Value =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const text =
  (no: number): Field =>
  (writer, value) =>
    typeof value === 'string' && tag(writer, no, 2).string(value);
const texts =
  (no: number): Field =>
  (writer, value) => {
    for (const one of Array.isArray(value) ? value : []) text(no)(writer, one);
  };
const flag =
  (no: number): Field =>
  (writer, value) =>
    value === true && tag(writer, no, 0).bool(true);
const integer =
  (no: number): Field =>
  (writer, value) =>
    typeof value === 'number' && tag(writer, no, 0).int64(Math.trunc(value));
const real =
  (no: number): Field =>
  (writer, value) =>
    typeof value === 'number' && tag(writer, no, 1).double(value);

const message = (writer: BinaryWriter, no: number, write: (writer: BinaryWriter) => void): void => {
  tag(writer, no, 2).fork();
  write(writer);
  writer.join();
};
const one =
  (no: number, encode: Encode): Field =>
  (writer, value) => {
    if (isObject(value)) message(writer, no, (inner) => encode(inner, value));
  };
const many =
  (no: number, encode: Encode): Field =>
  (writer, value) => {
    for (const item of Array.isArray(value) ? value : []) one(no, encode)(writer, item);
  };
/** A map as repeated names and values. */
const named =
  (no: number, encode: Encode): Field =>
  (writer, value) => {
    for (const [name, item] of Object.entries(isObject(value) ? value : {})) {
      message(writer, no, (inner) => {
        text(1)(inner, name);
        one(2, encode)(inner, item);
      });
    }
  };

/** Any value, as YAML; JSON is YAML. */
const any = (no: number, writer: BinaryWriter, value: unknown): void =>
  message(writer, no, (inner) => text(2)(inner, JSON.stringify(value)));
const anyOf =
  (no: number): Field =>
  (writer, value) => {
    if (value !== undefined) any(no, writer, value);
  };

/** A message: its fields by their JSON names, and its `x-` fields under `extensions`. */
const define =
  (fields: () => Readonly<Record<string, Field>>, extensions?: number): Encode =>
  (writer, value) => {
    const known = fields();
    for (const [name, field] of Object.entries(value)) {
      if (Object.hasOwn(known, name)) known[name]!(writer, field);
      else if (extensions !== undefined && name.startsWith('x-')) {
        message(writer, extensions, (inner) => {
          text(1)(inner, name);
          any(2, inner, field);
        });
      }
    }
  };

const schemaFields: Readonly<Record<string, Field>> = {
  $ref: text(1),
  format: text(2),
  title: text(3),
  description: text(4),
  default: anyOf(5),
  multipleOf: real(6),
  maximum: real(7),
  exclusiveMaximum: flag(8),
  minimum: real(9),
  exclusiveMinimum: flag(10),
  maxLength: integer(11),
  minLength: integer(12),
  pattern: text(13),
  maxItems: integer(14),
  minItems: integer(15),
  uniqueItems: flag(16),
  maxProperties: integer(17),
  minProperties: integer(18),
  required: texts(19),
  enum: (writer, value) => {
    for (const item of Array.isArray(value) ? value : []) any(20, writer, item);
  },
  additionalProperties: (writer, value) =>
    message(writer, 21, (inner) => {
      if (typeof value === 'boolean') tag(inner, 2, 0).bool(value);
      else one(1, schema)(inner, value);
    }),
  type: (writer, value) =>
    message(writer, 22, (inner) => {
      for (const type of [value].flat()) text(1)(inner, type);
    }),
  items: (writer, value) => message(writer, 23, (inner) => one(1, schema)(inner, value)),
  allOf: (writer, value) => many(24, schema)(writer, value),
  properties: (writer, value) => message(writer, 25, (inner) => named(1, schema)(inner, value)),
};
const schema: Encode = define(() => schemaFields, 31);

const bodyParameter: Encode = define(
  () => ({ description: text(1), name: text(2), in: text(3), required: flag(4), schema: one(5, schema) }),
  6,
);
const queryParameter: Encode = define(
  () => ({ required: flag(1), in: text(2), description: text(3), name: text(4), type: text(6), uniqueItems: flag(20) }),
  23,
);
/** A parameter is one of several messages, each in another. */
const parameter: Encode = (writer, value) =>
  message(writer, 1, (inner) => {
    if (value['in'] === 'body') message(inner, 1, (deep) => bodyParameter(deep, value));
    else message(inner, 2, (deep) => message(deep, 3, (deepest) => queryParameter(deepest, value)));
  });

const response: Encode = define(
  () => ({
    description: text(1),
    schema: (writer, value) => message(writer, 2, (inner) => one(1, schema)(inner, value)),
  }),
  5,
);
const responseValue: Encode = (writer, value) => one(1, response)(writer, value);

const operation: Encode = define(
  () => ({
    tags: texts(1),
    summary: text(2),
    description: text(3),
    operationId: text(5),
    produces: texts(6),
    consumes: texts(7),
    parameters: many(8, parameter),
    responses: (writer, value) => message(writer, 9, (inner) => named(1, responseValue)(inner, value)),
  }),
  13,
);
const pathItem: Encode = define(
  () => ({
    get: one(2, operation),
    put: one(3, operation),
    post: one(4, operation),
    delete: one(5, operation),
    patch: one(8, operation),
    parameters: many(9, parameter),
  }),
  10,
);

const document: Encode = define(
  () => ({
    swagger: text(1),
    info: one(
      2,
      define(() => ({ title: text(1), version: text(2), description: text(3) })),
    ),
    paths: (writer, value) => message(writer, 8, (inner) => named(2, pathItem)(inner, value)),
    definitions: (writer, value) => message(writer, 9, (inner) => named(1, schema)(inner, value)),
  }),
  16,
);

/** The bytes of a document that is given as its JSON form. */
export function encodeOpenApiV2(value: Value): Uint8Array {
  const writer = new BinaryWriter();
  document(writer, value);
  return writer.finish();
}
