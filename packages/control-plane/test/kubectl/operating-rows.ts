// Rows about running a cluster: rollouts, nodes, access, certificates, and what needs a stream.
import assert from 'node:assert/strict';
import { collections } from '@kedge/engine/kube-client';
import { createKeys } from '@kedge/platform/node';
import * as make from './objects.ts';
import type { Place, Section } from './row.ts';

const rolledOut = async (place: Place) => {
  await place.create(make.deployment('web', 1));
  await place.ok('rollout status deployment/web --timeout=20s');
};
const twice = async (place: Place) => {
  await rolledOut(place);
  await place.ok('set image deployment/web main=busybox:2');
  await place.ok('annotate deployment/web kubernetes.io/change-cause=second');
  await place.ok('rollout status deployment/web --timeout=20s');
};
const image = async (place: Place) =>
  place.ok("get deployment web -o 'jsonpath={.spec.template.spec.containers[0].image}'");

const rollout: Section = {
  title: 'rollout',
  rows: [
    {
      command: 'rollout status deployment/web --timeout=20s',
      gives: 'progress until a rollout is complete',
      given: (place) => place.create(make.deployment('web', 2)),
      shows: [/deployment "web" successfully rolled out/],
    },
    {
      command: 'rollout status daemonset/agent --timeout=20s',
      gives: 'the same for DaemonSets',
      given: (place) => place.create(make.daemonSet('agent')),
      shows: [/daemon set "agent" successfully rolled out/],
    },
    {
      command: 'rollout status statefulset/db --timeout=20s',
      gives: 'the same for StatefulSets',
      given: (place) => place.create(make.statefulSet('db', 2)),
      shows: [/rolling update complete 2 pods|partitioned roll out complete: 2 new pods/],
    },
    {
      command: 'rollout history deployment/web',
      gives: 'revisions and what caused them',
      given: twice,
      shows: [/^1 +<none>$/m, /^2 +second$/m],
    },
    {
      command: 'rollout history deployment/web --revision=1',
      gives: 'the pods of one revision',
      given: twice,
      shows: [/Image:\s+busybox:1/],
    },
    {
      command: 'rollout undo deployment/web',
      gives: 'the revision before',
      given: twice,
      leaves: async (place) => assert.equal(await image(place), 'busybox:1'),
    },
    {
      command: 'rollout undo deployment/web --to-revision=1',
      gives: 'one revision',
      given: twice,
      leaves: async (place) => assert.equal(await image(place), 'busybox:1'),
    },
    {
      command: 'rollout undo daemonset/agent',
      gives: 'the same for DaemonSets and StatefulSets',
      given: async (place) => {
        await place.create(make.daemonSet('agent'));
        await place.ok('rollout status daemonset/agent --timeout=20s');
        await place.ok('set image daemonset/agent main=busybox:2');
        await place.ok('rollout status daemonset/agent --timeout=20s');
      },
      leaves: async (place) =>
        assert.equal(
          await place.ok("get daemonset agent -o 'jsonpath={.spec.template.spec.containers[0].image}'"),
          'busybox:1',
        ),
    },
    {
      command: 'rollout restart deployment/web',
      gives: 'new pods of the same kind',
      given: rolledOut,
      leaves: async (place) => {
        await place.ok('rollout status deployment/web --timeout=20s');
        assert.match(await place.ok('get rs -o name'), /(replicaset\S+\n){2}/);
      },
    },
    {
      command: 'rollout pause deployment/web',
      gives: 'a rollout that waits',
      given: rolledOut,
      leaves: async (place) => assert.equal(await place.ok('get deployment web -o jsonpath={.spec.paused}'), 'true'),
    },
    {
      command: 'rollout resume deployment/web',
      gives: 'and goes on',
      given: async (place) => {
        await rolledOut(place);
        await place.ok('rollout pause deployment/web');
      },
      leaves: async (place) => assert.equal(await place.ok('get deployment web -o jsonpath={.spec.paused}'), ''),
    },
  ],
};

/** A node of the row's own. */
const ownNode = async (place: Place) => {
  await place.create(make.node(place.unique));
};
const forget = (place: Place) => place.api.delete(collections.nodes, { name: place.unique });
const spec = (place: Place) => place.ok(`get node ${place.unique} -o jsonpath={.spec}`);

