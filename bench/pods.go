package main

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

const (
	workers = 20 // creators, and deleters

	resourceGPU = corev1.ResourceName("nvidia.com/gpu")
)

// each calls do for every name, by as many workers as the bench has.
func each(ctx context.Context, names []string, do func(context.Context, string) error) error {
	group, ctx := errgroup.WithContext(ctx)
	queue := make(chan string, len(names))
	for _, name := range names {
		queue <- name
	}
	close(queue)
	for range workers {
		group.Go(func() error {
			for name := range queue {
				if err := do(ctx, name); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func podNames(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%05d", prefix, i)
	}
	return names
}

// newPod is the same for control and burst; the control's cluster does not know the annotation.
func newPod(name string) *corev1.Pod {
	return podOf(name, requests("100m", "64Mi"))
}

func podOf(name string, requests corev1.ResourceList) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{v1alpha1.AnnotationElect: ""}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "main", Image: "registry.k8s.io/pause:3.10",
			Resources: corev1.ResourceRequirements{Requests: requests, Limits: gpus(requests)},
		}}},
	}
}

func requests(cpu, memory string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}
}

// gpus are limits: the API refuses an extended resource without one.
func gpus(requests corev1.ResourceList) corev1.ResourceList {
	if q, ok := requests[resourceGPU]; ok {
		return corev1.ResourceList{resourceGPU: q}
	}
	return nil
}
