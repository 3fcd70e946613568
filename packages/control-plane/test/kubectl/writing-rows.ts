// Rows about making, changing and removing objects.
import assert from 'node:assert/strict';
import { hours, plus } from '@kedge/core/time';
import { createKeys, systemClock } from '@kedge/platform/node';
import { createCertificateAuthorities } from '@kedge/platform/x509';
import * as make from './objects.ts';
import type { Place, Section } from './row.ts';

const web = (place: Place) => place.create(make.deployment('web', 0));
const reads = (args: string, expected: string | RegExp) => async (place: Place) => {
  const out = await place.ok(args);
  if (typeof expected === 'string') assert.equal(out, expected);
  else assert.match(out, expected);
};
const gone = (args: string) => async (place: Place) => {
  await place.eventually(async () => assert.equal(await place.ok(`get ${args} --ignore-not-found -o name`), ''));
};
const configMap = (size: string, name = 'settings') => make.manifest(make.configMap(name, { size }));
const applied = async (place: Place) => {
  await place.write('one.yaml', configMap('1'));
  await place.ok('apply -f one.yaml');
  await place.write('one.yaml', configMap('2'));
};

const create: Section = {
  title: 'create and run',
  rows: [
    {
      command: 'create -f -',
      gives: 'objects from a manifest',
      input: make.manifest(make.configMap('settings'), make.service('web')),
      shows: [/configmap\/settings created/, /service\/web created/],
    },
    {
      command: 'create -f - --save-config',
      gives: 'the same, ready for apply',
      input: configMap('1'),
      leaves: reads('get cm settings -o yaml', /last-applied-configuration/),
    },
    {
      command: 'create -f - --dry-run=server -o yaml',
      gives: 'what the server would make of it: defaults, admission, checks; nothing is stored',
      input: make.manifest(make.deployment('web')),
      shows: [/revisionHistoryLimit: 10/, /uid: /],
      leaves: reads('get deployments -o name', ''),
    },
    {
      command: 'create deployment web --image=busybox --dry-run=client -o yaml',
      gives: 'a manifest to start from',
      shows: [/kind: Deployment/],
      leaves: reads('get deployments -o name', ''),
    },
    {
      command: 'create deployment web --image=busybox:1 --replicas=2 --port=80',
      gives: 'a Deployment',
      leaves: reads('get deployment web -o jsonpath={.spec.replicas}', '2'),
    },
    { command: 'create namespace ~-new', gives: 'a namespace', shows: [/namespace\/at-\d+-new created/] },
    {
      command: 'create configmap settings --from-env-file=two.env',
      gives: 'a ConfigMap of variables',
      given: (place) => place.write('two.env', 'A=1\nB=2\n'),
      leaves: reads('get cm settings -o jsonpath={.data}', '{"A":"1","B":"2"}'),
    },
    {
      command: 'create configmap settings --from-literal=color=blue --from-file=one.txt',
      gives: 'a ConfigMap of values and files',
      given: (place) => place.write('one.txt', 'hello'),
      leaves: reads("get cm settings -o 'jsonpath={.data.color} {.data.one\\.txt}'", 'blue hello'),
    },
    {
      command: 'create secret generic word --from-literal=word=hidden --append-hash',
      gives: 'a Secret, with a hash of its content in its name',
      shows: [/secret\/word-[a-z0-9]{10} created/],
    },
    {
      command:
        'create secret docker-registry pull --docker-server=r.example.com --docker-username=a --docker-password=b',
      gives: 'a Secret for pulling images',
      leaves: reads('get secret pull -o jsonpath={.type}', 'kubernetes.io/dockerconfigjson'),
    },
    {
      command: 'create secret tls web --cert=web.crt --key=web.key',
      gives: 'a Secret with a certificate and its key',
      async given(place) {
        const now = systemClock.now();
        const validity = { notBefore: now, notAfter: plus(now, hours(1)) };
        const authority = await createCertificateAuthorities().createAuthority({
          subject: { commonName: 'web', organizations: [] },
          ...validity,
        });
        await place.write('web.crt', authority.certificatePem);
        await place.write('web.key', createKeys().toPem('EC PRIVATE KEY', authority.key.reveal()));
      },
      leaves: reads('get secret web -o jsonpath={.type}', 'kubernetes.io/tls'),
    },
    {
      command: 'create service clusterip web --tcp=80:8080',
      gives: 'a Service with an address of its own',
      leaves: reads('get service web', /ClusterIP +10\.96\.\d+\.\d+ +<none> +80\/TCP/),
    },
    {
      command: 'create service nodeport web --tcp=80:8080',
      gives: 'a Service with a port on every node',
      leaves: reads('get service web', /NodePort +10\.96\.\d+\.\d+ +<none> +80:3\d{4}\/TCP/),
    },
    {
      command: 'create service loadbalancer web --tcp=80:8080',
      gives: 'a Service that waits for a load balancer',
      leaves: reads('get service web', /LoadBalancer +10\.96\.\d+\.\d+ +<pending>/),
    },
    {
      command: 'create service externalname web --external-name=example.com',
      gives: 'a Service that is another name',
      leaves: reads('get service web', /ExternalName +<none> +example\.com/),
    },
    {
      command: "create ingress web '--rule=example.com/shop*=web:80,tls=cert' --class=nginx --annotation=a=b",
      gives: 'an Ingress',
      leaves: reads('get ingress web', /nginx +example\.com +80, 443/),
    },
    {
      command: 'create job once --image=busybox:1 -- true',
      gives: 'a Job',
      leaves: (place) => place.ok('wait --for=condition=complete job/once --timeout=20s'),
    },
    {
      command: 'create job by-hand --from=cronjob/nightly',
      gives: 'a Job of a CronJob, now',
      given: (place) => place.create(make.cronJob('nightly')),
      leaves: reads("get job by-hand -o jsonpath='{.metadata.ownerReferences[0].kind}'", 'CronJob'),
    },
    {
      command: "create cronjob nightly --image=busybox:1 '--schedule=0 3 * * *' -- true",
      gives: 'a CronJob',
      leaves: reads('get cronjob nightly', /0 3 \* \* \* +<none> +False +0 +<none>/),
    },
    {
      command: 'create quota few --hard=pods=3,cpu=1 --scopes=BestEffort',
      gives: 'a ResourceQuota with scopes, where they fit what is counted',
      fails: true,
      shows: [/spec\.scopes: Invalid value: \[\]string\{"BestEffort"\}: unsupported scope applied to resource/],
    },
    {
      command: 'create quota few --hard=pods=3,configmaps=9',
      gives: 'a ResourceQuota',
      leaves: (place) =>
        place.eventually(async () => assert.match(await place.ok('get quota few'), /configmaps: \d\/9, pods: 0\/3/)),
    },
    {
      command: 'create poddisruptionbudget web --selector=app=web --max-unavailable=50%',
      gives: 'a PodDisruptionBudget',
      leaves: reads('get pdb web', /web +N\/A +50% +0/),
    },
    {
      command: 'create priorityclass ~ --value=100 --description=mine --preemption-policy=Never',
      gives: 'a PriorityClass',
      leaves: (place) => reads(`get pc ${place.unique}`, /100 +false +\d+s +Never/)(place),
    },
    {
      command: 'create role reader --verb=get,list --resource=pods,deployments.apps --resource-name=web',
      gives: 'a Role',
      leaves: reads("get role reader -o 'jsonpath={.rules[*].apiGroups}'", '[""] ["apps"]'),
    },
    {
      command: 'create clusterrole ~ --verb=get --non-resource-url=/metrics',
      gives: 'a ClusterRole',
      leaves: (place) => place.ok(`delete clusterrole ${place.unique}`),
    },
    {
      command: 'create clusterrole ~ --aggregation-rule=app=x',
      gives: 'a ClusterRole that is made of others',
      leaves: (place) => place.ok(`delete clusterrole ${place.unique}`),
    },
    {
      command: 'create rolebinding readers --clusterrole=view --user=ann --group=team --serviceaccount=default:robot',
      gives: 'a RoleBinding',
      leaves: reads('get rolebinding readers -o wide', /ClusterRole\/view +\d+s +ann +team +default\/robot/),
    },
    {
      command: 'create clusterrolebinding ~ --clusterrole=view --user=nobody',
      gives: 'a ClusterRoleBinding',
      leaves: (place) => place.ok(`delete clusterrolebinding ${place.unique}`),
    },
    {
      command: 'create serviceaccount robot',
      gives: 'a ServiceAccount',
      shows: [/serviceaccount\/robot created/],
    },
    {
      command: 'create token default --duration=20m --audience=me -o json',
      gives: 'a token of a service account',
      leaves: async (_, { out }) => {
        const { status, spec } = JSON.parse(out) as { status: { token: string }; spec: { audiences: string[] } };
        assert.equal(status.token.split('.').length, 3);
        assert.deepEqual(spec.audiences, ['me']);
      },
    },
    {
      command: 'create token default --bound-object-kind=Secret --bound-object-name=word',
      gives: 'a token that ends with a Secret or a Pod',
      given: (place) => place.ok('create secret generic word'),
      shows: [/^ey[\w-]+\.[\w-]+\.[\w-]+/],
    },
    {
      command: 'create token default --duration=1m',
      gives: 'a refusal of what is too short',
      fails: true,
      shows: [/spec\.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes/],
    },
    {
      command: 'run box --image=busybox:1 --labels=app=box --env=A=1 --restart=Never',
      gives: 'a Pod',
      leaves: reads('get pod box -o jsonpath={.spec.containers[0].env[0].value}', '1'),
    },
    {
      command: 'expose deployment web --port=80 --target-port=8080 --type=NodePort',
      gives: 'a Service for a workload',
      given: web,
      leaves: reads("get service web -o 'jsonpath={.spec.selector.app} {.spec.type}'", 'web NodePort'),
    },
    {
      command: 'autoscale deployment web --min=1 --max=3 --cpu-percent=50',
      gives: 'a HorizontalPodAutoscaler',
      given: web,
      leaves: reads('get hpa web', /Deployment\/web +cpu: <unknown>\/50% +1 +3 +0/),
    },
  ],
};

