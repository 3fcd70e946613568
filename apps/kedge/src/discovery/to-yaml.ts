// What was found as YAML to review and apply. Pure. What devices say of themselves is quoted, or it could be objects of
// its own: people pipe this to kubectl.
import { stringify } from 'yaml';
import { proposeDevice } from '@kedge/devices/mapper-sdk';
import type { Found } from './search-here.ts';

export function toYaml(
  { protocol, found }: Found,
  place: { readonly node: string; readonly namespace: string },
): string {
  const { model, device } = proposeDevice(found, { protocol, ...place });
  const named = (found.description ?? found.name).replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ').slice(0, 200);
  const comment = `# ${named}: rename and remove what you do not need, then "kubectl apply -f -"\n`;
  const documents = [model, device].map((one) => stringify(one, { aliasDuplicateObjects: false }));
  return `---\n${comment}${documents.join('---\n')}`;
}
