package dryrun

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	fwk "k8s.io/kube-scheduler/framework"
)

// displaced keeps assumed delegates off room that the target gave to others. The target may put a delegate on another node
// than we assumed. If that node had room for it only without one that we assume there, both would stand in one place, and
// the room that the first one left would look free although the second one is about to take it.
type displaced struct {
	assumed map[types.UID]*corev1.Pod // not yet confirmed, as the cache holds them
	taken   map[string]bool           // nodes on which the target put a pod since the last snapshot
}

func newDisplaced() displaced {
	return displaced{assumed: map[types.UID]*corev1.Pod{}, taken: map[string]bool{}}
}

// confirm notes that the target itself put a pod on its node.
func (d *displaced) confirm(pod *corev1.Pod) {
	delete(d.assumed, pod.UID)
	d.taken[pod.Spec.NodeName] = true
}

// refresh brings the snapshot up to date; c.mu is held.
func (c *Cluster) refresh(ctx context.Context) error {
	if err := c.cache.UpdateSnapshot(c.logger, c.snapshot); err != nil {
		return fmt.Errorf("taking a snapshot of target %s: %w", c.target.Name(), err)
	}
	defer clear(c.displaced.taken)
	if c.target.Nodes() == nil {
		return nil // there is no other node
	}
	for uid, pod := range c.displaced.assumed {
		if !c.displaced.taken[pod.Spec.NodeName] || !c.overfull(pod.Spec.NodeName) {
			continue
		}
		moved, err := c.move(ctx, pod)
		if err != nil {
			return err
		}
		c.displaced.assumed[uid] = moved
	}
	return nil
}

// move assumes a delegate on another node; on the same, when no other takes it: then the target will say so.
func (c *Cluster) move(ctx context.Context, pod *corev1.Pod) (*corev1.Pod, error) {
	if err := c.cache.ForgetPod(c.logger, pod); err != nil {
		return nil, fmt.Errorf("moving an assumed delegate in target %s: %w", c.target.Name(), err)
	}
	if err := c.cache.UpdateSnapshot(c.logger, c.snapshot); err != nil {
		return nil, fmt.Errorf("taking a snapshot of target %s: %w", c.target.Name(), err)
	}
	if fit, err := find(ctx, c.filters, c.snapshot, pod); err == nil {
		pod = cached(pod, fit.Node)
	}
	if err := c.cache.AssumePod(c.logger, pod); err != nil {
		return nil, fmt.Errorf("moving an assumed delegate in target %s: %w", c.target.Name(), err)
	}
	c.changes++
	return pod, c.cache.UpdateSnapshot(c.logger, c.snapshot)
}

func (c *Cluster) overfull(name string) bool {
	node, err := c.snapshot.Get(name)
	return err == nil && overfull(node)
}

func overfull(node fwk.NodeInfo) bool {
	has, used := node.GetAllocatable(), node.GetRequested()
	over := used.GetMilliCPU() > has.GetMilliCPU() || used.GetMemory() > has.GetMemory() ||
		used.GetEphemeralStorage() > has.GetEphemeralStorage() || len(node.GetPods()) > has.GetAllowedPodNumber()
	for name, pieces := range used.GetScalarResources() {
		over = over || pieces > has.GetScalarResources()[name]
	}
	return over
}
