package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/bench/fragmented"
	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/fleet"
)

const (
	fastLabel = "bench.example.com/fast"
	// decided is how long nothing may happen to any pod before what became of them counts.
	decided = 4 * time.Second
)

// Quality is what became of the pods of a fragmented world.
type Quality struct {
	Seed     uint64             `json:"seed"`
	Pods     int                `json:"pods"`
	FirstFit fragmented.Outcome `json:"firstFit"` // omniscient
	BySums   fragmented.Outcome `json:"bySums"`
	Ours     fragmented.Outcome `json:"ours"`
	Creates  int                `json:"creates"` // POST of pods in targets: more than were placed were tried in vain
}

// Share is what was placed, of what first-fit places.
func (q *Quality) Share() float64 { return float64(q.Ours.Placed) / float64(max(q.FirstFit.Placed, 1)) }

// upFragmented starts the nodes of the world, and fills them.
func (b *bench) upFragmented(ctx context.Context) error {
	b.world = fragmented.New(b.seed, max(b.pods/2, 1))
	if err := b.raise(ctx, fragmentedConfig()); err != nil {
		return err
	}
	byTarget := map[string][]*corev1.Pod{}
	for i, f := range b.world.Fillers {
		byTarget[f.Target] = append(byTarget[f.Target], filler(fmt.Sprintf("filler-%05d", i), f.Node, list(f.Need)))
	}
	for target, pods := range byTarget {
		if err := b.fill(ctx, target, pods); err != nil {
			return err
		}
	}
	return nil
}

func fragmentedConfig() fleet.Config {
	names := make([]string, fragmented.Targets)
	for i := range names {
		names[i] = fragmented.TargetName(i)
	}
	var groups []fleet.NodeGroup
	for _, kind := range fragmented.Kinds {
		has := list(kind.Need)
		group := fleet.NodeGroup{Count: kind.Count, CPU: has[corev1.ResourceCPU], Memory: has[corev1.ResourceMemory], Pods: fragmented.PodsOfNode}
		if gpu, ok := has[resourceGPU]; ok {
			group.GPU = &gpu
		}
		if kind.Fast {
			group.Labels = map[string]string{fastLabel: "true"}
		}
		groups = append(groups, group)
	}
	return configOf(names, groups)
}

func list(need fragmented.Need) corev1.ResourceList {
	l := corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewMilliQuantity(need.MilliCPU, resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(need.MiB<<20, resource.BinarySI),
	}
	if need.GPUs > 0 {
		l[resourceGPU] = *resource.NewQuantity(need.GPUs, resource.DecimalSI)
	}
	return l
}

// quality gives the pods to the source one after another, so that they come in the order in which first-fit takes them.
func (b *bench) quality(ctx context.Context) error {
	if err := b.startController(ctx); err != nil {
		return err
	}
	if err := b.warmEach(ctx); err != nil {
		return err
	}
	w, err := newWave(ctx, b.clients[source], burstNamespace)
	if err != nil {
		return err
	}
	defer w.stop()
	before, err := b.requests(ctx)
	if err != nil {
		return err
	}
	needs := map[string]fragmented.Pod{}
	w.pod = func(name string) *corev1.Pod { return piece(needs[name]) }
	for _, pod := range b.world.Pods {
		needs[pod.Name] = pod
		if err := w.submit(ctx, pod.Name); err != nil {
			return err
		}
	}
	if err := b.awaitDecided(ctx, w); err != nil {
		return err
	}
	q := &Quality{Seed: b.seed, Pods: len(b.world.Pods), FirstFit: b.world.FirstFit(), BySums: b.world.BySums()}
	b.results.Quality = q
	if q.Ours, err = b.outcome(ctx); err != nil {
		return err
	}
	after, err := b.requests(ctx)
	if err != nil {
		return err
	}
	for _, target := range b.fleet.Targets() {
		for request, n := range after[target].minus(before[target], 1) {
			if request.posts() {
				q.Creates += int(n)
			}
		}
	}
	return nil
}

func piece(p fragmented.Pod) *corev1.Pod {
	pod := podOf(p.Name, list(p.Need))
	if p.Fast {
		pod.Spec.NodeSelector = map[string]string{fastLabel: "true"}
	}
	return pod
}

// awaitDecided waits until each pod runs or has been told that it cannot, and nothing happens any more.
func (b *bench) awaitDecided(ctx context.Context, w *wave) error {
	last, since := -1, time.Now()
	return eventually(ctx, "every pod to run or to be told that it cannot", func(context.Context) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		open := 0
		for name := range w.created {
			if w.running[name].IsZero() && w.refused[name].IsZero() {
				open++
			}
		}
		if len(w.running) != last {
			last, since = len(w.running), time.Now()
		}
		return open == 0 && time.Since(since) > decided
	})
}

// outcome counts in the source and in the targets.
func (m *machines) outcome(ctx context.Context) (o fragmented.Outcome, err error) {
	pods, err := m.clients[source].CoreV1().Pods(burstNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return o, fmt.Errorf("listing pods: %w", err)
	}
	for _, pod := range pods.Items {
		if pod.Status.Phase == corev1.PodRunning {
			o.Placed++
		} else {
			o.Waiting++
		}
	}
	for _, target := range m.fleet.Targets() {
		delegates, err := m.clients[target].CoreV1().Pods(burstNamespace).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.LabelSourceUID})
		if err != nil {
			return o, fmt.Errorf("listing pods of target %s: %w", target, err)
		}
		for _, pod := range delegates.Items {
			if pod.Spec.NodeName == "" {
				o.Stuck++
			}
		}
	}
	return o, nil
}
