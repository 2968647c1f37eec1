package usage

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	stats "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
	metrics "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

const (
	node1      = "/clusters/c1/api/v1/nodes/n1/proxy/stats/summary"
	node2      = "/clusters/c1/api/v1/nodes/n2/proxy/stats/summary"
	anywhere   = "/clusters/c1/apis/metrics.k8s.io/v1beta1/pods"
	oneSpace   = "/clusters/c1/apis/metrics.k8s.io/v1beta1/namespaces/burst-shop/pods"
	otherSpace = "/clusters/c1/apis/metrics.k8s.io/v1beta1/namespaces/other/pods"

	selected = "?labelSelector=spillway.dev%2Ftarget%3Dheata"
	only     = "?only_cpu_and_memory=true"
)

func summaryOf(pods ...stats.PodStats) stats.Summary { return stats.Summary{Pods: pods} }

func metricsOf(samples ...sample) metrics.PodMetricsList {
	return metrics.PodMetricsList{Items: samples}
}

func TestWhereFiguresComeFrom(t *testing.T) {
	web, db, elsewhere := running("web", "n1"), running("db", "n2"), running("far", "n2").inNamespace("other")
	webTold, dbTold := told("web-1a2b3c", "delegate-web", second), told("db-1a2b3c", "delegate-db", second)
	webSample, farSample := sampled("web", noon, "100m"), sampled("far", noon, "100m")
	farSample.Namespace = "other"
	tests := map[string]struct {
		pods      []Pod
		answers   map[string]any
		wantAsked []string
		want      []string
		wantError string
	}{
		"each node with delegates is asked once": {
			[]Pod{web, db, running("web2", "n1")}, map[string]any{node1: summaryOf(webTold), node2: summaryOf(dbTold)},
			[]string{node1 + only, node2 + only}, []string{"db", "web"}, "",
		},
		"without pods nobody is asked": {nil, nil, nil, nil, ""},
		"a node that fails does not hide the others": {
			[]Pod{web, db}, map[string]any{node1: summaryOf(webTold), node2: http.StatusBadGateway},
			[]string{node1 + only, node2 + only}, []string{"web"}, "node n2",
		},
		"without the right to the nodes the metrics API is asked": {
			[]Pod{web}, map[string]any{node1: http.StatusForbidden, oneSpace: metricsOf(webSample)},
			[]string{node1 + only, oneSpace + selected}, []string{"web"}, "",
		},
		"so it is when no node can be reached": {
			[]Pod{web}, map[string]any{node1: http.StatusBadGateway, oneSpace: metricsOf(webSample)},
			[]string{node1 + only, oneSpace + selected}, []string{"web"}, "",
		},
		"of several namespaces all are asked for at once": {
			[]Pod{web, elsewhere}, map[string]any{node1: http.StatusForbidden, node2: http.StatusForbidden, anywhere: metricsOf(webSample, farSample)},
			[]string{node1 + only, node2 + only, anywhere + selected}, []string{"far", "web"}, "",
		},
		"or one after the other, with rights to no more": {
			[]Pod{web, elsewhere}, map[string]any{node1: http.StatusForbidden, node2: http.StatusForbidden, anywhere: http.StatusForbidden,
				oneSpace: metricsOf(webSample), otherSpace: http.StatusForbidden},
			[]string{node1 + only, node2 + only, anywhere + selected, oneSpace + selected, otherSpace + selected}, []string{"web"}, "",
		},
		"who tells nothing is named, with what to do": {
			[]Pod{web}, map[string]any{node1: http.StatusForbidden},
			[]string{node1 + only, oneSpace + selected}, nil, `target "heata" tells nothing of what its pods use: let the kubeconfig's user list`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			target := &fakeTarget{answers: test.answers}
			reader, _ := newReader(t, target, test.pods...)

			got, err := reader.Summary(t.Context(), true)

			if test.wantError == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.wantError)
			}
			assert.ElementsMatch(t, test.wantAsked, target.asked)
			var names []string
			for _, pod := range got.Pods {
				names = append(names, pod.PodRef.Name)
				assert.Equal(t, "source-"+pod.PodRef.Name, pod.PodRef.UID)
				assert.Equal(t, "shop", pod.PodRef.Namespace)
			}
			assert.ElementsMatch(t, test.want, names)
			assert.Equal(t, "spillway-heata", got.Node.NodeName)
		})
	}
}

func TestARefusalHoldsForAWhile(t *testing.T) {
	target := &fakeTarget{answers: map[string]any{node1: http.StatusForbidden, oneSpace: metricsOf(sampled("web", noon, "100m"))}}
	reader, now := newReader(t, target, running("web", "n1"))
	for _, step := range []struct {
		wait time.Duration
		want []string
	}{
		{0, []string{node1 + only, oneSpace + selected}},
		{refusalHolds - time.Second, []string{oneSpace + selected}},
		{time.Second, []string{node1 + only, oneSpace + selected}},
	} {
		now.SetTime(now.Now().Add(step.wait))
		target.forget()
		_, err := reader.Summary(t.Context(), true)
		require.NoError(t, err)
		assert.Equal(t, step.want, target.asked)
	}
}