const apply: Section = {
  title: 'apply, diff, replace, edit',
  rows: [
    {
      command: 'apply -f one.yaml',
      gives: 'objects made or brought to what the file says',
      given: applied,
      shows: [/configmap\/settings configured/],
      leaves: reads('get cm settings -o jsonpath={.data.size}', '2'),
    },
    {
      command: 'apply -f one.yaml --server-side',
      gives: 'the same, merged by the server, with owners of fields',
      given: (place) => place.write('one.yaml', configMap('1')),
      shows: [/serverside-applied/],
      leaves: reads(
        "get cm settings --show-managed-fields -o 'jsonpath={.metadata.managedFields[*].operation}'",
        'Apply',
      ),
    },
    {
      command: 'apply -f two.yaml --server-side --field-manager=other',
      gives: 'a refusal that names the owner, where another one has the field',
      given: async (place) => {
        await place.write('one.yaml', configMap('1'));
        await place.ok('apply -f one.yaml --server-side');
        await place.write('two.yaml', configMap('2'));
      },
      fails: true,
      shows: [/conflict with "kubectl": \.data\.size/],
    },
    {
      command: 'apply -f two.yaml --server-side --field-manager=other --force-conflicts',
      gives: 'the field taken over',
      given: async (place) => {
        await place.write('one.yaml', configMap('1'));
        await place.ok('apply -f one.yaml --server-side');
        await place.write('two.yaml', configMap('2'));
      },
      leaves: reads('get cm settings -o jsonpath={.data.size}', '2'),
    },
    {
      command: 'apply -f all.yaml --prune -l tier=front --prune-allowlist=core/v1/ConfigMap',
      gives: 'what the file no longer says is removed',
      given: async (place) => {
        const front = (name: string) => make.configMap(name, {}, { tier: 'front' });
        await place.write('all.yaml', make.manifest(front('stays'), front('goes')));
        await place.ok('apply -f all.yaml');
        await place.write('all.yaml', make.manifest(front('stays')));
      },
      shows: [/configmap\/goes pruned/],
      leaves: reads('get cm -l tier=front -o name', 'configmap/stays\n'),
    },
    {
      command: 'apply -f one.yaml --dry-run=server',
      gives: 'a trial run',
      given: (place) => place.write('one.yaml', configMap('1')),
      shows: [/configmap\/settings created \(server dry run\)/],
      leaves: reads('get cm settings --ignore-not-found', ''),
    },
    {
      command: 'apply -k .',
      gives: 'a kustomization',
      given: async (place) => {
        await place.write('one.yaml', configMap('1'));
        await place.write('kustomization.yaml', 'resources: [one.yaml]\nnamePrefix: my-\n');
      },
      shows: [/configmap\/my-settings created/],
    },
    {
      command: 'kustomize .',
      gives: 'a kustomization as a manifest',
      given: async (place) => {
        await place.write('one.yaml', configMap('1'));
        await place.write('kustomization.yaml', 'resources: [one.yaml]\nnameSuffix: -dev\n');
      },
      shows: [/name: settings-dev/],
    },
    {
      command: 'apply view-last-applied configmap/settings',
      gives: 'what was applied last',
      given: applied,
      shows: [/size: "1"/],
    },
    {
      command: 'apply set-last-applied -f one.yaml',
      gives: 'the record of it, set by hand',
      given: applied,
      leaves: reads('apply view-last-applied configmap/settings', /size: "2"/),
    },
    {
      command: 'apply edit-last-applied configmap/settings',
      gives: 'the record of it, in an editor',
      given: async (place) => {
        await applied(place);
        await place.write('edit.sh', `sed -i 's/size: "1"/size: "8"/' "$1"`);
      },
      env: { EDITOR: 'sh edit.sh' },
      leaves: reads('apply view-last-applied configmap/settings', /size: "8"/),
    },
    {
      command: 'diff -f one.yaml',
      gives: 'what apply would change',
      given: applied,
      fails: true,
      shows: [/-\s+size: "1"\n\+\s+size: "2"/],
    },
    {
      command: 'diff -f one.yaml --server-side --force-conflicts',
      gives: 'the same for server-side apply',
      given: applied,
      fails: true,
      shows: [/\+\s+size: "2"/],
    },
    {
      command: 'replace -f one.yaml',
      gives: 'the object as the file has it',
      given: applied,
      shows: [/configmap\/settings replaced/],
      leaves: reads('get cm settings -o jsonpath={.data.size}', '2'),
    },
    {
      command: 'replace --force -f pod.yaml',
      gives: 'the object deleted and made anew',
      given: async (place) => {
        await place.write('pod.yaml', make.manifest(make.pod('web')));
        await place.ok('create -f pod.yaml');
      },
      shows: [/pod "web" deleted/, /pod\/web replaced/],
    },
    {
      command: 'replace --raw /api/v1/namespaces/default/configmaps/nobody -f -',
      gives: 'any path, written',
      input: configMap('1', 'nobody'),
      fails: true,
      shows: [/configmaps "nobody" not found/],
    },
    {
      command: 'edit cm settings',
      gives: 'the object in an editor',
      given: async (place) => {
        await applied(place);
        await place.write('edit.sh', `sed -i 's/size: "1"/size: edited/' "$1"`);
      },
      env: { EDITOR: 'sh edit.sh' },
      leaves: reads('get cm settings -o jsonpath={.data.size}', 'edited'),
    },
    {
      command: 'edit node ~ --subresource=status',
      gives: 'a subresource in an editor',
      given: async (place) => {
        await place.create(make.node(place.unique));
        await place.write('edit.sh', 'sed -i "s/osImage: Linux/osImage: Edited/" "$1"');
      },
      env: { EDITOR: 'sh edit.sh' },
      leaves: async (place) => {
        await reads(`get node ${place.unique} -o jsonpath={.status.nodeInfo.osImage}`, 'Edited')(place);
        await place.ok(`delete node ${place.unique}`);
      },
    },
  ],
};

