package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

const (
	wakes     = 100
	wakeOther = 50 // pods that wait too, and fit on no node
)

// Wake is how long a waiting pod takes to be bound once a target has room: from the API server's answer to what made the
// room until the watch event in the source.
type Wake struct {
	Rounds int     `json:"rounds"`
	Others int     `json:"others"` // pods that wait too
	P50    float64 `json:"p50Seconds"`
	P99    float64 `json:"p99Seconds"`
	Max    float64 `json:"maxSeconds"`
	// Medians by what made the room: a pod that ended, a node that was uncordoned.
	PodEnded       float64 `json:"podEndedP50Seconds"`
	NodeUncordoned float64 `json:"nodeUncordonedP50Seconds"`
}

// wake makes all targets full, and then room for one pod again and again.
func (b *bench) wake(ctx context.Context) error {
	for _, target := range targets {
		if err := b.fill(ctx, target, occupants(target)); err != nil {
			return err
		}
	}
	w, err := newWave(ctx, b.clients[source], burstNamespace)
	if err != nil {
		return err
	}
	defer w.stop()
	others := podNames("other", wakeOther)
	w.pod = giant
	for _, name := range others {
		if err := w.submit(ctx, name); err != nil {
			return err
		}
	}
	if err := w.await(ctx, "refused", w.refused, others); err != nil {
		return err
	}
	w.pod = func(name string) *corev1.Pod { return podOf(name, requests("16", "1Gi")) }
	took := map[bool][]time.Duration{} // by whether a node was uncordoned
	for i, name := range podNames("waits", min(max(b.pods/10, 4), wakes)) {
		r := newRound(b, w, i, name)
		d, err := r.run(ctx)
		if err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
		took[r.cordoned] = append(took[r.cordoned], d)
	}
	b.results.Wake = newWake(took)
	if err := w.delete(ctx, others); err != nil {
		return err
	}
	for _, target := range targets {
		if err := b.vacateAll(ctx, target); err != nil {
			return err
		}
	}
	return nil
}

func newWake(took map[bool][]time.Duration) *Wake {
	all := slices.Concat(took[false], took[true])
	for _, some := range [][]time.Duration{all, took[false], took[true]} {
		slices.Sort(some)
	}
	return &Wake{
		Rounds: len(all), Others: wakeOther,
		P50: percentile(all, 50).Seconds(), P99: percentile(all, 99).Seconds(), Max: percentile(all, 100).Seconds(),
		PodEnded: percentile(took[false], 50).Seconds(), NodeUncordoned: percentile(took[true], 50).Seconds(),
	}
}

// giant fits on no node, in one of four ways.
func giant(name string) *corev1.Pod {
	switch name[len(name)-1] % 4 {
	case 0:
		return podOf(name, requests("33", "1Gi"))
	case 1:
		return podOf(name, requests("1", "300Gi"))
	case 2:
		needs := requests("1", "1Gi")
		needs[resourceGPU] = resource.MustParse("1")
		return podOf(name, needs)
	default:
		pod := podOf(name, requests("1", "1Gi"))
		pod.Spec.NodeSelector = map[string]string{fastLabel: "true"}
		return pod
	}
}

// occupants take a whole node each.
func occupants(target string) []*corev1.Pod {
	pods := make([]*corev1.Pod, targetSize)
	for i := range pods {
		pods[i] = occupant(target, i)
	}
	return pods
}

func occupant(target string, i int) *corev1.Pod {
	node := fmt.Sprintf("%s-%d", target, i+1)
	return filler("whole-"+node, node, requests("32", "1Gi"))
}
