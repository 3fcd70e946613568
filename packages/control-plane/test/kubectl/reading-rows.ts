// Rows about looking at things: get, describe, explain, events, discovery.
import assert from 'node:assert/strict';
import * as make from './objects.ts';
import type { Place, Section } from './row.ts';

const three = (place: Place) =>
  place.create(
    make.configMap('alpha', { size: '3' }, { tier: 'front' }),
    make.configMap('beta', { size: '1' }, { tier: 'back' }),
    make.configMap('gamma', { size: '2' }),
  );
const running = async (place: Place) => {
  await place.create(make.pod('web'));
  await place.eventually(async () => {
    const pod = await place.api.get(
      { group: '', version: 'v1', resource: 'pods' },
      { namespace: place.namespace, name: 'web' },
    );
    assert.equal((pod['status'] as { phase: string }).phase, 'Running');
  });
};
const rolledOut = async (place: Place) => {
  await place.create(make.deployment('web', 2));
  await place.ok('rollout status deployment/web --timeout=20s');
};

export const reading: readonly Section[] = [
  {
    title: 'get',
    rows: [
      {
        command: 'get pods',
        gives: 'the columns of Kubernetes: READY, STATUS, RESTARTS, AGE',
        given: running,
        shows: [/^NAME +READY +STATUS +RESTARTS +AGE$/m, /^web +1\/1 +Running +0 +\d+s$/m],
      },
      {
        command: 'get pods -o wide',
        gives: 'more columns: IP, NODE, NOMINATED NODE, READINESS GATES',
        given: running,
        shows: [/AGE +IP +NODE +NOMINATED NODE +READINESS GATES/, /10\.0\.0\.9 +edge-\d +<none> +<none>/],
      },
      {
        command: 'get pod/web -o yaml',
        gives: 'the object as YAML, without managed fields',
        given: running,
        shows: [/^apiVersion: v1$/m, /^kind: Pod$/m, /qosClass: BestEffort/],
        leaves: async (_, { out }) => assert.doesNotMatch(out, /managedFields/),
      },
      {
        command: 'get pod web -o json --show-managed-fields',
        gives: 'the object as JSON, with who owns which field',
        given: running,
        leaves: async (_, { out }) => {
          const { metadata } = JSON.parse(out) as { metadata: { managedFields: { fieldsType: string }[] } };
          assert.equal(metadata.managedFields[0]?.fieldsType, 'FieldsV1');
        },
      },
      {
        command: "get cm -o 'jsonpath={range .items[*]}{.metadata.name}={.data.size} {end}'",
        gives: 'what a JSONPath selects',
        given: three,
        shows: [/alpha=3 beta=1 gamma=2/],
      },
      {
        command: "get cm alpha -o 'go-template={{.data.size}}'",
        gives: 'what a Go template makes of it',
        given: three,
        shows: [/^3$/],
      },
      {
        command: 'get cm -o custom-columns=WHO:.metadata.name,SIZE:.data.size',
        gives: 'columns of one’s own',
        given: three,
        shows: [/^WHO +SIZE$/m, /^alpha +3$/m],
      },
      { command: 'get cm -o name', gives: 'names alone', given: three, shows: [/^configmap\/alpha$/m] },
      {
        command: 'get cm --sort-by=.data.size',
        gives: 'rows in the order of a field',
        given: three,
        leaves: async (_, { out }) => assert.deepEqual(out.match(/^(alpha|beta|gamma)/gm), ['beta', 'gamma', 'alpha']),
      },
      {
        command: 'get cm -l tier --show-labels',
        gives: 'only what has a label; labels in a column',
        given: three,
        shows: [/alpha.*tier=front/, /beta.*tier=back/],
        leaves: async (_, { out }) => assert.doesNotMatch(out, /gamma/),
      },
      {
        command: "get cm -l 'tier in (front,side)' -L tier --no-headers",
        gives: 'selection by sets, a label as a column',
        given: three,
        shows: [/^alpha +1 +\d+s +front\n$/],
      },
      {
        command: 'get pods --field-selector=status.phase=Running,spec.nodeName!=',
        gives: 'selection by the fields that Kubernetes supports for the kind',
        given: running,
        shows: [/^web /m],
      },
      {
        command: 'get cm --field-selector=data.size=1',
        gives: 'a refusal that names the field, for any other',
        fails: true,
        shows: [/field label not supported: data\.size/],
      },
      {
        command: 'get cm --chunk-size=1',
        gives: 'everything, read in pages of one',
        given: three,
        shows: [/alpha/, /beta/, /gamma/],
      },
      {
        command: 'get cm -A',
        gives: 'all namespaces, named in a column',
        given: three,
        shows: [/^NAMESPACE +NAME +DATA +AGE$/m, /alpha/],
      },
      {
        command: 'get all',
        gives: 'every kind of the category `all`',
        given: rolledOut,
        shows: [/^pod\/web-/m, /^deployment\.apps\/web /m, /^replicaset\.apps\/web-/m],
      },
      {
        command: 'get deploy,rs,svc -o wide',
        gives: 'several kinds, by their short names',
        given: async (place) => {
          await rolledOut(place);
          await place.create(make.service('web'));
        },
        shows: [/CONTAINERS +IMAGES +SELECTOR/, /^deployment\.apps\/web +2\/2 +2 +2 /m, /^service\/web +ClusterIP/m],
      },
      {
        command: 'get cm nobody --ignore-not-found',
        gives: 'nothing, without an error',
        leaves: async (_, { out }) => assert.equal(out, ''),
      },
      {
        command: 'get cm nobody',
        gives: 'the error of a missing object',
        fails: true,
        shows: [/Error from server \(NotFound\): configmaps "nobody" not found/],
      },
      {
        command: 'get widgets',
        gives: 'the error of a kind that is not served',
        fails: true,
        shows: [/the server doesn't have a resource type "widgets"/],
      },
      {
        command: 'get deployment web --subresource=scale -o jsonpath={.spec.replicas}',
        gives: 'a subresource: scale or status',
        given: rolledOut,
        shows: [/^2$/],
      },
      {
        command: 'get horizontalpodautoscalers.v1.autoscaling web -o jsonpath={.spec.targetCPUUtilizationPercentage}',
        gives: 'the same object in another version of its kind',
        given: async (place) => {
          await rolledOut(place);
          await place.ok('autoscale deployment web --max=3 --cpu-percent=50');
        },
        shows: [/^50$/],
      },
      {
        command: 'get --raw /apis/apps/v1/namespaces/default/deployments?limit=1',
        gives: 'any path, as the server answers it',
        shows: [/"kind":"DeploymentList"/],
      },
      { command: 'get --raw /readyz?verbose', gives: 'the checks of the server', shows: [/\[\+\]storage ok/] },
      {
        command: 'get componentstatuses',
        gives: 'an empty list: the parts of a site are seen with `kedge status`',
        shows: [/No resources found/],
      },
      {
        command: 'get pods --watch-only --request-timeout=300ms',
        gives: 'changes as they happen, until the time is up',
        fails: false,
      },
    ],
  },
  {
    title: 'describe',
    rows: [
      {
        command: 'describe deployments,replicasets,pods',
        gives: 'workloads with their conditions and events',
        given: rolledOut,
        shows: [
          /NewReplicaSet: +web-/,
          /Available +True +MinimumReplicasAvailable/,
          /ScalingReplicaSet/,
          /Controlled By: +ReplicaSet\/web-/,
        ],
      },
      {
        command: 'describe statefulset,daemonset,job,cronjob',
        gives: 'the other workloads',
        given: (place) =>
          place.create(make.statefulSet('db'), make.daemonSet('agent'), make.job('once'), make.cronJob('nightly')),
        shows: [
          /Update Strategy: +RollingUpdate/,
          /Pods Statuses:/,
          /Schedule: +0 3 \* \* \*/,
          /Desired Number of Nodes Scheduled/,
        ],
      },
      {
        command: 'describe service,endpoints,endpointslice,ingress,networkpolicy',
        gives: 'networking',
        given: async (place) => {
          await place.create(make.pod('web'), make.service('web'));
          await place.ok('create ingress web --rule=example.com/*=web:80');
          await place.create({
            apiVersion: 'networking.k8s.io/v1',
            kind: 'NetworkPolicy',
            metadata: { name: 'closed' },
            spec: { podSelector: {} },
          });
          await place.eventually(async () => assert.match(await place.ok('get endpoints web'), /10\.0\.0\.9:80/));
        },
        shows: [
          /Session Affinity: +None/,
          /Endpoints: +10\.0\.0\.9:80/,
          /example\.com/,
          /Not affecting egress traffic/,
          /AddressType: +IPv4/,
        ],
      },
      {
        command: 'describe configmap,secret,serviceaccount,resourcequota,limitrange',
        gives: 'configuration and limits; secrets without their content',
        given: async (place) => {
          await place.create(make.configMap('alpha', { size: '3' }));
          await place.ok('create secret generic word --from-literal=word=hidden');
          await place.ok('create quota few --hard=pods=3');
          await place.create({
            apiVersion: 'v1',
            kind: 'LimitRange',
            metadata: { name: 'modest' },
            spec: { limits: [{ type: 'Container', default: { memory: '64Mi' } }] },
          });
          await place.eventually(async () => assert.match(await place.ok('describe quota few'), /pods +0 +3/));
        },
        shows: [/word: +6 bytes/, /Mountable secrets/, /pods +0 +3/, /Container +memory +- +- +64Mi/],
        leaves: async (_, { out }) => assert.doesNotMatch(out, /hidden/),
      },
      {
        command: 'describe role,rolebinding,hpa,pdb,lease,replicationcontroller,podtemplate,controllerrevision',
        gives: 'access, autoscalers, budgets, leases and older kinds',
        given: async (place) => {
          await place.ok('create role reader --verb=get --resource=pods');
          await place.ok('create rolebinding readers --role=reader --user=ann');
          await place.create(make.deployment('web'), make.statefulSet('db'));
          await place.ok('autoscale deployment web --max=3 --cpu-percent=50');
          await place.ok('create pdb web --selector=app=web --min-available=1');
          await place.create(
            {
              apiVersion: 'coordination.k8s.io/v1',
              kind: 'Lease',
              metadata: { name: 'held' },
              spec: { holderIdentity: 'me' },
            },
            { apiVersion: 'v1', kind: 'PodTemplate', metadata: { name: 'shape' }, template: make.pod('x') },
            {
              apiVersion: 'v1',
              kind: 'ReplicationController',
              metadata: { name: 'old' },
              spec: { replicas: 0, selector: { app: 'old' }, template: { ...make.pod('old') } },
            },
          );
          await place.eventually(async () => assert.match(await place.ok('get controllerrevision -o name'), /db-/));
        },
        shows: [
          /Resources +Non-Resource URLs +Resource Names +Verbs/,
          /User +ann/,
          /Reference: +Deployment\/web/,
          /Allowed disruptions:/,
          /Holder Identity: +me/,
          /Name: +old/,
        ],
      },
      {
        command: 'describe pv,pvc,storageclass,csidriver,csinode,volumeattachment,csistoragecapacity',
        gives: 'storage',
        given: async (place) => {
          await place.create(
            {
              apiVersion: 'v1',
              kind: 'PersistentVolume',
              metadata: { name: place.unique },
              spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/data' } },
            },
            {
              apiVersion: 'v1',
              kind: 'PersistentVolumeClaim',
              metadata: { name: 'data' },
              spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
            },
            {
              apiVersion: 'storage.k8s.io/v1',
              kind: 'StorageClass',
              metadata: { name: place.unique },
              provisioner: 'example.com/x',
            },
            { apiVersion: 'storage.k8s.io/v1', kind: 'CSIDriver', metadata: { name: 'x.example.com' }, spec: {} },
          );
          await place.eventually(async () =>
            assert.equal(await place.ok('get pvc data -o jsonpath={.status.phase}'), 'Bound'),
          );
        },
        shows: [/Reclaim Policy: +Retain/, /Status: +Bound/, /IsDefaultClass: +No/, /Attach Required: +true/],
      },
      {
        command: 'describe node edge-1',
        gives: 'a node with what runs on it and what that takes',
        shows: [/^Roles: +<none>/m, /Kubelet Version: +v1\.32\.0/, /Allocated resources:/, /Non-terminated Pods:/],
      },
      {
        command: 'describe namespace default kube-system',
        gives: 'namespaces with their quotas and limits',
        shows: [/^Name: +default$/m, /No resource quota/],
      },
      {
        command: 'describe clusterrole/view clusterrolebinding/cluster-admin priorityclass/system-node-critical',
        gives: 'cluster roles, their bindings, priorities',
        shows: [/pods\/log/, /Group +system:masters/, /Value: +2000001000/],
      },
      {
        command: 'describe csr,crd,ingressclass,runtimeclass,validatingwebhookconfiguration',
        gives: 'requests for certificates, definitions and the like',
        given: (place) =>
          place.create(
            {
              apiVersion: 'networking.k8s.io/v1',
              kind: 'IngressClass',
              metadata: { name: place.unique },
              spec: { controller: 'example.com/x' },
            },
            { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name: place.unique }, handler: 'runc' },
          ),
        shows: [/Controller: +example\.com\/x/, /Handler: +runc/],
      },
    ],
  },
  {
    title: 'explain',
    rows: [
      {
        command: 'explain deployment.spec.replicas',
        gives: 'type, place and meaning of one field',
        shows: [/GROUP: +apps/, /FIELD: replicas <integer>/, /Number of desired pods\. This is a pointer/],
      },
      {
        command: 'explain pod.spec.containers.imagePullPolicy',
        gives: 'the values that a field may have, and what they mean',
        shows: [
          /ENUM:\n    Always\n    IfNotPresent\n    Never\n/,
          /`"Never"` means that kubelet never pulls an image/,
        ],
      },
      {
        command: 'explain pod.spec.affinity',
        gives: 'the meaning of a field that has fields, and theirs',
        shows: [
          /If specified, the pod's scheduling constraints/,
          /nodeAffinity\t<NodeAffinity>\n\s+Describes node affinity/,
        ],
      },
      {
        command: 'explain pod --recursive',
        gives: 'the whole tree of fields',
        shows: [/containers\t<\[\]Container> -required-/, /dnsPolicy\t<string>\n +enum: ClusterFirst, /],
      },
      {
        command: 'explain lamps.spec --recursive',
        gives: 'the same of a custom resource, in the words of its definition',
        async given(place) {
          await place.create(make.lampDefinition);
          await place.eventually(async () => {
            await place.ok('explain lamps');
          });
        },
        shows: [/KIND: +Lamp/, /How the lamp shines\./, /color\t<string>\n +enum: red, green/],
      },
      {
        command: 'explain hpa --api-version=autoscaling/v1 --recursive',
        gives: 'the fields of another version',
        shows: [/VERSION: +v1/, /targetCPUUtilizationPercentage/],
      },
      {
        command: 'explain cronjobs.spec.jobTemplate.spec.template.spec.containers.env.valueFrom',
        gives: 'fields deep inside',
        shows: [/secretKeyRef\t<SecretKeySelector>/],
      },
      {
        command: 'explain pod.spec.nothing',
        gives: 'the error of a field that is not there',
        fails: true,
        shows: [/field "nothing" does not exist/],
      },
      {
        command: 'explain deployment --output=plaintext-openapiv2',
        gives: 'the same from the older document',
        shows: [/KIND: +Deployment/, /FIELDS:/, /Deployment enables declarative updates for Pods and ReplicaSets\./],
      },
    ],
  },
  {
    title: 'events',
    rows: [
      {
        command: 'events --for=pod/web',
        gives: 'what happened to an object',
        given: async (place) => {
          await running(place);
          await place.eventually(async () => assert.match(await place.ok('events --for=pod/web'), /Scheduled/));
        },
        shows: [/^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE$/m, /Normal +Scheduled +Pod\/web/],
      },
      {
        command: 'events --types=Normal -o json',
        gives: 'events as objects',
        given: rolledOut,
        shows: [/"kind": "Event"/],
      },
      {
        command: 'get events --field-selector=involvedObject.kind=Deployment,reason=ScalingReplicaSet -o wide',
        gives: 'events by what they are about',
        given: async (place) => {
          await rolledOut(place);
          await place.eventually(async () => assert.match(await place.ok('get events'), /ScalingReplicaSet/));
        },
        shows: [/SUBOBJECT +SOURCE +MESSAGE +FIRST SEEN +COUNT +NAME/, /deployment\/web/],
      },
      {
        command: 'get events.v1.events.k8s.io',
        gives: 'the same events by the newer group',
        given: async (place) => {
          await running(place);
          await place.eventually(async () => assert.match(await place.ok('get events'), /Scheduled/));
        },
        shows: [/Scheduled +pod\/web/],
      },
    ],
  },
  {
    title: 'discovery',
    rows: [
      {
        command: 'api-resources',
        gives: 'names, short names, versions and kinds',
        shows: [/^pods +po +v1 +true +Pod$/m, /^deployments +deploy +apps\/v1 +true +Deployment$/m],
      },
      {
        command: 'api-resources -o wide --categories=all --namespaced --verbs=list,watch --sort-by=name',
        gives: 'the same, selected and with verbs',
        shows: [
          /^cronjobs +cj +batch\/v1 +true +CronJob +create,delete,deletecollection,get,list,patch,update,watch +all/m,
        ],
      },
      {
        command: 'api-resources --api-group=rbac.authorization.k8s.io -o name',
        gives: 'the kinds of one group',
        shows: [/^rolebindings\.rbac\.authorization\.k8s\.io$/m],
      },
      {
        command: 'api-versions',
        gives: 'groups and versions',
        shows: [/^apps\/v1$/m, /^autoscaling\/v1$/m, /^autoscaling\/v2$/m],
      },
      { command: 'version -o json', gives: 'versions of both sides', shows: [/"minor": "32"/, /kedge/] },
      {
        command: 'cluster-info',
        gives: 'where the server is',
        shows: [/Kubernetes control plane is running at https:/],
      },
      {
        command: 'cluster-info dump --namespaces=default --output-directory=dump',
        gives: 'the state of namespaces as files',
        shows: [/Cluster info dumped to dump/],
      },
    ],
  },
];
