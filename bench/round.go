package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// round is one pod that waits until a node of a full target becomes free.
type round struct {
	*bench
	w        *wave
	pod      string
	target   string
	occupant *corev1.Pod // of the node, which it takes whole
	cordoned bool        // the room comes by uncordoning the node, else by the occupant's end
	pause    time.Duration
}

func newRound(b *bench, w *wave, i int, pod string) round {
	target := targets[i%len(targets)]
	return round{
		bench: b, w: w, pod: pod, target: target, occupant: occupant(target, i%targetSize), cordoned: i/len(targets)%2 == 1,
		// Longer than what an earlier growth may still cause, and never in step with what the controller gathers over.
		pause: 300*time.Millisecond + time.Duration(i*37%200)*time.Millisecond,
	}
}

// run returns how long the pod took from the change in the target until it was bound, and leaves all as it was.
func (r round) run(ctx context.Context) (time.Duration, error) {
	if r.cordoned {
		if err := r.cordon(ctx, true); err != nil {
			return 0, err
		}
		if err := r.vacate(ctx, r.target, r.occupant.Name); err != nil {
			return 0, err
		}
	}
	if err := sleep(ctx, r.pause); err != nil {
		return 0, err
	}
	if err := r.w.submit(ctx, r.pod); err != nil {
		return 0, err
	}
	if err := r.w.await(ctx, "refused", r.w.refused, []string{r.pod}); err != nil {
		return 0, err
	}
	if err := sleep(ctx, r.pause); err != nil {
		return 0, err
	}
	if err := r.free(ctx); err != nil {
		return 0, err
	}
	start := time.Now()
	if err := r.w.await(ctx, "bound", r.w.bound, []string{r.pod}); err != nil {
		return 0, err
	}
	if err := r.w.delete(ctx, []string{r.pod}); err != nil {
		return 0, err
	}
	r.w.mu.Lock()
	took := r.w.bound[r.pod].Sub(start)
	r.w.mu.Unlock()
	return took, r.occupy(ctx, r.target, r.occupant)
}

// free makes the room.
func (r round) free(ctx context.Context) error {
	if r.cordoned {
		return r.cordon(ctx, false)
	}
	return r.vacate(ctx, r.target, r.occupant.Name)
}

func (r round) cordon(ctx context.Context, unschedulable bool) error {
	patch := fmt.Appendf(nil, `{"spec":{"unschedulable":%t}}`, unschedulable)
	node := r.occupant.Spec.NodeName
	_, err := r.clients[r.target].CoreV1().Nodes().Patch(ctx, node, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("cordoning node %s of target %s (%t): %w", node, r.target, unschedulable, err)
	}
	return nil
}
