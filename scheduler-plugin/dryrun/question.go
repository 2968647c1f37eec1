package dryrun

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	fwk "k8s.io/kube-scheduler/framework"
	schedulercache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/target"
)

// question is "where does a pod like this fit?", with the last answer and what it came from, so that asking again costs
// only as much as has changed.
type question struct {
	pod      *corev1.Pod
	refused  error // why there is no such pod; nil otherwise
	need     need
	selected labels.Selector // of the pod's nodeSelector, of which the Target's own is a part

	changes int64 // of the cache, at the answer
	fit     Fit
	err     error

	// What is kept from the last look.
	compared bool
	state    fwk.CycleState
	admitted *fwk.PreFilterResult
	rejected *fwk.Status
	verdicts []verdict // parallel to the snapshot's nodes
}

// verdict is what one node says. Generations are counted over all nodes, so that an equal one is the same node, unchanged.
type verdict struct {
	generation int64
	share      float64 // that the pod would leave free; negative when the node refuses it
	reasons    []string
	full       bool // it refuses the pod for what runs there, and empty would take it
	usable     bool // by pods of this kind, when it has room: it counts for the share that is left
}

func newQuestion(pod *corev1.Pod) *question {
	return &question{pod: pod, need: needOf(pod), selected: labels.SelectorFromSet(pod.Spec.NodeSelector)}
}

// fit answers a question; c.mu is held.
func (c *Cluster) fit(ctx context.Context, q *question) (Fit, error) {
	if q.refused != nil {
		return Fit{}, q.refused
	}
	c.refreshMadeUp()
	if q.changes != c.changes {
		if err := c.refresh(ctx); err != nil {
			return Fit{}, err
		}
		q.fit, q.err = q.look(ctx, c.filters, c.snapshot)
		q.changes = c.changes
	}
	return q.fit, q.err
}

// find answers a question that is asked once. The filters look at the same snapshot.
func find(ctx context.Context, filters framework.Framework, snapshot *schedulercache.Snapshot, pod *corev1.Pod) (Fit, error) {
	return newQuestion(pod).look(ctx, filters, snapshot)
}

// look searches the nodes of a snapshot, again only those that have changed since the last look.
func (q *question) look(ctx context.Context, filters framework.Framework, snapshot *schedulercache.Snapshot) (Fit, error) {
	nodes, _ := snapshot.List()
	if q.compares(snapshot) || q.state == nil {
		q.state, q.verdicts = framework.NewCycleState(), q.verdicts[:0]
		q.state.Write(needKey, &asked{need: q.need, answers: map[lacks]*fwk.Status{}})
		q.admitted, q.rejected, _ = filters.RunPreFilterPlugins(ctx, q.state, q.pod)
	}
	if !q.rejected.IsSuccess() {
		misfit := &Misfit{}
		misfit.count(q.rejected, len(nodes))
		return Fit{}, misfit.orEmpty()
	}
	if kept := min(len(q.verdicts), len(nodes)); len(q.verdicts) != len(nodes) {
		q.verdicts = slices.Grow(q.verdicts[:kept], len(nodes)-kept)[:len(nodes)]
		clear(q.verdicts[kept:]) // of what another question left there
	}
	for i, node := range nodes {
		if q.verdicts[i].generation != node.GetGeneration() {
			q.verdicts[i] = q.ask(ctx, filters, node)
		}
	}
	return q.sum(nodes)
}

// compares tells that whether one node takes the pod depends on the others, now or at the last look: on what runs in the
// rest of its zone, say.
func (q *question) compares(snapshot *schedulercache.Snapshot) bool {
	affinity := q.pod.Spec.Affinity
	avoiding, _ := snapshot.HavePodsWithRequiredAntiAffinityList()
	did := q.compared
	q.compared = len(avoiding) > 0 || len(q.pod.Spec.TopologySpreadConstraints) > 0 ||
		(affinity != nil && (affinity.PodAffinity != nil || affinity.PodAntiAffinity != nil))
	return did || q.compared
}

// ask runs the filters on one node.
func (q *question) ask(ctx context.Context, filters framework.Framework, node fwk.NodeInfo) verdict {
	v := verdict{generation: node.GetGeneration(), share: -1}
	switch {
	case !q.admitted.AllNodes() && !q.admitted.NodeNames.Has(node.Node().Name):
		v.reasons = notAdmitted
		return v
	case !target.NodeReady(node.Node()):
		v.reasons = notReady
		return v
	}
	v.usable = q.selected.Matches(labels.Set(node.Node().Labels))
	if status := filters.RunFilterPlugins(ctx, q.state, q.pod, node); !status.IsSuccess() {
		v.reasons, v.full = status.Reasons(), status.Code() == fwk.Unschedulable // as preemption counts on
		return v
	}
	v.share = q.need.shareLeft(node)
	return v
}

// The reasons that are given without a plugin.
var (
	notAdmitted = []string{"node(s) didn't match Pod's node affinity/selector"}
	notReady    = []string{"node(s) were not ready"}
)

// sum adds the verdicts up.
func (q *question) sum(nodes []fwk.NodeInfo) (Fit, error) {
	misfit, best := &Misfit{}, -1
	usable := newTally(q.need)
	for i, v := range q.verdicts {
		switch {
		case v.share < 0:
			for _, reason := range v.reasons {
				misfit.add(reason, 1)
			}
			misfit.growable = misfit.growable || v.full
		case best < 0 || v.share > q.verdicts[best].share:
			best = i
		}
		if v.usable {
			usable.add(nodes[i])
		}
	}
	if best < 0 {
		return Fit{}, misfit.orEmpty()
	}
	return Fit{Node: nodes[best].Node().Name, FreeShare: usable.shareLeft()}, nil
}
