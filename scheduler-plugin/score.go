package schedulerplugin

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
	"github.com/spillway-dev/spillway/scheduler-plugin/views"
)

// PreScore ranks all feasible places together, because a ratio to the best needs all of them. The local nodes are one
// place, as good as the best of them: which of them it is, the in-tree plugins decide, as without us.
func (p *Plugin) PreScore(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, nodes []fwk.NodeInfo) *fwk.Status {
	c, err := cycleOf(state)
	if err != nil {
		return fwk.AsStatus(err)
	}
	unasked := p.judgeUnasked(ctx, c, pod, nodes)
	if c.review == nil {
		p.batch.keep(c, views.LocalRefusals(state), unasked)
	}
	places := make([]placement.Place, 0, len(nodes))
	position := make(map[string]int, len(nodes)) // of each node's place
	local := -1
	for _, info := range nodes {
		found := c.get(info.Node().Name)
		switch {
		case found.reason != "": // no longer feasible
			continue
		case found.Local && local >= 0:
			places[local].FreeShare = max(places[local].FreeShare, found.FreeShare)
			position[info.Node().Name] = local
			continue
		case found.Local:
			local = len(places)
		}
		position[info.Node().Name] = len(places)
		places = append(places, found.Place)
	}
	scores := c.rank(places)
	totals := make(map[string]int64, len(position))
	for node, i := range position {
		totals[node] = scores[i].Total
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.totals = totals
	if unasked && !best(totals, nodes[len(nodes)-1].Node().Name) {
		return fwk.NewStatus(fwk.Unschedulable, reasonNoLongerBest)
	}
	return nil
}

// best tells whether no node has more. Batching compares the last of its nodes, which took the pod before, with what the
// others scored earlier; ratios to the best would be compared with those to another best, so all are ranked anew instead.
func best(totals map[string]int64, node string) bool {
	total, ok := totals[node]
	return ok && total >= slices.Max(slices.Collect(maps.Values(totals)))
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

// ScoreExtensions is nil: the totals are normal already.
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
