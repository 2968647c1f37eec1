// Package kubelet is the kubelet API of a virtual node, so that kubectl logs, exec, attach and port-forward of a source
// pod just work.
//
// What enters: HTTPS requests of the source's API server (or of anyone with the rights of a kubelet's client) to the
// port of one virtual node. What leaves: a request to the API server of the target where the pod's delegate runs, with
// the target's own credentials and nothing of the caller's but the stream itself. Streams are passed through, not
// terminated, so SPDY and WebSocket both work.
package kubelet
