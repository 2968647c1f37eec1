package e2e

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

// annotationDelay is how long a simulated node lets a Job's pod run.
const annotationDelay = "pod-complete.stage.kwok.x-k8s.io/delay"

// runningFor lets a Job's pod run for a while; without it, for a second.
func runningFor(d time.Duration) change { return annotated(annotationDelay, d.String()) }

// createJob submits a Job of elected pods.
func (s *space) createJob(name string, completions int32, changes ...change) *batchv1.Job {
	s.t.Helper()
	template := podTemplate(append([]change{elected}, changes...)...)
	template.Spec.RestartPolicy = corev1.RestartPolicyNever
	job, err := s.kube.BatchV1().Jobs(s.name).Create(s.t.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: batchv1.JobSpec{
			Completions: &completions, Parallelism: &completions, BackoffLimit: ptr.To[int32](0), Template: template,
			// A pod that was lost through no fault of its own does not count: what the condition DisruptionTarget is for.
			PodFailurePolicy: &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
				Action: batchv1.PodFailurePolicyActionIgnore,
				OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{
					{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue},
				},
			}}},
		},
	}, metav1.CreateOptions{})
	require.NoError(s.t, err)
	return job
}

// expectJobComplete waits until a Job has all its completions.
func (s *space) expectJobComplete(name string) *batchv1.Job {
	s.t.Helper()
	var job *batchv1.Job
	expectEventually(s.t, late, "job "+name+" to complete", func(ctx context.Context) (err error) {
		if job, err = s.kube.BatchV1().Jobs(s.name).Get(ctx, name, metav1.GetOptions{}); err != nil {
			return err
		}
		if job.Status.CompletionTime == nil {
			return fmt.Errorf("active %d, succeeded %d, failed %d", job.Status.Active, job.Status.Succeeded, job.Status.Failed)
		}
		return nil
	})
	return job
}

// createDeployment submits a Deployment of elected pods.
func (s *space) createDeployment(name string, replicas int32, changes ...change) {
	s.t.Helper()
	template := podTemplate(append([]change{elected}, changes...)...)
	metav1.SetMetaDataLabel(&template.ObjectMeta, "app", name)
	_, err := s.kube.AppsV1().Deployments(s.name).Create(s.t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Template: template,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
		},
	}, metav1.CreateOptions{})
	require.NoError(s.t, err)
}

// scale sets a Deployment's replicas.
func (s *space) scale(name string, replicas int32) {
	s.t.Helper()
	body := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	_, err := s.kube.AppsV1().Deployments(s.name).Patch(s.t.Context(), name, types.MergePatchType, body, metav1.PatchOptions{})
	require.NoError(s.t, err)
}

// expectAllRunning waits until the namespace has so many pods, all of them running, and returns them.
func (s *space) expectAllRunning(n int) []corev1.Pod {
	s.t.Helper()
	expectEventually(s.t, late, fmt.Sprintf("%d running pods", n), s.allRunning(n))
	pods, err := s.list(s.t.Context())
	require.NoError(s.t, err)
	return pods
}

// allRunning checks that the namespace has so many pods, all of them running.
func (s *space) allRunning(n int) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		pods, err := s.list(ctx)
		if err != nil {
			return err
		}
		if len(pods) != n {
			return fmt.Errorf("there are %d pods", len(pods))
		}
		for i := range pods {
			if !running(&pods[i]) || pods[i].DeletionTimestamp != nil {
				return fmt.Errorf("%s", describe(&pods[i]))
			}
		}
		return nil
	}
}
