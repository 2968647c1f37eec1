package groups

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// APIReader reads sizes from the source's API server.
type APIReader struct{ Client kubernetes.Interface }

var _ Reader = APIReader{}

// Size of a Job is how many pods it still wants at once, of a PodGroup its gang's minimum.
func (r APIReader) Size(ctx context.Context, key Key) (int, error) {
	if key.Kind == KindJob {
		job, err := r.Client.BatchV1().Jobs(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
		if err != nil {
			return 0, fmt.Errorf("reading Job %s: %w", key.Name, err)
		}
		return jobSize(job), nil
	}
	group, err := r.Client.SchedulingV1beta1().PodGroups(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return 0, fmt.Errorf("PodGroup %s does not exist (scheduling.k8s.io/v1beta1)", key.Name)
	}
	if err != nil {
		return 0, fmt.Errorf("reading PodGroup %s: %w", key.Name, err)
	}
	if gang := group.Spec.SchedulingPolicy.Gang; gang != nil {
		return int(gang.MinCount), nil
	}
	return 0, nil
}

// jobSize is as the Job's own controller reckons: never more pods than completions are missing.
func jobSize(job *batchv1.Job) int {
	size := int32(1)
	if job.Spec.Parallelism != nil {
		size = *job.Spec.Parallelism
	}
	if job.Spec.Completions != nil {
		size = min(size, *job.Spec.Completions-job.Status.Succeeded)
	}
	return int(max(size, 1))
}
