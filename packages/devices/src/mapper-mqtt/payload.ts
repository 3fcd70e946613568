// Payloads to values and back. Pure.
import { fault, type Point, type RawValue, refused } from '../mapper-sdk/index.ts';
import { follow } from './json-path.ts';
import type { MqttVisitor, Source } from './settings.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });
/** Of a text in an error. */
const brief = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}...` : text);

type Json = { readonly document: unknown } | { readonly error: Error };

/** A message, with its JSON read at most once, whoever asks for how many values of it. */
export class Payload {
  readonly #bytes: Uint8Array;
  #json: Json | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Throws a fault `BadPayload`, or `NoValue` when the place in the message is empty. */
  value({ format, path }: Source, { payloadTrue, payloadFalse }: MqttVisitor): RawValue {
    if (format === 'bytes') return this.#bytes;
    const found = format === 'json' ? toValue(this.#place(path ?? [])) : this.#text();
    if (payloadTrue !== undefined && String(found) === payloadTrue) return true;
    if (payloadFalse !== undefined && String(found) === payloadFalse) return false;
    if (format === 'number') return toNumber(String(found));
    return format === 'base64' ? fromBase64(String(found)) : found;
  }

  #place(path: NonNullable<Source['path']>): unknown {
    this.#json ??= this.#parse();
    if ('error' in this.#json) throw this.#json.error;
    return follow(this.#json.document, path);
  }

  #parse(): Json {
    try {
      return { document: JSON.parse(this.#text()) as unknown };
    } catch (error) {
      const what = `the payload is not JSON: ${error instanceof Error ? error.message : String(error)}`;
      return { error: fault('BadPayload', what, error) };
    }
  }

  #text(): string {
    try {
      return utf8.decode(this.#bytes);
    } catch (error) {
      throw fault('BadPayload', 'the payload is no UTF-8 text', error);
    }
  }
}

function toValue(found: unknown): RawValue {
  if (found === undefined) throw fault('NoValue', 'the message has nothing at jsonPath');
  if (found === null) throw fault('NoValue', 'the message has null at jsonPath');
  if (typeof found === 'object') return JSON.stringify(found);
  return found as string | number | boolean;
}

function toNumber(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isFinite(value)) return value;
  throw fault('BadPayload', `"${brief(text)}" is no number`);
}

function fromBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
  } catch (error) {
    throw fault('BadPayload', `"${brief(text)}" is no base64`, error);
  }
}

/** What is published for a value. Throws MAPPER_REFUSED when it needs bytes that a text cannot hold. */
export function toPayload(
  { property, visitor }: Pick<Point<MqttVisitor>, 'property' | 'visitor'>,
  value: RawValue,
): string | Uint8Array {
  const { writeTemplate, format, payloadTrue, payloadFalse } = visitor;
  if (format === 'bytes' && value instanceof Uint8Array) {
    if (writeTemplate === '{{value}}') return value;
    throw refused(`"${property}"`, 'format bytes is published as it is, without a writeTemplate');
  }
  const plain =
    value === true && payloadTrue !== undefined
      ? payloadTrue
      : value === false && payloadFalse !== undefined
        ? payloadFalse
        : value instanceof Uint8Array
          ? toBase64(value)
          : value;
  // One pass: what a value contains is no template.
  return writeTemplate.replaceAll(/\{\{(value|json)\}\}/g, (_, kind: string) =>
    kind === 'value' ? String(plain) : typeof plain === 'bigint' ? String(plain) : JSON.stringify(plain),
  );
}

function toBase64(bytes: Uint8Array): string {
  let letters = '';
  for (const byte of bytes) letters += String.fromCharCode(byte);
  return btoa(letters);
}