const nodes: Section = {
  title: 'nodes',
  rows: [
    {
      command: 'get nodes -o wide',
      gives: 'nodes, their roles, versions and addresses',
      shows: [/STATUS +ROLES +AGE +VERSION +INTERNAL-IP/, /^edge-1 +Ready +<none> +\S+ +v1\.32\.0 +192\.0\.2\.1/m],
    },
    {
      command: 'cordon ~',
      gives: 'a node that takes no new pods',
      given: ownNode,
      leaves: async (place) => {
        assert.match(await place.ok(`get node ${place.unique}`), /Ready,SchedulingDisabled/);
        await forget(place);
      },
    },
    {
      command: 'uncordon ~',
      gives: 'and takes them again',
      given: async (place) => {
        await ownNode(place);
        await place.ok(`cordon ${place.unique}`);
      },
      leaves: async (place) => {
        assert.doesNotMatch(await spec(place), /unschedulable/);
        await forget(place);
      },
    },
    {
      command: 'taint node ~ rack=dusty:NoSchedule',
      gives: 'a taint',
      given: ownNode,
      leaves: async (place) => {
        assert.match(await spec(place), /"effect":"NoSchedule","key":"rack","value":"dusty"/);
        await place.ok(`taint node ${place.unique} rack:NoSchedule-`);
        assert.doesNotMatch(await spec(place), /rack/);
        await forget(place);
      },
    },
    {
      command: 'drain ~ --ignore-daemonsets --delete-emptydir-data --timeout=20s',
      gives: 'its pods evicted, as budgets allow',
      given: async (place) => {
        await ownNode(place);
        const pod = make.pod('web');
        await place.create({ ...pod, spec: { ...(pod['spec'] as object), nodeName: place.unique } } as typeof pod);
      },
      fails: true,
      shows: [/cannot delete .* declare no controller .*default|cannot delete Pods that declare no controller/],
      leaves: forget,
    },
    {
      command: 'drain ~ --force --timeout=20s',
      gives: 'pods that nobody makes anew, too',
      given: async (place) => {
        await ownNode(place);
        const pod = make.pod('web');
        await place.create({ ...pod, spec: { ...(pod['spec'] as object), nodeName: place.unique } } as typeof pod);
      },
      shows: [/evicting pod at-\d+\/web/, /drained/],
      leaves: async (place) => {
        assert.equal(await place.ok('get pod web --ignore-not-found'), '');
        await forget(place);
      },
    },
    {
      command: 'drain ~ --force --timeout=1s',
      gives: 'not what a budget forbids',
      given: async (place) => {
        await ownNode(place);
        const pod = make.pod('web');
        await place.create({ ...pod, spec: { ...(pod['spec'] as object), nodeName: place.unique } } as typeof pod);
        await place.ok('create pdb web --selector=app=web --min-available=1');
        await place.ok('wait pod/web --for=condition=Ready --timeout=20s');
      },
      fails: true,
      shows: [/Cannot evict pod as it would violate the pod's disruption budget/],
      leaves: forget,
    },
  ],
};

const access: Section = {
  title: 'access and certificates',
  rows: [
    { command: 'auth can-i delete nodes', gives: 'whether one may', shows: [/^yes$/m] },
    {
      command: 'auth can-i create pods --subresource=exec --as=ann --as-group=team',
      gives: 'whether another one may, seen as that one',
      given: async (place) => {
        await place.ok('create role runner --verb=create --resource=pods/exec');
        await place.ok('create rolebinding runners --role=runner --group=team');
      },
      shows: [/^yes$/m],
    },
    { command: 'auth can-i get pods --as=nobody', gives: 'no, and exit code 1', fails: true, shows: [/^no$/m] },
    {
      command: 'auth can-i --list',
      gives: 'everything that one may',
      shows: [/\*\.\* +\[\] +\[\] +\[\*\]/, /\[\/version\] +\[\] +\[get\]/],
    },
    {
      command: 'auth whoami',
      gives: 'who one is',
      shows: [/Username +kubernetes-admin|Username +\S+/, /system:masters/],
    },
    {
      command: 'auth whoami --as=ann --as-group=team --as-uid=7 -o json',
      gives: 'who one is after impersonation',
      shows: [/"username": "ann"/, /"uid": "7"/, /"team"/, /"system:authenticated"/],
    },
    {
      command: 'auth reconcile -f roles.yaml',
      gives: 'roles and bindings brought to what a file says, with nothing taken away',
      given: (place) =>
        place.write(
          'roles.yaml',
          make.manifest({
            apiVersion: 'rbac.authorization.k8s.io/v1',
            kind: 'Role',
            metadata: { name: 'reader', namespace: place.namespace },
            rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
          }),
        ),
      shows: [/role\.rbac\.authorization\.k8s\.io\/reader reconciled/],
    },
    {
      command: 'get secrets --as=system:serviceaccount:default:robot',
      gives: 'a refusal that says what is missing',
      fails: true,
      shows: [
        /secrets is forbidden: User "system:serviceaccount:default:robot" cannot list resource "secrets" in API group "" in the namespace/,
      ],
    },
    {
      command: 'get cm --as=ann --as-group=team',
      gives: 'what a role gives to a group',
      given: async (place) => {
        await place.create(make.configMap('alpha'));
        await place.ok('create rolebinding team --clusterrole=view --group=team');
      },
      shows: [/alpha/],
    },
    {
      command: 'create rolebinding boss --clusterrole=cluster-admin --user=ann --as=ann',
      gives: 'nobody gives more than they have',
      given: async (place) => {
        await place.ok('create role binder --verb=create --resource=rolebindings');
        await place.ok('create rolebinding binders --role=binder --user=ann');
      },
      fails: true,
      shows: [/is attempting to grant RBAC permissions not currently held/],
    },
    {
      command: 'certificate approve ~',
      gives: 'a request approved, and signed',
      given: (place) => request(place),
      leaves: async (place) => {
        await place.eventually(async () =>
          assert.match(await place.ok(`get csr ${place.unique}`), /kube-apiserver-client +\S+ +24h +Approved,Issued/),
        );
      },
    },
    {
      command: 'certificate deny ~',
      gives: 'a request denied',
      given: (place) => request(place),
      leaves: async (place) => assert.match(await place.ok(`get csr ${place.unique}`), / Denied/),
    },
    {
      command: 'get --raw /.well-known/openid-configuration --as=system:serviceaccount:default:robot',
      gives: 'where others find the keys that service account tokens are signed with',
      shows: [/"jwks_uri":"https:\/\/127\.0\.0\.1:\d+\/openid\/v1\/jwks"/],
    },
    {
      command: 'get --raw /openapi/v3',
      gives: 'the documents that kubectl checks manifests against',
      shows: [/apis\/apps\/v1/],
    },
  ],
};

async function request(place: Place): Promise<void> {
  const keys = createKeys();
  const der = keys.createRequest(keys.createPrivateKey(), { commonName: 'ann', organizations: ['developers'] });
  await place.create({
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name: place.unique },
    spec: {
      request: btoa(keys.toPem('CERTIFICATE REQUEST', der)),
      signerName: 'kubernetes.io/kube-apiserver-client',
      usages: ['client auth'],
      expirationSeconds: 86_400,
    },
  });
}