const change: Section = {
  title: 'patch, label, annotate, set, scale',
  rows: [
    {
      command: `patch deployment web -p '{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"busybox:2"}]}}}}'`,
      gives: 'a strategic merge patch: lists merged by key',
      given: web,
      leaves: reads("get deployment web -o 'jsonpath={.spec.template.spec.containers[*].image}'", 'busybox:2'),
    },
    {
      command: `patch deployment web --type=merge -p '{"spec":{"minReadySeconds":5}}'`,
      gives: 'a merge patch',
      given: web,
      leaves: reads('get deployment web -o jsonpath={.spec.minReadySeconds}', '5'),
    },
    {
      command: `patch deployment web --type=json -p '[{"op":"test","path":"/spec/replicas","value":0},{"op":"replace","path":"/spec/replicas","value":1}]'`,
      gives: 'a JSON patch',
      given: web,
      leaves: reads('get deployment web -o jsonpath={.spec.replicas}', '1'),
    },
    {
      command: `patch deployment web --subresource=scale --type=merge -p '{"spec":{"replicas":2}}'`,
      gives: 'a patch of a subresource: scale or status',
      given: web,
      leaves: reads('get deployment web -o jsonpath={.spec.replicas}', '2'),
    },
    {
      command: `patch pod web --subresource=resize -p '{"spec":{"containers":[{"name":"main","resources":{"requests":{"cpu":"20m"}}}]}}'`,
      gives: 'other resources for a pod that runs, without a new start',
      given: (place) => place.create(make.sizedPod('web', { requests: { cpu: '10m' } })),
      leaves: reads('get pod web -o jsonpath={.spec.containers[*].resources.requests.cpu}', '20m'),
    },
    {
      command: `patch node ~ --subresource=status --type=merge -p '{"status":{"capacity":{"example.com/lamp":"2"}}}'`,
      gives: 'a device that a node is said to have',
      given: (place) => place.create(make.node(place.unique)),
      leaves: async (place) => {
        await reads(`get node ${place.unique} -o jsonpath={.status.capacity}`, /"example\.com\/lamp":"2"/)(place);
        await place.ok(`delete node ${place.unique}`);
      },
    },
    {
      command: `patch -f one.yaml -p '{"data":{"size":"9"}}' --dry-run=server -o jsonpath={.data.size}`,
      gives: 'a trial run of a patch',
      given: applied,
      shows: [/^9$/],
      leaves: reads('get cm settings -o jsonpath={.data.size}', '1'),
    },
    {
      command: `patch deployment web -p '{"spec":{"selector":{"matchLabels":{"app":"other"}}}}'`,
      gives: 'a refusal of what may not change',
      given: web,
      fails: true,
      shows: [/The Deployment "web" is invalid: /, /spec\.selector: Invalid value: .*: field is immutable/],
    },
    {
      command: 'label deployment web tier=front app-',
      gives: 'labels set and removed',
      given: web,
      leaves: reads('get deployment web -o jsonpath={.metadata.labels}', '{"tier":"front"}'),
    },
    {
      command: 'label deployment web app=other',
      gives: 'a refusal, where a label has another value already',
      given: web,
      fails: true,
      shows: [/'app' already has a value \(web\), and --overwrite is false/],
    },
    {
      command: 'annotate deployment,cm --all note=hello',
      gives: 'annotations, of all objects of some kinds',
      given: async (place) => {
        await web(place);
        await applied(place);
      },
      shows: [/deployment\.apps\/web annotated/, /configmap\/settings annotated/],
    },
    {
      command: 'set image deployment/web main=busybox:3',
      gives: 'another image',
      given: web,
      leaves: reads("get deployment web -o 'jsonpath={.spec.template.spec.containers[0].image}'", 'busybox:3'),
    },
    {
      command: 'set env deployment/web A=1 --from=configmap/settings',
      gives: 'environment variables',
      given: async (place) => {
        await web(place);
        await applied(place);
      },
      leaves: reads('set env deployment/web --list', /A=1\n.*SIZE from configmap settings, key size/s),
    },
    {
      command: 'set resources deployment web --limits=cpu=200m,memory=64Mi --requests=cpu=100m',
      gives: 'requests and limits',
      given: web,
      leaves: reads(
        "get deployment web -o 'jsonpath={.spec.template.spec.containers[0].resources.limits.memory}'",
        '64Mi',
      ),
    },
    {
      command: 'set selector service web app=other',
      gives: 'another selector',
      given: (place) => place.create(make.service('web')),
      leaves: reads('get service web -o jsonpath={.spec.selector}', '{"app":"other"}'),
    },
    {
      command: 'set serviceaccount deployment web robot',
      gives: 'another service account',
      given: async (place) => {
        await web(place);
        await place.create(make.serviceAccount('robot'));
      },
      leaves: reads('get deployment web -o jsonpath={.spec.template.spec.serviceAccountName}', 'robot'),
    },
    {
      command: 'set subject rolebinding readers --user=bob --group=team',
      gives: 'more subjects of a binding',
      given: (place) => place.ok('create rolebinding readers --clusterrole=view --user=ann'),
      leaves: reads('get rolebinding readers -o wide', /ann, bob +team/),
    },
    {
      command: 'scale deployment web --replicas=2 --current-replicas=0',
      gives: 'another number of replicas',
      given: web,
      leaves: (place) => place.ok('rollout status deployment/web --timeout=20s'),
    },
    {
      command: 'scale deployment web --replicas=2 --current-replicas=7',
      gives: 'a refusal, where the number is not the expected one',
      given: web,
      fails: true,
      shows: [/Expected replicas to be 7, was 0/],
    },
    {
      command: 'scale statefulset/db rs/old --replicas=0',
      gives: 'several workloads at once',
      given: async (place) => {
        await place.create(make.statefulSet('db'));
        const { spec } = make.deployment('old') as unknown as { spec: object };
        await place.create({
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          metadata: { name: 'old' },
          spec,
        });
      },
      shows: [/statefulset\.apps\/db scaled/, /replicaset\.apps\/old scaled/],
    },
  ],
};

