package dryrun

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/target"
)

// Listener is told of what may make a pod fit that did not, after the dry run counts with it. Its functions must not block.
type Listener struct {
	// Grew: a node came or changed, a pod ended or asks for less.
	Grew func()
	// Joined: a pod came to run there, which others may want to be near to.
	Joined func()
}

// Tell makes l the listener. It must be called before the target's watches start.
func (c *Cluster) Tell(l Listener) { c.listener = l }

// tellPod says what a pod's change means for others.
func (c *Cluster) tellPod(old, now *corev1.Pod) {
	was, is := c.takesRoom(old), c.takesRoom(now)
	switch {
	case c.listener.Grew == nil:
	case was && !is && !neverRan(old), was && is && old.Generation != now.Generation:
		c.listener.Grew()
	case !was && is:
		c.listener.Joined()
	}
}

// neverRan tells a delegate that takes room by being counted in a quota only. When it is taken back because the target
// would not have it, there is no more room than before it was sent.
func neverRan(pod *corev1.Pod) bool {
	return pod.Spec.NodeName == "" && pod.Labels[v1alpha1.LabelSourceUID] != ""
}

// tellNode says what a node's change means; old is nil when it came.
func (c *Cluster) tellNode(old, now any) {
	if c.listener.Grew != nil && (old == nil || target.RoomChanged(old, now)) {
		c.listener.Grew()
	}
}
