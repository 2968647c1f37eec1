package usage

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	metrics "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

const metricsPath = "/apis/metrics.k8s.io/v1beta1"

// sample is what a metrics API tells of a pod, containerSample of one of its containers.
type (
	sample          = metrics.PodMetrics
	containerSample = metrics.ContainerMetrics
)

// askMetrics asks for all delegates at once. A user who may look into single namespaces only is answered for each of them.
func askMetrics(ctx context.Context, place Place) ([]sample, error) {
	namespaces := sets.New[string]()
	for _, pod := range place.Pods {
		namespaces.Insert(pod.Delegate.Namespace)
	}
	if len(namespaces) > 1 {
		all, err := listMetrics(ctx, place, metav1.NamespaceAll)
		if !apierrors.IsForbidden(err) {
			return all, err
		}
	}
	var found []sample
	var failed []error
	for _, namespace := range sets.List(namespaces) {
		list, err := listMetrics(ctx, place, namespace)
		found, failed = append(found, list...), append(failed, err)
	}
	if len(found) > 0 {
		return found, nil
	}
	return nil, errors.Join(failed...)
}

func listMetrics(ctx context.Context, place Place, namespace string) ([]sample, error) {
	request := place.Client.Get().AbsPath(metricsPath, "pods")
	if namespace != metav1.NamespaceAll {
		request = place.Client.Get().AbsPath(metricsPath, "namespaces", namespace, "pods")
	}
	var list metrics.PodMetricsList
	if err := ask(ctx, request.Param("labelSelector", place.Selector), &list); err != nil {
		return nil, fmt.Errorf(textMetricsAPI, err)
	}
	return list.Items, nil
}
