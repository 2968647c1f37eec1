package dryrun

import (
	"errors"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/target"
)

// watch feeds the cache from the target's informers.
func (c *Cluster) watch() error {
	_, err := c.target.Pods().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { c.change(nil, pod(obj)) },
		UpdateFunc: func(old, obj any) { c.change(pod(old), pod(obj)) },
		DeleteFunc: func(obj any) { c.change(pod(obj), nil) },
	})
	if nodes := c.target.Nodes(); nodes != nil {
		_, nodeErr := nodes.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(obj any) {
				c.locked(func() { c.cache.AddNode(c.logger, node(obj)) })
				c.tellNode(nil, obj)
			},
			UpdateFunc: func(old, obj any) {
				c.locked(func() { c.cache.UpdateNode(c.logger, node(old), node(obj)) })
				c.tellNode(old, obj)
			},
			DeleteFunc: func(obj any) {
				c.locked(func() { _ = c.cache.RemoveNode(c.logger, node(obj)) }) // fails for an unknown node, which is gone too
			},
		})
		err = errors.Join(err, nodeErr)
	}
	return err
}

// change applies a pod's change. A pod that is not assigned or has ended takes no room, whatever it did before.
func (c *Cluster) change(old, now *corev1.Pod) {
	defer c.tellPod(old, now)
	was, is := c.takesRoom(old), c.takesRoom(now)
	if was && is && sameToFilters(old, now) {
		return // most updates are of a status, which no filter looks at
	}
	c.locked(func() {
		if is {
			c.displaced.confirm(c.asCached(now))
		}
		switch {
		case was && is:
			_ = c.cache.UpdatePod(c.logger, c.asCached(old), c.asCached(now)) // each fails only on what the next event mends
		case is:
			_ = c.cache.AddPod(c.logger, c.asCached(now))
		case was:
			_ = c.cache.RemovePod(c.logger, c.asCached(old))
		case now == nil || target.Ended(now): // an assumed delegate that was never seen running
			c.forget(c.asCached(either(now, old)))
		}
	})
}

// sameToFilters tells that an update leaves alone what placement looks at. The generation counts changes of the spec.
func sameToFilters(old, now *corev1.Pod) bool {
	return old.UID == now.UID && now.Generation > 0 && old.Generation == now.Generation && old.Spec.NodeName == now.Spec.NodeName &&
		old.DeletionTimestamp.IsZero() == now.DeletionTimestamp.IsZero() && maps.Equal(old.Labels, now.Labels)
}

func (c *Cluster) takesRoom(pod *corev1.Pod) bool {
	return pod != nil && c.target.NodeOf(pod) != "" && !target.Ended(pod)
}

func (c *Cluster) asCached(pod *corev1.Pod) *corev1.Pod {
	return cached(pod, c.target.NodeOf(pod))
}

// locked does a change of the cache.
func (c *Cluster) locked(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	do()
}

// cached is the pod as the cache holds it. The cache tells pods apart by UID; a delegate goes by its source's, because it
// is assumed before the target has given it one of its own, and by its Target's, because two of them may be of one cluster.
func cached(pod *corev1.Pod, node string) *corev1.Pod {
	copied := *pod
	if uid := pod.Labels[v1alpha1.LabelSourceUID]; uid != "" {
		copied.UID = types.UID(pod.Labels[v1alpha1.LabelSourceCluster] + "/" + pod.Labels[v1alpha1.LabelTarget] + "/" + uid)
	}
	copied.Spec.NodeName = node
	return &copied
}

func either(a, b *corev1.Pod) *corev1.Pod {
	if a != nil {
		return a
	}
	return b
}

func pod(obj any) *corev1.Pod {
	p, _ := target.Untomb(obj).(*corev1.Pod)
	return p
}

func node(obj any) *corev1.Node {
	n, _ := target.Untomb(obj).(*corev1.Node)
	return n
}
