package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/fleet"
)

const (
	exactTargets = 10
	podsOfNode   = 10 // of newPod, on a node with one CPU
)

// Exact is a burst over targets that hold exactly its pods, so that each mistake about a target's room shows.
type Exact struct {
	Targets       int     `json:"targets"`
	Pods          int     `json:"pods"`
	Full          int     `json:"full"` // targets with exactly their share
	Running       int     `json:"running"`
	Seconds       float64 `json:"seconds"` // first create to last Running
	PodsPerSecond float64 `json:"podsPerSecond"`
	P50           float64 `json:"p50Seconds"`
	P99           float64 `json:"p99Seconds"`
	Creates       int     `json:"creates"`     // POST of pods in targets, whatever the answer
	Refused       int     `json:"refused"`     // of them, those that failed, and delegates that a target's scheduler would not have
	Unscheduled   int     `json:"unscheduled"` // events FailedScheduling of the source
	TooMany       int     `json:"tooMany"`     // requests answered by 429, in all clusters
	CPU           float64 `json:"controllerMilli"`
	StartSeconds  float64 `json:"startSeconds"` // of the clusters
}

// Again is how many more attempts there were than pods: each creation in a target, and each of the source's cycles that found
// no place.
func (e *Exact) Again() int { return e.Creates - e.Pods + e.Unscheduled }

// upExact starts targets that hold an equal share of the pods each, in whole nodes.
func (b *bench) upExact(ctx context.Context) error {
	names := make([]string, exactTargets)
	for i := range names {
		names[i] = fmt.Sprintf("t%d", i)
	}
	share := max(b.pods/exactTargets/podsOfNode, 1)
	nodes := []fleet.NodeGroup{{Count: share, CPU: resource.MustParse("1"), Memory: resource.MustParse("4Gi")}}
	start := time.Now()
	if err := b.raise(ctx, configOf(names, nodes)); err != nil {
		return err
	}
	b.results.Exact = &Exact{Targets: exactTargets, Pods: share * podsOfNode * exactTargets, StartSeconds: time.Since(start).Seconds()}
	return nil
}

func (b *bench) exact(ctx context.Context) error {
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
	r := b.results.Exact
	before, err := b.snapshot(ctx)
	if err != nil {
		return err
	}
	created := w.create(ctx, podNames("pod", r.Pods)) // also what was not reached is counted
	if err := sleep(ctx, settle); err != nil {
		return err
	}
	after, err := b.snapshot(ctx)
	if err != nil {
		return err
	}
	r.times(w)
	r.count(before, after, b.fleet.Targets())
	if r.Unscheduled, err = b.failedScheduling(ctx, source); err != nil {
		return err
	}
	for _, target := range b.fleet.Targets() {
		if err := b.lookInto(ctx, target, r); err != nil {
			return err
		}
	}
	return created
}

func (e *Exact) times(w *wave) {
	w.mu.Lock()
	defer w.mu.Unlock()
	took, each := span(w.created, w.running), latencies(w.created, w.running)
	e.Seconds, e.PodsPerSecond, e.Running = took.Seconds(), float64(len(each))/took.Seconds(), len(each)
	e.P50, e.P99 = percentile(each, 50).Seconds(), percentile(each, 99).Seconds()
}

// count reads what was asked of the API servers.
func (e *Exact) count(before, after snapshot, targets []string) {
	for cluster := range after.requests {
		for request, n := range after.requests[cluster].minus(before.requests[cluster], 1) {
			if request.Code == "429" {
				e.TooMany += int(n)
			}
		}
	}
	for _, target := range targets {
		for request, n := range after.requests[target].minus(before.requests[target], 1) {
			if request.posts() {
				e.Creates += int(n)
			}
			if request.posts() && request.Failed() {
				e.Refused += int(n)
			}
		}
	}
	used := after.cpu[Process{source, controller}] - before.cpu[Process{source, controller}]
	e.CPU = used.Seconds() * 1000 / float64(e.Pods)
}

// lookInto counts a target's delegates, and those that its scheduler could not place at once.
func (b *bench) lookInto(ctx context.Context, target string, r *Exact) error {
	list, err := b.clients[target].CoreV1().Pods(burstNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing pods of target %s: %w", target, err)
	}
	if len(list.Items) == r.Pods/r.Targets {
		r.Full++
	}
	failed, err := b.failedScheduling(ctx, target)
	r.Refused += failed
	return err
}

// failedScheduling counts the pods of the measurement that the cluster's scheduler ever found no node for.
func (m *machines) failedScheduling(ctx context.Context, cluster string) (int, error) {
	list, err := m.clients[cluster].CoreV1().Events(burstNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, fmt.Errorf("listing events of cluster %s: %w", cluster, err)
	}
	pods := map[string]bool{}
	for _, event := range list.Items {
		if event.Reason == "FailedScheduling" && strings.HasPrefix(event.InvolvedObject.Name, "pod-") {
			pods[event.InvolvedObject.Name] = true
		}
	}
	return len(pods), nil
}
