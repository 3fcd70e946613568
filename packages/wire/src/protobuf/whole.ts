// The type of a decoded message. Protobuf has no "absent" for numbers, texts, lists and maps: a decoder fills in zero
// values, so only messages can be missing after decoding, while anything may be left out before encoding.

type Scalar = string | number | bigint | boolean | Uint8Array;
type IsMessage<T> = T extends Scalar
  ? false
  : T extends readonly unknown[]
    ? false
    : string extends keyof T
      ? false
      : true;

/** `T` with every field present, save messages, which stay `undefined` when they were not sent. */
export type Whole<T> = T extends Scalar
  ? T
  : T extends readonly (infer Item)[]
    ? Whole<Item>[]
    : string extends keyof T
      ? T
      : {
          [K in keyof T]-?: IsMessage<NonNullable<T[K]>> extends true
            ? Whole<NonNullable<T[K]>> | undefined
            : Whole<NonNullable<T[K]>>;
        };
