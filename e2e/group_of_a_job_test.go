package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestTheAnnotationOfAJobsTemplateMakesItsPodsOneGroup(t *testing.T) {
	s := givenNamespace(t, source, burst)
	s.givenFiller(heata, "4")
	toHeata := s.noteDelegates(heata)
	time.Sleep(time.Second) // until the source's watch has shown the filler, too

	s.createJob("train", 4, annotated(v1alpha1.AnnotationGroup, ""), requesting("6", ""), runningFor(5*time.Second))

	s.expectJobComplete("train")
	pods, err := s.list(t.Context())
	require.NoError(t, err)
	require.Len(t, pods, 4)
	for i := range pods {
		assert.True(t, onTarget(&pods[i], cloud.name), describe(&pods[i]))
	}
	assert.Empty(t, toHeata.list())
}

// Three of the four slots are done with while the last pod waits: it must not wait for three more.
func TestTheLastPodsOfAJobDoNotWaitForAWholeGroup(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(heata.name))

	template := podTemplate(elected, annotated(v1alpha1.AnnotationGroup, ""), annotated(annotationDelay, "2s"))
	template.Spec.RestartPolicy = "Never"
	parallelism, completions := int32(3), int32(7)
	_, err := s.kube.BatchV1().Jobs(s.name).Create(t.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "train"},
		Spec:       batchv1.JobSpec{Parallelism: &parallelism, Completions: &completions, Template: template},
	}, metav1.CreateOptions{})
	require.NoError(t, err)

	s.expectJobComplete("train")
}
