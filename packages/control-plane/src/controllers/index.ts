// The controllers of the embedded Kubernetes API, with the behaviour of kube-controller-manager. Each folder is one
// controller: a pure planner, a status computation, and a reconciler that reads local copies and writes through KubeApi.
//
//     const informers = createSharedInformers({ api, clock, log, random });
//     const events = createEventSink({ api, clock, log });
//     await host.start([informers, events, createControllers({ api, informers, events, clock, log, random, rootCa })], signal);
export { controllerNames, createControllers } from './create-controllers.ts';
export type { ControllerName, ControllersOptions } from './create-controllers.ts';
