// Rules in CEL: those of a definition have to compile and must not cost too much; those of a kind hold for every object
// that is written. The language is loaded with the first rule.
import { invalidObject, type FieldError, type KubeObject } from '@kedge/model/k8s';
import { checkRules, compileSchemaRules, hasRules, loadCel, Meter, type SchemaRules } from '@kedge/model/k8s-cel';
import { versionPath } from '@kedge/model/k8s-kinds';
import type { Schema } from '@kedge/model/k8s-schema';
import type { CustomResourceDefinition } from '@kedge/model/k8s-types';
import type { AdmissionStep } from '../admission/admission.ts';
import type { Kind } from '../kinds/kind.ts';
import { ruleSchemaOf } from './custom-kinds.ts';

export interface CustomResourceRules {
  /** Refuses definitions whose rules cannot be. */
  readonly step: AdmissionStep;
  errors(kind: Kind, object: KubeObject, before: KubeObject | undefined): Promise<readonly FieldError[]>;
}

export function customResourceRules(): CustomResourceRules {
  const compiled = new WeakMap<Schema, SchemaRules>();

  async function rulesOf(schema: Schema): Promise<SchemaRules> {
    const known = compiled.get(schema);
    if (known) return known;
    // Errors were told when the definition was written; what cannot be compiled does not hold objects up.
    const { rules } = compileSchemaRules(await loadCel(), schema, '');
    compiled.set(schema, rules);
    return rules;
  }

  return {
    async errors({ ruleSchema: schema }, object, before) {
      if (!schema) return [];
      return checkRules(await loadCel(), await rulesOf(schema), schema, object, before, new Meter());
    },
    step: {
      name: 'CustomResourceRules',
      async validate({ kind, object, before, subresource }) {
        if (kind.collection !== 'customresourcedefinitions.apiextensions.k8s.io' || subresource !== undefined) return;
        if (!object || object.metadata.deletionTimestamp) return;
        const errors = await definitionErrors(
          object as unknown as CustomResourceDefinition,
          before as CustomResourceDefinition | undefined,
        );
        if (errors.length > 0) throw invalidObject(kind.served, object.metadata.name ?? '', errors);
      },
    },
  };
}

async function definitionErrors(
  { spec }: CustomResourceDefinition,
  before: CustomResourceDefinition | undefined,
): Promise<FieldError[]> {
  const errors: FieldError[] = [];
  for (const version of spec.versions) {
    const { name } = version;
    const schema = version.schema?.openAPIV3Schema as Schema | undefined;
    const at = versionPath(spec.versions, version, 'schema');
    if (!schema || !hasRules(schema) || at === undefined) continue;
    // A definition that is in force is not thrown out by a change elsewhere in it.
    const old = before?.spec.versions.find((version) => version.name === name)?.schema?.openAPIV3Schema;
    if (old !== undefined && JSON.stringify(old) === JSON.stringify(schema)) continue;
    errors.push(...compileSchemaRules(await loadCel(), ruleSchemaOf(schema), `${at}.openAPIV3Schema`).errors);
  }
  return errors;
}
