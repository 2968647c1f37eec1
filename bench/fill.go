package main

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fillerNamespace of a target holds pods that are its own and take room.
const fillerNamespace = "filler"

// filler is a target's own pod on a node, without its scheduler.
func filler(name, node string, requests corev1.ResourceList) *corev1.Pod {
	pod := podOf(name, requests)
	pod.Annotations = nil
	pod.Spec.NodeName = node
	return pod
}

// fill makes the namespace and creates the pods.
func (m *machines) fill(ctx context.Context, target string, pods []*corev1.Pod) error {
	if err := m.namespace(ctx, target, fillerNamespace, nil); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, pod := range pods {
		group.Go(func() error { return m.occupy(ctx, target, pod) })
	}
	return group.Wait()
}

func (m *machines) occupy(ctx context.Context, target string, pod *corev1.Pod) error {
	if _, err := m.clients[target].CoreV1().Pods(fillerNamespace).Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("filling target %s with pod %s: %w", target, pod.Name, err)
	}
	return nil
}

// vacate ends a filler at once: when it returns, its room is free.
func (m *machines) vacate(ctx context.Context, target, name string) error {
	if err := m.clients[target].CoreV1().Pods(fillerNamespace).Delete(ctx, name, *metav1.NewDeleteOptions(0)); err != nil {
		return fmt.Errorf("ending pod %s of target %s: %w", name, target, err)
	}
	return nil
}

func (m *machines) vacateAll(ctx context.Context, target string) error {
	err := m.clients[target].CoreV1().Pods(fillerNamespace).DeleteCollection(ctx, *metav1.NewDeleteOptions(0), metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("emptying target %s: %w", target, err)
	}
	return nil
}
