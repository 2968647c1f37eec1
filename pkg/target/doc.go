// Package target is one remote cluster as the rest of Spillway sees it: a connection, its health, one set of watches of
// its nodes and pods, and the registry of them all.
//
// A Target object and its kubeconfig Secret come in (controller.go). Out come: a *Target per reachable-or-not cluster in
// the Registry, whose listeners learn of it at once; conditions and figures in the object's status; and, for everybody
// who asks, the cached nodes and pods. Nothing here waits for one target while serving another.
package target
