package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

const (
	warmPods = 20
	// settle is how long what follows the last pod's state may take: events and Targets' status are written late.
	settle = 2 * time.Second
	// takes of control and of burst are measured, and the middle one of each counts: one alone differs by a third from the
	// next on a small machine.
	takes = 3
)

// measureQuiet and measureResting tell what is to be subtracted from the requests of control and burst.
func (b *bench) measureQuiet(ctx context.Context) (err error) {
	b.quiet, err = b.rates(ctx, b.idle)
	return err
}

func (b *bench) measureResting(ctx context.Context) (err error) {
	if err := b.warm(ctx, source, burstNamespace); err != nil {
		return err
	}
	before, err := b.own(ctx)
	if err != nil {
		return err
	}
	if b.resting, err = b.rates(ctx, b.idle); err != nil {
		return err
	}
	after, err := b.own(ctx)
	if err != nil {
		return err
	}
	b.results.Idle = b.ownRows("idle", after.minus(before, 1).per(b.idle.Minutes()), func(Request) bool { return true })
	return nil
}

func (b *bench) control(ctx context.Context) error {
	if err := b.warm(ctx, controlled, controlNamespace); err != nil {
		return err
	}
	var all []*Load
	for range takes {
		w, err := newWave(ctx, b.clients[controlled], controlNamespace)
		if err != nil {
			return err
		}
		load := &Load{}
		m := measure{b, load, controlled, b.quiet}
		if err = m.create(ctx, w); err == nil {
			err = m.delete(ctx, w)
		}
		w.stop()
		if err != nil {
			return err
		}
		all = append(all, load)
	}
	b.results.Control = middle(all)
	return nil
}

// burst leaves the pods of its last take running.
func (b *bench) burst(ctx context.Context) error {
	b.taken = nil
	for i := range takes {
		if err := b.burstOnce(ctx); err != nil {
			return err
		}
		if i < takes-1 {
			if err := b.burstDelete(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) burstOnce(ctx context.Context) error {
	w, err := newWave(ctx, b.clients[source], burstNamespace)
	if err != nil {
		return err
	}
	load := &Load{}
	b.wave, b.taken = w, append(b.taken, load)
	if err := (measure{b, load, source, b.resting}).create(ctx, w); err != nil {
		return err
	}
	if load.Memory, err = b.memory(source, controller); err != nil {
		return err
	}
	load.Placed, err = b.placed(ctx)
	return err
}

func (b *bench) burstDelete(ctx context.Context) error {
	defer b.wave.stop()
	if err := (measure{b, b.taken[len(b.taken)-1], source, b.resting}).delete(ctx, b.wave); err != nil {
		return err
	}
	b.results.Burst = middle(b.taken)
	return nil
}

// middle is the take of which as many were faster as slower.
func middle(all []*Load) *Load {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b *Load) int { return cmp.Compare(a.PodsPerSecond, b.PodsPerSecond) })
	return sorted[len(sorted)/2]
}

// warm makes everything happen that only the first pods of a cluster cause: namespaces in targets, caches, code pages.
func (b *bench) warm(ctx context.Context, cluster, namespace string) error {
	w, err := newWave(ctx, b.clients[cluster], namespace)
	if err != nil {
		return err
	}
	defer w.stop()
	names := podNames("warm", warmPods)
	if err := w.create(ctx, names); err != nil {
		return err
	}
	if err := w.delete(ctx, names); err != nil {
		return err
	}
	return sleep(ctx, settle)
}

// warmEach lets a pod come and go in each target, which makes the namespace there.
func (b *bench) warmEach(ctx context.Context) error {
	w, err := newWave(ctx, b.clients[source], burstNamespace)
	if err != nil {
		return err
	}
	defer w.stop()
	var names []string
	for _, target := range b.fleet.Targets() {
		names = append(names, "warm-"+target)
	}
	w.pod = func(name string) *corev1.Pod {
		pod := newPod(name)
		pod.Spec.NodeSelector = map[string]string{v1alpha1.LabelTarget: strings.TrimPrefix(name, "warm-")}
		return pod
	}
	if err := w.create(ctx, names); err != nil {
		return err
	}
	if err := w.delete(ctx, names); err != nil {
		return err
	}
	return sleep(ctx, settle)
}

// placed counts the pods that each target runs.
func (b *bench) placed(ctx context.Context) (map[string]int, error) {
	list, err := b.clients[source].CoreV1().Pods(burstNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing pods: %w", err)
	}
	placed := map[string]int{}
	for _, pod := range list.Items {
		placed[strings.TrimPrefix(pod.Spec.NodeName, v1alpha1.VirtualNodePrefix)]++
	}
	return placed, nil
}

// measure is how a load is measured: the cluster that the driver talks to, and what happens there without work.
type measure struct {
	*bench
	load   *Load
	driven string
	idle   map[string]Counts
}

func (m measure) create(ctx context.Context, w *wave) error {
	names := podNames("pod", m.pods)
	err := m.phase(ctx, phaseCreate, "POST", func() error { return w.create(ctx, names) })
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	took, each := span(w.created, w.running), latencies(w.created, w.running)
	m.load.CreateSeconds, m.load.PodsPerSecond = took.Seconds(), float64(m.pods)/took.Seconds()
	m.load.P50, m.load.P99 = percentile(each, 50).Seconds(), percentile(each, 99).Seconds()
	return nil
}

func (m measure) delete(ctx context.Context, w *wave) error {
	start := time.Now()
	err := m.phase(ctx, phaseDelete, "DELETE", func() error { return w.delete(ctx, podNames("pod", m.pods)) })
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	took := span(map[string]time.Time{"": start}, w.gone)
	m.load.DeleteSeconds, m.load.DeletedPerSecond = took.Seconds(), float64(m.pods)/took.Seconds()
	return nil
}

// phase adds to the load what the work cost; verb is what the driver itself did to each pod.
func (m measure) phase(ctx context.Context, phase, verb string, do func() error) error {
	before, err := m.snapshot(ctx)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	if err := sleep(ctx, settle); err != nil {
		return err
	}
	after, err := m.snapshot(ctx)
	if err != nil {
		return err
	}
	pods, seconds := float64(m.pods), after.at.Sub(before.at).Seconds()
	for _, cluster := range m.fleet.Clusters() {
		counts := after.requests[cluster].minus(before.requests[cluster], 1).minus(m.idle[cluster], seconds)
		if cluster == m.driven {
			counts = counts.minus(Counts{{Verb: verb, Resource: "pods"}: pods}, 1)
		}
		m.load.Requests = append(m.load.Requests, rows(phase, cluster, counts.per(pods))...)
	}
	own := after.own.minus(before.own, 1)
	m.load.Failed = append(m.load.Failed, m.ownRows(phase, own, Request.Failed)...)
	m.load.addCPU(phase, before, after, m.fleet.Clusters(), pods)
	return nil
}

// ownRows are those requests, as the controller counts them, that pick accepts: by cluster, without their resource.
func (m *machines) ownRows(phase string, own Counts, pick func(Request) bool) []Row {
	var all []Row
	for _, cluster := range m.fleet.Clusters() {
		counts := Counts{}
		for r, n := range own {
			if pick(r) && strings.HasSuffix(m.configs[cluster].Host, "//"+r.Resource) {
				counts[Request{Verb: r.Verb, Code: r.Code}] += n
			}
		}
		all = append(all, rows(phase, cluster, counts)...)
	}
	return all
}
