// rules.kubeedge.io/v1: which messages go from where to where.
import { definition, int, kindOf, list, object, text, textMap } from './schema-parts.ts';

const group = 'rules.kubeedge.io';

export const ruleDefinitions = [
  definition({
    group,
    kind: 'Rule',
    plural: 'rules',
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        storage: true,
        schema: kindOf('Carries messages from one endpoint to another.', {
          spec: object(
            {
              source: text('A RuleEndpoint in the namespace of the rule.'),
              sourceResource: textMap({ description: 'rest: path; eventbus: topic, node_name.' }),
              target: text('A RuleEndpoint in the namespace of the rule.'),
              targetResource: textMap({ description: 'rest: resource; eventbus: topic; servicebus: path.' }),
            },
            { required: ['source', 'sourceResource', 'target', 'targetResource'] },
          ),
          status: object({ successMessages: int(), failMessages: int(), errors: list(text()) }),
        }),
      },
    ],
  }),
  definition({
    group,
    kind: 'RuleEndpoint',
    plural: 'ruleendpoints',
    shortNames: ['re'],
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        storage: true,
        schema: kindOf('Where messages come from or go to.', {
          spec: object(
            {
              ruleEndpointType: text(undefined, { enum: ['rest', 'eventbus', 'servicebus'] }),
              properties: textMap({ description: 'servicebus: service_port.' }),
            },
            { required: ['ruleEndpointType'] },
          ),
        }),
      },
    ],
  }),
];
