// Which form of answer a client takes: JSON or YAML, and the object itself, a Table, or metadata only.
import { fail } from '@kedge/model/k8s';

export type Form = 'object' | 'table' | 'metadata';

export interface Accepted {
  readonly encoding: 'json' | 'yaml';
  readonly form: Form;
  readonly pretty: boolean;
}

interface MediaRange {
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** The ranges of an Accept header, best first. */
export function readAccept(header: string | undefined): readonly MediaRange[] {
  return (header || '*/*')
    .split(',')
    .map((part, index) => {
      const [type = '', ...rest] = part.trim().split(';');
      const parameters: Record<string, string> = {};
      for (const pair of rest) {
        const [name = '', value = ''] = pair.trim().split('=');
        parameters[name.toLowerCase()] = value.replace(/^"|"$/g, '');
      }
      return { type: type.trim().toLowerCase(), parameters, quality: Number(parameters['q'] ?? 1), index };
    })
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality || a.index - b.index);
}

const encodings: Readonly<Record<string, 'json' | 'yaml'>> = {
  'application/json': 'json',
  'application/*': 'json',
  '*/*': 'json',
  'application/yaml': 'yaml',
};

const offered = 'application/json, application/yaml';

/** The first range we can answer; throws NotAcceptable. `pretty` is for people: browsers and curl get it unasked. */
export function negotiate(
  headers: Readonly<Record<string, string>>,
  query: URLSearchParams,
  forms: readonly Form[],
): Accepted {
  const asked = query.get('pretty');
  const agent = headers['user-agent'] ?? '';
  const pretty = asked === null ? /^(curl|Wget|Mozilla)/.test(agent) : asked !== 'false' && asked !== '0';
  for (const { type, parameters } of readAccept(headers['accept'])) {
    const encoding = encodings[type];
    if (!encoding) continue;
    const form = formOf(parameters);
    if (form && forms.includes(form)) return { encoding, form, pretty };
  }
  throw fail('NotAcceptable', `only the following media types are accepted: ${offered}`);
}

function formOf({ as, g, v }: Readonly<Record<string, string>>): Form | undefined {
  if (as === undefined) return 'object';
  if (g !== 'meta.k8s.io' || (v !== 'v1' && v !== 'v1beta1')) return undefined;
  if (as === 'Table') return 'table';
  return as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList' ? 'metadata' : undefined;
}
