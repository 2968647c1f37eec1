package views

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// After the choice, only the node's name is known; virtual nodes are told by its prefix.
func isVirtualName(node string) bool { return strings.HasPrefix(node, v1alpha1.VirtualNodePrefix) }

// Reserve is the inner plugin's, for local nodes.
func (p *plugin) Reserve(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, node string) *fwk.Status {
	if inner, ok := p.inner.(fwk.ReservePlugin); ok && !isVirtualName(node) {
		return inner.Reserve(ctx, state, pod, node)
	}
	return nil
}

// Unreserve is the inner plugin's, for local nodes.
func (p *plugin) Unreserve(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, node string) {
	if inner, ok := p.inner.(fwk.ReservePlugin); ok && !isVirtualName(node) {
		inner.Unreserve(ctx, state, pod, node)
	}
}

// PreBindPreFlight is the inner plugin's, for local nodes.
func (p *plugin) PreBindPreFlight(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, node string) (*fwk.PreBindPreFlightResult, *fwk.Status) {
	if inner, ok := p.inner.(fwk.PreBindPlugin); ok && !isVirtualName(node) {
		return inner.PreBindPreFlight(ctx, state, pod, node)
	}
	return nil, fwk.NewStatus(fwk.Skip)
}

// PreBind is the inner plugin's, for local nodes.
func (p *plugin) PreBind(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, node string) *fwk.Status {
	if inner, ok := p.inner.(fwk.PreBindPlugin); ok && !isVirtualName(node) {
		return inner.PreBind(ctx, state, pod, node)
	}
	return nil
}

// localExtensions keep preemption's what-if away from virtual nodes and from views that had nothing to filter.
type localExtensions struct {
	plugin *plugin
	inner  fwk.PreFilterExtensions
}

func (e *localExtensions) applies(state fwk.CycleState, node fwk.NodeInfo) bool {
	s := e.plugin.seen(state)
	return !IsVirtual(node.Node()) && (s == nil || s.local.IsSuccess())
}

// AddPod tells the inner plugin of a pod that would be on a local node.
func (e *localExtensions) AddPod(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, added fwk.PodInfo, node fwk.NodeInfo) *fwk.Status {
	if !e.applies(state, node) {
		return nil
	}
	return e.inner.AddPod(ctx, state, pod, added, node)
}

// RemovePod tells the inner plugin of a pod that would be gone from a local node.
func (e *localExtensions) RemovePod(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, removed fwk.PodInfo, node fwk.NodeInfo) *fwk.Status {
	if !e.applies(state, node) {
		return nil
	}
	return e.inner.RemovePod(ctx, state, pod, removed, node)
}
