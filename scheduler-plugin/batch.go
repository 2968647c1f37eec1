package schedulerplugin

import (
	"context"
	"maps"
	"sync"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/spillway-dev/spillway/scheduler-plugin/views"
)

// batch serves the scheduler's opportunistic batching: of identical pods in a row, it looks at all nodes for the first, and
// for the next only at the node that was best and, when that is full, at the second. What was found for the first is kept,
// so that a pod that was asked of two nodes only has a record of all.
type batch struct {
	mu     sync.Mutex
	shape  shape
	places map[string]*place   // by node name
	local  map[string][]string // why local nodes refused it, by name
}

// hinted is how many nodes batching looks at, at most.
const hinted = 2

// keep remembers what a cycle found. Where only some places were asked, it goes over what is known of the others.
func (b *batch) keep(c *cycle, local map[string][]string, again bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !again || b.shape != c.shape {
		b.shape, b.places, b.local = c.shape, map[string]*place{}, map[string][]string{}
		maps.Copy(b.local, local)
	}
	maps.Copy(b.places, c.all())
}

// complete adds to a hinted cycle what it was not asked for. A local node that has refused it now is taken at its word.
func (b *batch) complete(c *cycle, local map[string][]string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	asked := c.all()
	if b.shape != c.shape || len(asked) > hinted {
		return
	}
	for node := range asked {
		delete(b.local, node)
	}
	for node, reasons := range local {
		b.local[node] = reasons
		delete(b.places, node)
	}
	for node, found := range b.places {
		if asked[node] == nil {
			c.set(node, found)
		}
	}
	c.localRefusals = views.CountRefusals(b.local)
}

// judgeUnasked judges nodes that Filter was not asked for, and tells whether there were any. This happens when batching asks
// whether the node that was best still is.
func (p *Plugin) judgeUnasked(ctx context.Context, c *cycle, pod *corev1.Pod, nodes []fwk.NodeInfo) bool {
	any := false
	for _, info := range nodes {
		if name := info.Node().Name; c.get(name) == nil {
			c.set(name, p.judge(ctx, c, pod, info))
			any = true
		}
	}
	return any
}
