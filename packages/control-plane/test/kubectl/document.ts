// The rows as docs/kubernetes-api.md shows them.
import type { Section } from './row.ts';

export const documentPath = new URL('../../../../docs/kubernetes-api.md', import.meta.url);

const begin = '<!-- rows -->';
const end = '<!-- /rows -->';

const cell = (text: string): string => text.replaceAll('|', '\\|');

const tableOf = ({ title, rows }: Section): string => `### ${title}

| \`kubectl …\` | gives |
|---|---|
${rows.map((row) => `| \`${cell(row.command)}\` | ${cell(row.gives)}${row.fails ? ' (refused)' : ''} |`).join('\n')}
`;

/** The document with its tables replaced by `sections`. */
export function withRows(document: string, sections: readonly Section[]): string {
  const [before, rest = ''] = document.split(begin);
  const after = rest.split(end)[1] ?? '';
  return `${before}${begin}\n\n${sections.map(tableOf).join('\n')}\n${end}${after}`;
}
