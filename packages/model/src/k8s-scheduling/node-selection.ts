// Which nodes a pod may run on by their labels: nodeSelector and required node affinity.
import { matchesLabels, meets, parseInteger, type Labels, type Requirement } from '../k8s-selectors/index.ts';
import type { Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodSpec } from '../k8s-types/index.ts';

/** Terms are alternatives; an empty term, and an empty list of terms, match nothing. */
export const matchesNodeSelector = ({ nodeSelectorTerms }: NodeSelector, node: Node): boolean =>
  nodeSelectorTerms.some((term) => matchesNodeTerm(term, node));

export function matchesNodeTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, node: Node): boolean {
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  const fields = { 'metadata.name': node.metadata.name ?? '' };
  return (
    matchExpressions.every((expression) => meetsExpression(expression, node.metadata.labels ?? {})) &&
    matchFields.every((expression) => meetsExpression(expression, fields))
  );
}

/** Both the plain nodeSelector and the required affinity have to hold. */
export function matchesNode(spec: PodSpec | undefined, node: Node): boolean {
  const plain = Object.entries(spec?.nodeSelector ?? {}).map(([key, value]): Requirement => ({
    op: 'in',
    key,
    values: [value],
  }));
  if (!matchesLabels(plain, node.metadata.labels)) return false;
  const required = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || matchesNodeSelector(required, node);
}

function meetsExpression(expression: NodeSelectorRequirement, labels: Labels): boolean {
  const requirement = requirementOf(expression);
  return requirement !== undefined && meets(requirement, labels);
}

/** Undefined for what no server would have let through; it then matches nothing. */
function requirementOf({ key, operator, values = [] }: NodeSelectorRequirement): Requirement | undefined {
  switch (operator) {
    case 'In':
      return { op: 'in', key, values };
    case 'NotIn':
      return { op: 'notin', key, values };
    case 'Exists':
      return { op: 'exists', key };
    case 'DoesNotExist':
      return { op: '!', key };
    case 'Gt':
    case 'Lt': {
      const than = parseInteger(values[0]);
      return than === undefined ? undefined : { op: operator === 'Gt' ? 'gt' : 'lt', key, than };
    }
    default:
      return undefined;
  }
}
