package main

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/fleet"
)

// watchAfterRestart is how long a restarted controller is watched: longer than its slowest resync.
const watchAfterRestart = 15 * time.Second

// Restart is what a controller does that was killed while the burst's pods run.
type Restart struct {
	ReadySeconds float64 `json:"readySeconds"` // from SIGKILL until /readyz answers
	Writes       int     `json:"writes"`       // to targets: whatever is not a lease, an event or a node's status
	Lost         int     `json:"lost"`         // pods that no longer run, or whose delegate is not the one it was
	Memory       Memory  `json:"memory"`
	Requests     []Row   `json:"requests,omitempty"` // in targets, in all
}

func (b *bench) restart(ctx context.Context) error {
	before, err := b.snapshot(ctx)
	if err != nil {
		return err
	}
	running, err := b.everyPod(ctx)
	if err != nil {
		return err
	}
	r := &Restart{}
	if r.ReadySeconds, err = b.killAndStart(ctx); err != nil {
		return err
	}
	if err := sleep(ctx, watchAfterRestart); err != nil {
		return err
	}
	after, err := b.snapshot(ctx)
	if err != nil {
		return err
	}
	for _, cluster := range targets {
		for _, row := range rows("restart", cluster, after.requests[cluster].minus(before.requests[cluster], 1)) {
			if row.Class == classMain && row.write() {
				r.Requests = append(r.Requests, row)
				r.Writes += int(row.Count)
			}
		}
	}
	if r.Lost, err = b.lost(ctx, running); err != nil {
		return err
	}
	r.Memory, err = b.memory(source, controller)
	b.results.Restart = r
	return err
}

// killAndStart runs the very file that ran: looking for it anew could mean to compile it, within the time measured.
func (b *bench) killAndStart(ctx context.Context) (float64, error) {
	pid, ok := b.fleet.Process(source, controller)
	if !ok {
		return 0, fmt.Errorf("the controller has ended: see its log in %s", b.fleet.Dir)
	}
	binary, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return 0, fmt.Errorf("finding the controller's file: %w", err)
	}
	start := time.Now()
	if err := b.fleet.StopController(ctx, controller, syscall.SIGKILL); err != nil {
		return 0, err
	}
	if err := b.fleet.StartController(ctx, fleet.ControllerOptions{Name: controller, Binary: binary}); err != nil {
		return 0, err
	}
	return time.Since(start).Seconds(), nil
}

// everyPod returns the phases of all source pods and delegates, by cluster and UID.
func (b *bench) everyPod(ctx context.Context) (map[string]corev1.PodPhase, error) {
	pods := map[string]corev1.PodPhase{}
	for cluster, client := range b.clients {
		list, err := client.CoreV1().Pods(burstNamespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, fmt.Errorf("listing pods of cluster %s: %w", cluster, err)
		}
		for _, pod := range list.Items {
			pods[fmt.Sprint(cluster, "/", pod.UID, "/", pod.Labels[v1alpha1.LabelSourceUID])] = pod.Status.Phase
		}
	}
	return pods, nil
}

// lost counts the pods that were there and are not, or are in another phase.
func (b *bench) lost(ctx context.Context, before map[string]corev1.PodPhase) (int, error) {
	after, err := b.everyPod(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	for id, phase := range before {
		if after[id] != phase {
			n++
		}
	}
	return n, nil
}
