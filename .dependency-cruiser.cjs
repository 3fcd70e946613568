// Which package may import which. Layers point down; folders of one layer do not know each other.
const layers = ['core', 'model', 'wire', 'engine'];
const tops = ['cloud', 'edge', 'control-plane'];
const pure = [...layers, ...tops];
// Mappers stand beside cloud and edge. Protocol libraries speak Node's types there; the SDK itself stays pure.
const besides = ['devices'];

const below = (layer) => layers.slice(0, layers.indexOf(layer));
const mayUse = (layer) => (layers.includes(layer) ? below(layer) : layers);

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...[...pure, ...besides].map((layer) => ({
      name: `${layer}-points-down`,
      comment: `packages/${layer} may import only: ${mayUse(layer).join(', ') || 'nothing of ours'}`,
      severity: 'error',
      from: { path: `^packages/${layer}/src`, pathNot: '\\.test\\.ts$' },
      to: { path: '^(packages|apps)/', pathNot: `^packages/(${[layer, ...mayUse(layer)].join('|')})/` },
    })),
    {
      name: 'platform-implements-ports',
      comment: 'platform imports core (ports), model and wire, nothing above',
      severity: 'error',
      from: { path: '^packages/platform/src', pathNot: '\\.test\\.ts$' },
      to: { path: '^(packages|apps)/', pathNot: '^packages/(platform|core|model|wire)/' },
    },
    {
      name: 'pure-layers-have-no-world',
      comment: 'only platform, apps, testing, tests and tools import node: modules',
      severity: 'error',
      from: { path: `^packages/(${pure.join('|')})/src`, pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
    ...tops.map((layer) => ({
      name: `${layer}-modules-are-strangers`,
      comment: `folders of packages/${layer} do not import each other: declare the interface you need`,
      severity: 'error',
      from: { path: `^packages/${layer}/src/([^/]+)/`, pathNot: '\\.test\\.ts$' },
      to: { path: `^packages/${layer}/src/`, pathNot: `^packages/${layer}/src/$1/` },
    })),
    {
      name: 'the-mapper-sdk-has-no-world',
      comment: 'a driver may import node: modules, what every mapper shares may not',
      severity: 'error',
      from: { path: '^packages/devices/src/mapper-sdk', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'mappers-are-strangers',
      comment: 'folders of packages/devices know the SDK, not each other',
      severity: 'error',
      from: { path: '^packages/devices/src/([^/]+)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^packages/devices/src/', pathNot: '^packages/devices/src/($1|mapper-sdk)/' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: { pathNot: 'generated' },
      to: { circular: true, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'tests-stay-out',
      comment: 'production code never imports tests or test doubles',
      severity: 'error',
      from: { path: '^(packages/(?!testing)[^/]+/src|apps)', pathNot: '(\\.test\\.ts$|/testing/)' },
      to: { path: '(\\.test\\.ts$|^packages/testing/|^packages/[^/]+/src/testing/)' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)build/' },
    tsPreCompilationDeps: true,
    parser: 'swc',
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.json'],
    },
  },
};
