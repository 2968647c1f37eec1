package dryrun_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/scheduler-plugin/dryrun"
)

func TestPodsThatAreAlikeMakeOneDelegate(t *testing.T) {
	c := newCluster(t, &source{}, node("a", "4"))
	made := 0
	web := func() (*corev1.Pod, error) { made++; return delegate("web", "1"), nil }
	for range 3 {
		fit, err := c.FitAlike(t.Context(), "web", web)
		require.NoError(t, err)
		assert.Equal(t, "a", fit.Node)
	}
	assert.Equal(t, 1, made)

	_, err := c.FitAlike(t.Context(), "big", func() (*corev1.Pod, error) { return delegate("big", "8"), nil })
	assert.True(t, dryrun.IsMisfit(err), "another kind has an answer of its own, got %v", err)
}

func TestADelegateThatIsRefusedIsRefusedToAllThatAreAlike(t *testing.T) {
	c := newCluster(t, &source{}, node("a", "4"))
	made, refused := 0, errors.New("no host paths")
	for range 2 {
		_, err := c.FitAlike(t.Context(), "web", func() (*corev1.Pod, error) { made++; return nil, refused })
		require.ErrorIs(t, err, refused)
	}
	assert.Equal(t, 1, made)
}

// world changes a target at random. Whatever happens, a remembered answer must be the one that a fresh look gives.
type world struct {
	*rand.Rand
	source *source
	nodes  []*corev1.Node
	pods   []*corev1.Pod
	named  int
}

func (w *world) name(prefix string) string { w.named++; return fmt.Sprintf("%s-%d", prefix, w.named) }

func (w *world) change(ctx context.Context, c *dryrun.Cluster) {
	switch w.Intn(8) {
	case 0:
		n := node(w.name("node"), fmt.Sprint(1+w.Intn(8)), func(n *corev1.Node) { n.Labels["zone"] = fmt.Sprint(w.Intn(2)) })
		w.nodes = append(w.nodes, n)
		w.source.nodes.add(n)
	case 1:
		if i := w.Intn(len(w.nodes) + 1); i < len(w.nodes) && len(w.nodes) > 2 {
			w.source.nodes.remove(w.nodes[i])
			w.nodes = append(w.nodes[:i], w.nodes[i+1:]...)
		}
	case 2, 3:
		if i := w.Intn(len(w.nodes) + 1); i < len(w.nodes) {
			old, now := w.nodes[i], w.nodes[i].DeepCopy()
			now.Spec.Unschedulable = !old.Spec.Unschedulable
			now.Labels["disk"] = []string{"ssd", "hdd"}[w.Intn(2)]
			w.nodes[i] = now
			w.source.nodes.update(old, now)
		}
	case 4, 5:
		if i := w.Intn(len(w.nodes) + 1); i < len(w.nodes) {
			p := stranger(w.name("pod"), w.nodes[i].Name, fmt.Sprint(1+w.Intn(2)), w.avoiding)
			w.pods = append(w.pods, p)
			w.source.pods.add(p)
		}
	case 6:
		if i := w.Intn(len(w.pods) + 1); i < len(w.pods) {
			w.source.pods.remove(w.pods[i])
			w.pods = append(w.pods[:i], w.pods[i+1:]...)
		}
	case 7:
		p := delegate(w.name("sent"), "1")
		if fit, err := c.Fit(ctx, p); err == nil {
			_ = c.Assume(p, fit.Node)
			if w.Intn(2) == 0 {
				c.Forget(p)
			}
		}
	}
}

// avoiding makes some pods keep others out of their zone, which makes nodes depend on each other.
func (w *world) avoiding(p *corev1.Pod) {
	p.Namespace = "ours"
	if w.Intn(6) == 0 {
		p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: "zone",
				LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "shy"}}}}}}
	}
}

func TestARememberedAnswerIsWhatAFreshLookGives(t *testing.T) {
	kinds := map[string]func(*corev1.Pod){
		"plain":  func(*corev1.Pod) {},
		"ssd":    func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"disk": "ssd"} },
		"shy":    func(p *corev1.Pod) { p.Labels["app"] = "shy" },
		"spread": func(p *corev1.Pod) { p.Labels["app"] = "shy"; p.Spec.TopologySpreadConstraints = spreadByZone() },
	}
	for seed := range int64(20) {
		w := &world{Rand: rand.New(rand.NewSource(seed)), source: &source{}}
		c := newCluster(t, w.source, node("first", "4"))
		for step := range 150 {
			w.change(t.Context(), c)
			for kind, change := range kinds {
				make := func() (*corev1.Pod, error) { return delegate(kind, "1", change), nil }
				fresh, _ := make()
				want, wantErr := c.Fit(t.Context(), fresh)

				got, err := c.FitAlike(t.Context(), kind, make)

				require.Equal(t, fmt.Sprint(wantErr), fmt.Sprint(err), "seed %d, step %d, %s", seed, step, kind)
				require.Equal(t, want, got, "seed %d, step %d, %s", seed, step, kind)
			}
		}
	}
}

func spreadByZone() []corev1.TopologySpreadConstraint {
	return []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: corev1.DoNotSchedule,
		LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "shy"}}}}
}