const remove: Section = {
  title: 'delete and wait',
  rows: [
    {
      command: 'delete deployment web',
      gives: 'the object, and then what it owns',
      given: async (place) => {
        await place.create(make.deployment('web', 1));
        await place.ok('rollout status deployment/web --timeout=20s');
      },
      leaves: gone('deployment,rs,pods'),
    },
    {
      command: 'delete deployment web --cascade=foreground --timeout=20s',
      gives: 'what it owns first, then the object',
      given: async (place) => {
        await place.create(make.deployment('web', 1));
        await place.ok('rollout status deployment/web --timeout=20s');
      },
      leaves: reads('get deployment,rs,pods -o name', ''),
    },
    {
      command: 'delete deployment web --cascade=orphan',
      gives: 'the object alone; what it owned stays',
      given: async (place) => {
        await place.create(make.deployment('web', 1));
        await place.ok('rollout status deployment/web --timeout=20s');
      },
      leaves: async (place) => {
        await gone('deployment')(place);
        await reads("get rs -o 'jsonpath={.items[*].metadata.ownerReferences}'", /^(\[\])?$/)(place);
        await reads('get rs,pods -o name', /replicaset.*\npod/)(place);
      },
    },
    {
      command: 'delete pod web --force --grace-period=0',
      gives: 'a pod at once, whatever its node says',
      given: (place) => place.create(make.pod('web')),
      shows: [/Immediate deletion does not wait/],
      leaves: gone('pod'),
    },
    {
      command: 'delete pod web --now',
      gives: 'a pod with a second of grace',
      given: (place) => place.create(make.pod('web')),
      leaves: gone('pod'),
    },
    {
      command: 'delete cm -l tier=front --field-selector=metadata.name!=beta',
      gives: 'what is selected by labels and fields',
      given: (place) =>
        place.create(make.configMap('alpha', {}, { tier: 'front' }), make.configMap('beta', {}, { tier: 'front' })),
      leaves: reads('get cm -l tier=front -o name', 'configmap/beta\n'),
    },
    {
      command: 'delete cm -l tier=front',
      gives: 'what is selected',
      given: (place) => place.create(make.configMap('alpha', {}, { tier: 'front' }), make.configMap('beta')),
      shows: [/"alpha" deleted/],
      leaves: reads('get cm beta -o name', 'configmap/beta\n'),
    },
    {
      command: 'delete cm,secret --all',
      gives: 'everything of some kinds',
      given: async (place) => {
        await place.create(make.configMap('alpha'));
        await place.ok('create secret generic word');
      },
      leaves: gone('cm/alpha secret/word'),
    },
    {
      command: 'delete -f one.yaml --ignore-not-found --wait=false',
      gives: 'what a file says',
      given: applied,
      shows: [/configmap "settings" deleted/],
    },
    {
      command: 'delete namespace ~ --timeout=30s',
      gives: 'a namespace with everything in it',
      given: (place) => place.create(make.pod('web'), make.configMap('alpha'), make.deployment('web')),
      shows: [/namespace "at-\d+" deleted/],
    },
    {
      command: 'delete cm alpha --dry-run=server',
      gives: 'a trial run',
      given: (place) => place.create(make.configMap('alpha')),
      leaves: reads('get cm alpha -o name', 'configmap/alpha\n'),
    },
    {
      command: 'delete --raw /api/v1/namespaces/default/configmaps/nobody',
      gives: 'any path, deleted',
      fails: true,
      shows: [/configmaps "nobody" not found/],
    },
    {
      command: 'wait deployment/web --for=condition=Available --timeout=20s',
      gives: 'a condition',
      given: (place) => place.create(make.deployment('web')),
      shows: [/condition met/],
    },
    {
      command: "wait pod/web --for=jsonpath='{.status.phase}'=Running --timeout=20s",
      gives: 'a field',
      given: (place) => place.create(make.pod('web')),
      shows: [/condition met/],
    },
    {
      command: 'wait pod -l app=web --for=condition=Ready --timeout=20s',
      gives: 'a condition of everything that is selected',
      given: (place) => place.create(make.pod('web'), make.pod('web-2', { app: 'web' })),
      shows: [/web condition met/, /web-2 condition met/],
    },
    {
      command: 'wait cm/alpha --for=create --timeout=20s',
      gives: 'an object to appear',
      given: async (place) => void setTimeout(() => void place.create(make.configMap('alpha')), 300),
      shows: [/condition met/],
    },
    {
      command: 'wait cm/alpha --for=delete --timeout=20s',
      gives: 'an object to go',
      given: async (place) => {
        await place.create(make.configMap('alpha'));
        const target = { namespace: place.namespace, name: 'alpha' };
        setTimeout(() => void place.api.delete({ group: '', version: 'v1', resource: 'configmaps' }, target), 300);
      },
      leaves: gone('cm/alpha'),
    },
    {
      command: 'wait deployment/web --for=condition=Nothing --timeout=200ms',
      gives: 'an error when the time is up',
      given: web,
      fails: true,
      shows: [/timed out waiting for the condition on deployments\/web/],
    },
  ],
};

