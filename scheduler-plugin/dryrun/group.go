package dryrun

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	fwk "k8s.io/kube-scheduler/framework"
	schedulercache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/metrics"
)

// GroupMisfit says how far a group got where it does not fit as a whole: "3 of 4 pods of the group fit: 4 Insufficient cpu".
type GroupMisfit struct {
	Fitted, Size int
	Why          *Misfit // of the first pod that found no node
}

func (m *GroupMisfit) Error() string {
	return fmt.Sprintf("%d of %d pods of the group fit: %v", m.Fitted, m.Size, m.Why)
}

// Unwrap makes it a *Misfit: an answer, not a failure.
func (m *GroupMisfit) Unwrap() error { return m.Why }

// FitAll finds nodes for pods that go to the target together, each as Fit would once those before it are there. Nothing
// stays taken. The fits are in the order of the pods; when not all have one, the error is a *GroupMisfit.
func (c *Cluster) FitAll(ctx context.Context, pods []*corev1.Pod) ([]Fit, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refreshMadeUp()
	if err := c.refresh(ctx); err != nil {
		return nil, err
	}
	return fitAll(ctx, c.filters, c.snapshot, pods)
}

// fitAll begins with the largest pods: what is small still fits beside them, and not the other way round.
func fitAll(ctx context.Context, filters framework.Framework, snapshot *schedulercache.Snapshot, pods []*corev1.Pod) ([]Fit, error) {
	if err := snapshot.StartMutations(); err != nil {
		return nil, fmt.Errorf("trying a group: %w", err)
	}
	defer func() { _ = snapshot.EndMutations() }() // fails only where none was started
	fits := make([]Fit, len(pods))
	share := 1.0
	for done, i := range largestFirst(pods) {
		fit, err := find(ctx, filters, snapshot, pods[i])
		if why := (*Misfit)(nil); errors.As(err, &why) {
			return nil, &GroupMisfit{Fitted: done, Size: len(pods), Why: why}
		}
		if err != nil {
			return nil, err
		}
		info, err := framework.NewPodInfo(cached(pods[i], fit.Node))
		if err != nil {
			return nil, fmt.Errorf("trying a group: %w", err)
		}
		if err := snapshot.AddPod(info, fit.Node); err != nil {
			return nil, fmt.Errorf("trying a group: %w", err)
		}
		fits[i], share = fit, min(share, fit.FreeShare)
	}
	for i := range fits {
		fits[i].FreeShare = share // what the whole group would leave
	}
	return fits, nil
}

// largestFirst returns the positions of the pods by what they ask for.
func largestFirst(pods []*corev1.Pod) []int {
	order, needs := make([]int, len(pods)), make([]need, len(pods))
	for i := range pods {
		order[i], needs[i] = i, needOf(pods[i])
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(needs[b].milliCPU, needs[a].milliCPU), cmp.Compare(needs[b].memory, needs[a].memory))
	})
	return order
}

// Nodes dry-runs a group on nodes that the caller holds: the source's own.
type Nodes struct {
	mu       sync.Mutex
	snapshot *schedulercache.Snapshot
	filters  framework.Framework
}

// NewNodes prepares the filters, which get the client and do not call it.
func NewNodes(ctx context.Context, client kubernetes.Interface) (*Nodes, error) {
	metrics.Register()
	n := &Nodes{snapshot: schedulercache.NewEmptySnapshot()}
	var err error
	if n.filters, err = newFilters(ctx, client, n.snapshot); err != nil {
		return nil, fmt.Errorf("preparing the dry run of groups on local nodes: %w", err)
	}
	return n, nil
}

// FitAll is as Cluster.FitAll, on these nodes with their pods and with those that are promised to them.
func (n *Nodes) FitAll(ctx context.Context, infos []fwk.NodeInfo, promised func(node string) []*corev1.Pod, pods []*corev1.Pod) ([]Fit, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var there []*corev1.Pod
	nodes := make([]*corev1.Node, len(infos))
	for i, info := range infos {
		nodes[i] = info.Node()
		for _, pod := range info.GetPods() {
			there = append(there, pod.GetPod())
		}
		for _, pod := range promised(nodes[i].Name) {
			there = append(there, cached(pod, nodes[i].Name))
		}
	}
	*n.snapshot = *schedulercache.NewSnapshot(there, nodes)
	return fitAll(ctx, n.filters, n.snapshot, pods)
}