const started = async (place: Place) => {
  await place.create(make.pod('web'));
  await place.ok('wait pod/web --for=condition=Ready --timeout=20s');
};

/** What runs on a node is reached there; logs and usage come from its kubelet, which has tests of its own. */
const streams: Section = {
  title: 'what needs a stream to a node',
  rows: [
    {
      command: 'exec web -- true',
      gives: 'nothing: the embedded API opens no streams',
      given: started,
      fails: true,
      shows: [/pods\/exec needs a stream, and this server opens none/],
    },
    {
      command: 'attach web',
      gives: 'nothing, for the same reason',
      given: started,
      fails: true,
      shows: [/pods\/attach needs a stream, and this server opens none/],
    },
    {
      command: 'port-forward web 0:80',
      gives: 'nothing, for the same reason',
      given: started,
      fails: true,
      shows: [/needs a stream|error upgrading connection|unable to upgrade/],
    },
    {
      command: 'debug web --image=busybox:1 --target=main --profile=general -q --attach=false',
      gives: 'an ephemeral container in a running pod, without a terminal',
      given: started,
      leaves: async (place) =>
        assert.equal(await place.ok("get pod web -o 'jsonpath={.spec.ephemeralContainers[*].image}'"), 'busybox:1'),
    },
  ],
};

export const operating: readonly Section[] = [rollout, nodes, access, streams];
