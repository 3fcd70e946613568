// Lists the keys of a schema one by one, for documents and forms.
import type { Schema } from './schema.ts';

export interface Key {
  /** `modules.cloudHub.nodeLimit`. */
  readonly path: string;
  readonly start: unknown;
  readonly description: string | undefined;
  /** Known, accepted, without effect. */
  readonly unused: boolean;
}

export function listKeys(schema: Schema, above: Omit<Key, 'start'> = root): Key[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const key = {
      path: above.path === '' ? name : `${above.path}.${name}`,
      description: property.description,
      unused: above.unused || property['x-unused'] === true,
    };
    if (!property.properties) return [{ ...key, start: property.default }];
    return listKeys(property, key);
  });
}

const root = { path: '', description: undefined, unused: false };
