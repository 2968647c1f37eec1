package main

import (
	"context"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/fleet"
)

// clusters are a source without nodes and a target with a real one.
const clusters = `
clusters:
- name: source
  source: true
  runtime: kwok
- name: target
  nodes: [{count: 1, cpu: 2, memory: 4Gi}]
  target:
    price: {currency: GBP, cpuCoreHour: 20m}
`

const (
	namespace    = "streams"
	container    = "main"
	readyTimeout = 2 * time.Minute
)

// bench is one run.
type bench struct {
	options
	log     io.Writer
	fleet   *fleet.Fleet
	started string // the fleet's folder, when it is ours to end
	source  way
	direct  way
	results results
}

// way is one of the two ways to a pod.
type way struct {
	name      string
	config    *rest.Config
	client    kubernetes.Interface
	namespace string
	pod       func(source *corev1.Pod) string // the pod's name on this way
}

// both are the ways in the order in which they are measured.
func (b *bench) both() []way { return []way{b.direct, b.source} }

// begin connects to both clusters.
func (b *bench) begin(ctx context.Context) error {
	for cluster, to := range map[string]*way{b.fleet.Source(): &b.source, b.fleet.Targets()[0]: &b.direct} {
		config, err := b.fleet.RESTConfig(cluster)
		if err != nil {
			return err
		}
		config.QPS = -1
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			return fmt.Errorf("making a client of cluster %s: %w", cluster, err)
		}
		*to = way{config: config, client: client, namespace: namespace}
	}
	b.source.name, b.direct.name = through, direct
	b.source.pod = func(pod *corev1.Pod) string { return pod.Name }
	b.direct.pod = b.delegateOf
	_, err := b.source.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: namespace, Labels: map[string]string{v1alpha1.LabelBurst: v1alpha1.BurstEnabled}}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating namespace %s: %w", namespace, err)
	}
	return nil
}

// delegateOf is the name in the target; "" when it is not there.
func (b *bench) delegateOf(source *corev1.Pod) string {
	selector := labels.SelectorFromSet(labels.Set{v1alpha1.LabelSourceUID: string(source.UID)})
	list, err := b.direct.client.CoreV1().Pods(namespace).List(context.Background(), metav1.ListOptions{LabelSelector: selector.String()})
	if err != nil || len(list.Items) == 0 {
		return ""
	}
	return list.Items[0].Name
}

// runs creates a pod and waits until its container runs. The admission policy, and the namespace, need some tries at first.
func (b *bench) runs(ctx context.Context, name string, command ...string) (*corev1.Pod, error) {
	grace := int64(1)
	pods := b.source.client.CoreV1().Pods(namespace)
	var pod *corev1.Pod
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, readyTimeout, true, func(ctx context.Context) (bool, error) {
		if pod == nil || pod.Spec.SchedulerName != v1alpha1.SchedulerName {
			created, err := pods.Create(ctx, &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{GenerateName: name + "-", Annotations: map[string]string{v1alpha1.AnnotationElect: ""}},
				Spec: corev1.PodSpec{TerminationGracePeriodSeconds: &grace, RestartPolicy: corev1.RestartPolicyNever,
					Containers: []corev1.Container{{Name: container, Image: "busybox:1.36", Command: command}}},
			}, metav1.CreateOptions{})
			if err == nil {
				pod = created
			}
			return false, nil
		}
		now, err := pods.Get(ctx, pod.Name, metav1.GetOptions{})
		if err == nil {
			pod = now
		}
		return err == nil && pod.Status.Phase == corev1.PodRunning, nil
	})
	if err != nil {
		return nil, fmt.Errorf("waiting for pod %s to run: %w", name, err)
	}
	return pod, nil
}

func (b *bench) remove(ctx context.Context, pod *corev1.Pod) {
	now := int64(0)
	_ = b.source.client.CoreV1().Pods(namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}) // the fleet goes anyway
}