const checks: Section = {
  title: 'checks of what is sent',
  rows: [
    {
      command: 'create -f - --validate=strict',
      gives: 'a refusal of unknown and repeated fields',
      input: '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","lables":{}},"date":{"a":"1"}}',
      fails: true,
      shows: [/strict decoding error: unknown field "date", unknown field "metadata\.lables"/],
    },
    {
      command: 'apply -f - --validate=warn',
      gives: 'a warning, and the object without them',
      input: '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"date":{"a":"1"}}',
      shows: [/Warning: unknown field "date"/, /configmap\/x created/],
    },
    {
      command: 'apply -f - --validate=ignore',
      gives: 'the object without them',
      input: '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"date":{"a":"1"}}',
      leaves: async (_, { err }) => assert.doesNotMatch(err, /unknown/),
    },
    {
      command: 'create -f -',
      gives: 'every cause of a refusal at once',
      input: make.manifest({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'x' },
        spec: {
          replicas: -1,
          selector: { matchLabels: { app: 'x' } },
          template: { metadata: { labels: { app: 'y' } }, spec: { containers: [{ name: 'A' }] } },
        },
      }),
      fails: true,
      shows: [
        /^The Deployment "x" is invalid: $/m,
        /^\* spec\.replicas: Invalid value: -1: must be greater than or equal to 0$/m,
        /^\* spec\.template\.metadata\.labels: Invalid value: \{"app":"y"\}: `selector` does not match template `labels`$/m,
        /^\* spec\.template\.spec\.containers\[0\]\.image: Required value$/m,
        /^\* spec\.template\.spec\.containers\[0\]\.name: Invalid value: "A": a lowercase RFC 1123 label/m,
      ],
    },
  ],
};

export const writing: readonly Section[] = [create, apply, change, remove, checks];
