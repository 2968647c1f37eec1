package main

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	typedv1 "k8s.io/client-go/kubernetes/typed/core/v1"
)

const waveTimeout = 10 * time.Minute

// wave is a number of pods that come and go together in one namespace, and when the API said so of each.
type wave struct {
	pods typedv1.PodInterface
	stop context.CancelFunc // of the watch
	pod  func(name string) *corev1.Pod

	mu      sync.Mutex
	seen    chan struct{} // closed and replaced at each event
	created map[string]time.Time
	refused map[string]time.Time // for the first time
	bound   map[string]time.Time
	running map[string]time.Time
	gone    map[string]time.Time
	version string // of the last event
	ended   error  // why there are no more events
}

// newWave watches a namespace; the wave's pods are those that come after.
func newWave(ctx context.Context, client kubernetes.Interface, namespace string) (*wave, error) {
	w := &wave{
		pods: client.CoreV1().Pods(namespace), pod: newPod, seen: make(chan struct{}),
		created: map[string]time.Time{}, refused: map[string]time.Time{}, bound: map[string]time.Time{}, running: map[string]time.Time{}, gone: map[string]time.Time{},
	}
	list, err := w.pods.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing pods: %w", err)
	}
	w.version = list.ResourceVersion
	ctx, w.stop = context.WithCancel(ctx)
	go w.listen(ctx)
	return w, nil
}

// listen watches, and goes on where it was when the API server ends the watch: under load it does that to any watcher that
// is late by a few events.
func (w *wave) listen(ctx context.Context) {
	for {
		events, err := w.pods.Watch(ctx, metav1.ListOptions{ResourceVersion: w.version})
		if err == nil {
			for event := range events.ResultChan() {
				w.note(event, time.Now())
			}
		}
		if err := cmp.Or(ctx.Err(), err); err != nil {
			w.end(err)
		}
		if w.ended != nil {
			return
		}
	}
}

func (w *wave) note(event watch.Event, now time.Time) {
	pod, ok := event.Object.(*corev1.Pod)
	if !ok {
		w.end(apierrors.FromObject(event.Object))
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.version = pod.ResourceVersion
	first(w.refused, pod.Name, now, unschedulable(pod))
	first(w.bound, pod.Name, now, pod.Spec.NodeName != "")
	first(w.running, pod.Name, now, pod.Status.Phase == corev1.PodRunning)
	first(w.gone, pod.Name, now, event.Type == watch.Deleted)
	w.wake()
}

// first keeps the first moment at which something is so.
func first(times map[string]time.Time, name string, now time.Time, is bool) {
	if _, known := times[name]; !known && is {
		times[name] = now
	}
}

func unschedulable(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled {
			return c.Status == corev1.ConditionFalse
		}
	}
	return false
}

func (w *wave) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = err
	w.wake()
}

// wake wakes those who wait; the caller holds the lock.
func (w *wave) wake() {
	close(w.seen)
	w.seen = make(chan struct{})
}

// create returns when all pods run.
func (w *wave) create(ctx context.Context, names []string) error {
	if err := each(ctx, names, w.submit); err != nil {
		return err
	}
	return w.await(ctx, "running", w.running, names)
}

// submit creates one pod.
func (w *wave) submit(ctx context.Context, name string) error {
	start := time.Now()
	if _, err := w.pods.Create(ctx, w.pod(name), metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating pod %s: %w", name, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.created[name] = start
	return nil
}

// delete deletes each pod as kubectl does, with its own grace, and returns when all are gone.
func (w *wave) delete(ctx context.Context, names []string) error {
	err := each(ctx, names, func(ctx context.Context, name string) error {
		if err := w.pods.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			return fmt.Errorf("deleting pod %s: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.await(ctx, "gone", w.gone, names)
}

func (w *wave) await(ctx context.Context, state string, in map[string]time.Time, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, waveTimeout)
	defer cancel()
	for {
		w.mu.Lock()
		left, seen, ended := 0, w.seen, w.ended
		for _, name := range names {
			if _, ok := in[name]; !ok {
				left++
			}
		}
		w.mu.Unlock()
		if left == 0 {
			return nil
		}
		if ended != nil {
			return fmt.Errorf("watching pods, of which %d of %d were not %s: %w", left, len(names), state, ended)
		}
		select {
		case <-seen:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d pods are not %s: %w", left, len(names), state, ctx.Err())
		}
	}
}
