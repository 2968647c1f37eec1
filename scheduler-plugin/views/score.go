package views

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

var (
	_ fwk.PreScorePlugin  = (*plugin)(nil)
	_ fwk.ScorePlugin     = (*plugin)(nil)
	_ fwk.ScoreExtensions = (*plugin)(nil)
)

// scored is what PreScore found out for each view.
type scored struct {
	local, virtual *fwk.Status // Skip: nothing to score
	virtualPod     *corev1.Pod
	virtualState   fwk.CycleState
}

// Clone shares what is only read after PreScore.
func (s *scored) Clone() fwk.StateData { return s }

func (p *plugin) scoreKey() fwk.StateKey { return fwk.StateKey(p.name + "Score") }

// PreScore asks the inner plugin once for each kind of node, so that they are never compared with each other: a virtual
// node always looks empty.
func (p *plugin) PreScore(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, nodes []fwk.NodeInfo) *fwk.Status {
	inner, ok := p.inner.(fwk.PreScorePlugin)
	var local, virtual []fwk.NodeInfo
	for _, node := range nodes {
		if IsVirtual(node.Node()) {
			virtual = append(virtual, node)
		} else {
			local = append(local, node)
		}
	}
	skip := fwk.NewStatus(fwk.Skip)
	s := &scored{local: skip, virtual: skip}
	if len(local) > 1 {
		s.local = nil
		if ok {
			s.local = inner.PreScore(ctx, state, pod, local)
		}
	}
	if p.view != nil && len(virtual) > 1 {
		s.virtualPod, s.virtualState, s.virtual = p.clusterPod(state, pod, nodes), framework.NewCycleState(), nil
		if ok {
			s.virtual = inner.PreScore(ctx, s.virtualState, s.virtualPod, virtual)
		}
	}
	for _, status := range []*fwk.Status{s.local, s.virtual} {
		if !status.IsSuccess() && !status.IsSkip() {
			return status
		}
	}
	state.Write(p.scoreKey(), s)
	if s.local.IsSkip() && s.virtual.IsSkip() {
		return skip
	}
	return nil
}

// Score asks the inner plugin with the pod that fits the kind of node; it is 0 where there is nothing to compare.
func (p *plugin) Score(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, node fwk.NodeInfo) (int64, *fwk.Status) {
	data, err := state.Read(p.scoreKey())
	if err != nil {
		return 0, fwk.AsStatus(err)
	}
	s, inner := data.(*scored), p.inner.(fwk.ScorePlugin)
	switch virtual := IsVirtual(node.Node()); {
	case virtual && !s.virtual.IsSkip():
		return inner.Score(ctx, s.virtualState, s.virtualPod, node)
	case !virtual && !s.local.IsSkip():
		return inner.Score(ctx, state, pod, node)
	}
	return 0, nil
}

// ScoreExtensions normalises each kind of node by itself.
func (p *plugin) ScoreExtensions() fwk.ScoreExtensions {
	if p.inner.(fwk.ScorePlugin).ScoreExtensions() == nil {
		return nil
	}
	return p
}

// NormalizeScore is the inner plugin's, for each kind of node.
func (p *plugin) NormalizeScore(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, scores fwk.NodeScoreList) *fwk.Status {
	data, err := state.Read(p.scoreKey())
	if err != nil {
		return fwk.AsStatus(err)
	}
	s, extensions := data.(*scored), p.inner.(fwk.ScorePlugin).ScoreExtensions()
	var local, virtual []int // positions in scores
	for i := range scores {
		if isVirtualName(scores[i].Name) {
			virtual = append(virtual, i)
		} else {
			local = append(local, i)
		}
	}
	if !s.local.IsSkip() {
		if status := normalizePart(ctx, extensions, state, pod, scores, local); !status.IsSuccess() {
			return status
		}
	}
	if !s.virtual.IsSkip() {
		return normalizePart(ctx, extensions, s.virtualState, s.virtualPod, scores, virtual)
	}
	return nil
}

func normalizePart(ctx context.Context, extensions fwk.ScoreExtensions, state fwk.CycleState, pod *corev1.Pod, scores fwk.NodeScoreList, part []int) *fwk.Status {
	list := make(fwk.NodeScoreList, len(part))
	for i, position := range part {
		list[i] = scores[position]
	}
	status := extensions.NormalizeScore(ctx, state, pod, list)
	for i, position := range part {
		scores[position] = list[i]
	}
	return status
}
