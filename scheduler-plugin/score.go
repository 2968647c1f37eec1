package schedulerplugin

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

// PreScore ranks all feasible places together, because a ratio to the best needs all of them.
func (p *Plugin) PreScore(_ context.Context, state fwk.CycleState, _ *corev1.Pod, nodes []fwk.NodeInfo) *fwk.Status {
	c, err := cycleOf(state)
	if err != nil {
		return fwk.AsStatus(err)
	}
	places := make([]placement.Place, 0, len(nodes))
	names := make([]string, 0, len(nodes))
	for _, info := range nodes {
		if found := c.get(info.Node().Name); found != nil {
			places, names = append(places, found.Place), append(names, info.Node().Name)
		}
	}
	totals := make(map[string]int64, len(names))
	for i, score := range c.policy.Rank(places) {
		totals[names[i]] = score.Total
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.totals = totals
	return nil
}

// Score is the rank that PreScore gave.
func (p *Plugin) Score(_ context.Context, state fwk.CycleState, _ *corev1.Pod, info fwk.NodeInfo) (int64, *fwk.Status) {
	c, err := cycleOf(state)
	if err != nil {
		return 0, fwk.AsStatus(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	total, ok := c.totals[info.Node().Name]
	if !ok {
		return 0, fwk.AsStatus(fmt.Errorf("node %s has not been ranked", info.Node().Name))
	}
	return total, nil
}

// ScoreExtensions: the totals are normal already.
func (p *Plugin) ScoreExtensions() fwk.ScoreExtensions { return nil }

// freeShare is the share of a local node's room that the pod would leave, of the scarcer of CPU and memory; 0 to 1.
func freeShare(info fwk.NodeInfo, r placement.Request) float64 {
	has, used := info.GetAllocatable(), info.GetRequested()
	return min(
		left(float64(has.GetMilliCPU())/1000, float64(used.GetMilliCPU())/1000+r.Cores),
		left(float64(has.GetMemory())/(1<<30), float64(used.GetMemory())/(1<<30)+r.GiB),
	)
}

func left(has, used float64) float64 {
	if has <= 0 || used >= has {
		return 0
	}
	return (has - used) / has
}

func targetName(node *corev1.Node) string { return node.Labels[v1alpha1.LabelTarget] }
