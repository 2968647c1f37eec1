package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/report"
)

// What the samples are called.
const (
	namespace  = "renders"
	jobName    = "render"
	deployment = "web"
	// replicas are more than the two nodes of the source have room for.
	replicas = 20
)

// job submits the Job and waits until it is complete.
func (s *story) job(ctx context.Context, file string) error {
	s.heading("A Job for nodes that capture heat. The source cluster has none")
	if err := s.remove(ctx, &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: jobName}}); err != nil {
		return err
	}
	start := time.Now()
	if err := s.apply(ctx, file, func(*unstructured.Unstructured) error { return nil }); err != nil {
		return err
	}
	job := &batchv1.Job{}
	err := s.await(ctx, "Job "+jobName+" to complete", func(ctx context.Context) (bool, error) {
		err := s.client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: jobName}, job)
		return job.Status.CompletionTime != nil, err
	})
	if err != nil {
		return err
	}
	s.say("Job %s is complete: %d of %d pods succeeded in %.1f s.", jobName, job.Status.Succeeded, *job.Spec.Completions, time.Since(start).Seconds())
	s.jobPods, err = s.pods(ctx, jobName)
	return err
}

// alternatives shows where the Job's pods went and what an hour of them would cost anywhere.
func (s *story) alternatives(context.Context) error {
	s.heading("Where its pods went, and what an hour of all of them costs in each place")
	for _, pod := range report.Pods(s.jobPods) {
		s.say("%s → %s", pod.Name, pod.Place)
	}
	s.write("\n")
	return s.compare(s.jobPods)
}

func (s *story) compare(pods []corev1.Pod) error {
	found, err := records(pods)
	if err != nil {
		return err
	}
	return s.table(func(out io.Writer) error { return report.WriteAlternatives(out, report.Compare(found)) })
}

// logs reads one pod's log where it was submitted.
func (s *story) logs(ctx context.Context) error {
	if len(s.jobPods) == 0 {
		return errors.New("the Job has left no pods to read logs of")
	}
	name := s.jobPods[0].Name
	s.heading("Logs come through the source cluster")
	s.say("$ kubectl -n %s logs %s", namespace, name)
	text, err := s.clientset.CoreV1().Pods(namespace).GetLogs(name, &corev1.PodLogOptions{TailLines: ptr.To[int64](3)}).DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("reading the log of %s: %w", name, err)
	}
	s.say("%s", strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\n  "))
	return nil
}

// burst scales a Deployment beyond the local nodes.
func (s *story) burst(ctx context.Context, file string) error {
	s.heading("A Deployment of %d replicas: local nodes first, the rest bursts to the best target", replicas)
	err := s.apply(ctx, file, func(o *unstructured.Unstructured) error {
		return unstructured.SetNestedField(o.Object, int64(replicas), "spec", "replicas")
	})
	if err != nil {
		return err
	}
	s.say("$ kubectl -n %s scale deploy/%s --replicas=%d\n", namespace, deployment, replicas)
	err = s.await(ctx, fmt.Sprintf("%d replicas of %s", replicas, deployment), func(ctx context.Context) (bool, error) {
		found := &appsv1.Deployment{}
		err := s.client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: deployment}, found)
		return found.Status.ReadyReplicas == replicas, err
	})
	if err != nil {
		return err
	}
	pods, err := s.pods(ctx, deployment)
	if err != nil {
		return err
	}
	for _, pod := range pods {
		if s.burstPod == "" || strings.HasPrefix(pod.Spec.NodeName, v1alpha1.VirtualNodePrefix) {
			s.burstPod = pod.Name
		}
	}
	return s.compare(pods)
}

// targets shows the targets once their figures, which follow within seconds, count the pods that run there.
func (s *story) targets(ctx context.Context) error {
	pods, err := s.pods(ctx, deployment)
	if err != nil {
		return err
	}
	remote := int32(0)
	for _, pod := range pods {
		if strings.HasPrefix(pod.Spec.NodeName, v1alpha1.VirtualNodePrefix) {
			remote++
		}
	}
	list := &v1alpha1.TargetList{}
	err = s.await(ctx, "the Targets to show their pods", func(ctx context.Context) (bool, error) {
		err, shown := s.client.List(ctx, list), int32(0)
		for _, t := range list.Items {
			shown += t.Status.Pods
		}
		return shown >= remote, err
	})
	if err != nil {
		return err
	}
	s.heading("The targets now")
	return s.table(func(out io.Writer) error { return report.WriteTargets(out, report.Targets(list.Items)) })
}