func TestTheWholeSummaryOfANodeWithoutADiskIsThatOfItsProcessorAndMemory(t *testing.T) {
	target := &fakeTarget{answers: map[string]any{node1: http.StatusInternalServerError}}
	reader, _ := newReader(t, target, running("web", "n1"))
	_, err := reader.Summary(t.Context(), false)
	require.Error(t, err)
	assert.Equal(t, []string{node1, node1 + only, oneSpace + selected}, target.asked)
}

func TestChangesAreLoggedOnce(t *testing.T) {
	log := &logLines{}
	target := &fakeTarget{answers: map[string]any{}}
	reader, _ := newReader(t, target, running("web", "n1"))
	ask := func(times int) {
		for range times {
			_, _ = reader.Summary(log.context(t.Context()), true)
		}
	}
	ask(3)
	target.answers[node1] = summaryOf(told("web-1a2b3c", "delegate-web", second))
	ask(3)
	assert.Equal(t, 1, log.count("Found no figures"))
	assert.Equal(t, 1, log.count("Read what pods use"))
	assert.Len(t, log.lines, 2)
}

func TestATargetThatIsNotConnectedIsSaid(t *testing.T) {
	reader, _ := newReader(t, &fakeTarget{})
	reader.Place = func() (Place, bool) { return Place{}, false }
	got, err := reader.Summary(t.Context(), true)
	require.ErrorContains(t, err, "its target is not connected")
	assert.Empty(t, got.Pods)
}

func TestAnEndlessAnswerIsNotReadToItsEnd(t *testing.T) {
	endless := summaryOf(told("web-1a2b3c", "delegate-web", second))
	for range 60_000 {
		endless.Pods = append(endless.Pods, told("stranger-with-a-long-name-that-fills-the-memory-of-the-controller", "delegate-stranger", second))
	}
	reader, _ := newReader(t, &fakeTarget{answers: map[string]any{node1: endless}}, running("web", "n1"))
	_, err := reader.Summary(t.Context(), true)
	require.ErrorIs(t, err, errTooLong)
}

func TestOnlyDelegatesAndTheirContainersAreTold(t *testing.T) {
	other := told("web-1a2b3c", "another-uid", second)
	more := told("web-1a2b3c", "delegate-web", second)
	more.Containers = append(more.Containers, stats.ContainerStats{Name: "app"}, stats.ContainerStats{Name: "injected"})
	tests := map[string]struct {
		told []stats.PodStats
		want []string
	}{
		"a delegate is, under its source's name":              {[]stats.PodStats{told("x", "delegate-web", second)}, []string{"web/app"}},
		"another pod is not":                                  {[]stats.PodStats{told("other", "other", second)}, nil},
		"a pod that took a delegate's name is not":            {[]stats.PodStats{other}, nil},
		"a container that the source lacks, or twice, is not": {[]stats.PodStats{more}, []string{"web/app"}},
		"a pod that is told twice is told once":               {[]stats.PodStats{more, more}, []string{"web/app"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, pod := range ours([]Pod{running("web", "n1")}, test.told) {
				for _, c := range pod.Containers {
					got = append(got, pod.PodRef.Name+"/"+c.Name)
				}
			}
			assert.Equal(t, test.want, got)
		})
	}
}

func TestTheNodesCounterNeverFalls(t *testing.T) {
	web, db := running("web", "n1"), running("db", "n1")
	both := func(web, db uint64) []stats.PodStats {
		return ours(bothPods(), []stats.PodStats{told("web", "delegate-web", web*second), told("db", "delegate-db", db*second)})
	}
	one := func(web uint64) []stats.PodStats { return both(web, 0)[:1] }
	steps := []struct {
		name  string
		pods  []Pod
		found []stats.PodStats
		want  uint64
	}{
		{"at first it is what the pods have used", []Pod{web, db}, both(10, 5), 15},
		{"it grows as they do", []Pod{web, db}, both(11, 7), 18},
		{"figures that are missing once are not lost", []Pod{web, db}, one(12), 19},
		{"and count when they are back", []Pod{web, db}, both(12, 10), 22},
		{"a pod that ended has used what it has", []Pod{web}, one(13), 23},
		{"one that began anew counts from its start", []Pod{web}, one(2), 25},
	}
	sum := tally{}
	for _, step := range steps {
		node := sum.add(step.pods, step.found)
		require.NotNil(t, node.CPU, step.name)
		assert.Equal(t, step.want*second, *node.CPU.UsageCoreNanoSeconds, step.name)
		assert.Equal(t, metav1.NewTime(noon), node.CPU.Time, step.name)
		assert.Equal(t, uint64(len(step.found))<<20, *node.Memory.WorkingSetBytes, step.name)
	}
	assert.Len(t, sum.seen, 1, "pods that are gone are forgotten")
	assert.Nil(t, sum.add(nil, nil).CPU, "a figure that nobody told is none")
}

func bothPods() []Pod { return []Pod{running("web", "n1"), running("db", "n1")} }
