package usage

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// sampled is what a metrics API tells: so many cores on average in the 10 seconds until then.
func sampled(name string, until time.Time, cores string) sample {
	return sample{
		ObjectMeta: metav1.ObjectMeta{Namespace: "burst-shop", Name: name + "-1a2b3c"},
		Timestamp:  metav1.NewTime(until), Window: metav1.Duration{Duration: 10 * time.Second},
		Containers: []containerSample{{Name: "app", Usage: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse(cores), corev1.ResourceMemory: resource.MustParse("3Mi")}}},
	}
}

func TestRatesBecomeACounter(t *testing.T) {
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	restarted := running("web", "n1")
	restarted.Delegate.Status.ContainerStatuses[0].State.Running.StartedAt = metav1.NewTime(at(60))
	web := running("web", "n1")
	steps := []struct {
		name     string
		pod      Pod
		sample   sample
		want     float64 // seconds, without those with which counting begins
		wantTime time.Time
	}{
		{"the first rate counts for its window", web, sampled("web", at(10), "500m"), 5, at(10)},
		{"the same sample again counts once", web, sampled("web", at(10), "500m"), 5, at(10)},
		{"the next counts since the one before", web, sampled("web", at(25), "1"), 20, at(25)},
		{"an older one does not count", web, sampled("web", at(20), "1"), 20, at(25)},
		{"no use at all is no change", web, sampled("web", at(40), "0"), 20, at(40)},
		{"a rate below zero is none", web, sampled("web", at(50), "-1"), 20, at(50)},
		{"a container that was started again counts anew", restarted, sampled("web", at(70), "100m"), 1, at(70)},
	}
	c := counter{}
	for _, step := range steps {
		found := c.add([]Pod{step.pod}, []sample{step.sample})
		require.Len(t, found, 1, step.name)
		got := found[0].Containers[0]
		assert.InDelta(t, (step.want*1e9)+first, float64(*got.CPU.UsageCoreNanoSeconds), 1, step.name)
		assert.Equal(t, step.wantTime, got.CPU.Time.Time, step.name)
		assert.EqualValues(t, 3<<20, *got.Memory.WorkingSetBytes, step.name)
		assert.Equal(t, *got.CPU.UsageCoreNanoSeconds, *found[0].CPU.UsageCoreNanoSeconds, step.name)
	}
	assert.Len(t, c.containers, 1)
	assert.Empty(t, c.add(nil, nil))
	assert.Empty(t, c.containers, "pods that are gone are forgotten")
}

func TestSamplesOfStrangersAndTheirContainersDoNotCount(t *testing.T) {
	injected := sampled("web", noon, "1")
	injected.Containers[0].Name = "injected"
	tests := map[string]struct {
		sample sample
		want   int
	}{
		"another pod's do not":        {sampled("other", noon, "1"), 0},
		"a container that is unknown": {injected, 0},
		"a delegate's do":             {sampled("web", noon, "1"), 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := 0
			for _, pod := range (&counter{}).add([]Pod{running("web", "n1")}, []sample{test.sample}) {
				got += len(pod.Containers)
			}
			assert.Equal(t, test.want, got)
		})
	}
}
