// Manifests that several end-to-end tests use: a web server whose pages come from everything a pod can be given.

/** Serves its ConfigMap, Secret, token, labels and environment below /data over HTTP on port 8080. */
export const showcase = (name: string, node: string): string => `
apiVersion: v1
kind: ConfigMap
metadata: { name: ${name} }
data: { greeting: hello, color: blue }
---
apiVersion: v1
kind: Secret
metadata: { name: ${name} }
stringData: { password: swordfish }
---
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: ${name} } }
spec:
  nodeSelector: { kubernetes.io/hostname: ${node} }
  terminationGracePeriodSeconds: 1
  containers:
    - name: web
      image: docker.io/library/busybox:1.35
      imagePullPolicy: IfNotPresent
      command: [sh, -c, 'echo serving; env > /scratch/env; ln -s /data/token/token /scratch/token; exec httpd -f -p 8080 -h /']
      env:
        - { name: LITERAL, value: "one" }
        - { name: EXPANDED, value: "$(LITERAL)-two" }
        - { name: POD_NAME, valueFrom: { fieldRef: { fieldPath: metadata.name } } }
        - { name: COLOR, valueFrom: { configMapKeyRef: { name: ${name}, key: color } } }
        - { name: PASSWORD, valueFrom: { secretKeyRef: { name: ${name}, key: password } } }
      volumeMounts:
        - { name: config, mountPath: /data/config }
        - { name: secret, mountPath: /data/secret }
        - { name: all, mountPath: /data/all }
        - { name: scratch, mountPath: /scratch }
  volumes:
    - { name: config, configMap: { name: ${name} } }
    - { name: secret, secret: { secretName: ${name} } }
    - { name: scratch, emptyDir: {} }
    - name: all
      projected:
        sources:
          - serviceAccountToken: { path: token, expirationSeconds: 3600 }
          - configMap: { name: kube-root-ca.crt, items: [{ key: ca.crt, path: ca.crt }] }
          - downwardAPI: { items: [{ path: labels, fieldRef: { fieldPath: metadata.labels } }] }
`;

/** A container that ends with a failure after a while, again and again. */
export const crasher = (name: string): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec:
  containers:
    - name: main
      image: docker.io/library/busybox:1.35
      command: [sh, -c, 'sleep 1; exit 3']
`;

/** Sleeps until told otherwise. */
export const sleeper = (name: string, grace = 1): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec:
  terminationGracePeriodSeconds: ${grace}
  containers:
    - name: main
      image: docker.io/library/busybox:1.35
      command: [sh, -c, 'trap "exit 0" TERM; while true; do sleep 1 & wait; done']
`;
