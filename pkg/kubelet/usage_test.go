package kubelet

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	stats "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
	"k8s.io/utils/ptr"
)

// used is a summary with one pod.
func used() stats.Summary {
	at := metav1.NewTime(time.UnixMilli(1_700_000_000_500))
	cpu := &stats.CPUStats{Time: at, UsageCoreNanoSeconds: ptr.To(uint64(1_500_000_000))}
	memory := &stats.MemoryStats{Time: at, WorkingSetBytes: ptr.To(uint64(1 << 20))}
	return stats.Summary{Node: stats.NodeStats{NodeName: nodeName, CPU: cpu, Memory: memory}, Pods: []stats.PodStats{{
		PodRef: stats.PodReference{Namespace: "shop", Name: "web", UID: "source-uid"}, CPU: cpu, Memory: memory,
		Containers: []stats.ContainerStats{
			{Name: "app", StartTime: metav1.NewTime(time.Unix(1_700_000_000, 0)), CPU: cpu, Memory: memory},
			{Name: "began-just-now"},
		},
	}}}
}

const usedText = `# HELP container_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the container in core-seconds
# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{container="app",namespace="shop",pod="web"} 1.5 1700000000500
# HELP container_memory_working_set_bytes [STABLE] Current working set of the container in bytes
# TYPE container_memory_working_set_bytes gauge
container_memory_working_set_bytes{container="app",namespace="shop",pod="web"} 1.048576e+06 1700000000500
# HELP container_start_time_seconds [STABLE] Start time of the container since unix epoch in seconds
# TYPE container_start_time_seconds gauge
container_start_time_seconds{container="app",namespace="shop",pod="web"} 1.7e+09
# HELP node_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the node in core-seconds
# TYPE node_cpu_usage_seconds_total counter
node_cpu_usage_seconds_total 1.5 1700000000500
# HELP node_memory_working_set_bytes [STABLE] Current working set of the node in bytes
# TYPE node_memory_working_set_bytes gauge
node_memory_working_set_bytes 1.048576e+06 1700000000500
# HELP pod_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the pod in core-seconds
# TYPE pod_cpu_usage_seconds_total counter
pod_cpu_usage_seconds_total{namespace="shop",pod="web"} 1.5 1700000000500
# HELP pod_memory_working_set_bytes [STABLE] Current working set of the pod in bytes
# TYPE pod_memory_working_set_bytes gauge
pod_memory_working_set_bytes{namespace="shop",pod="web"} 1.048576e+06 1700000000500
`

func scrapeErrorText(value string) string {
	return "# HELP resource_scrape_error [STABLE] 1 if there was an error while getting container metrics, 0 otherwise\n" +
		"# TYPE resource_scrape_error gauge\nresource_scrape_error " + value + "\n"
}

func TestWhatPodsUseIsToldAsAKubeletDoes(t *testing.T) {
	missing := errors.New(`target "heata" tells nothing`)
	empty := stats.Summary{Node: stats.NodeStats{NodeName: nodeName}}
	tests := map[string]struct {
		usage    fakeUsage
		path     string
		wantCode int
		want     string
	}{
		"every figure is a metric, with the time it was taken": {
			fakeUsage{summary: used()}, "/metrics/resource", 200, usedText + scrapeErrorText("0"),
		},
		"a figure that is missing does not hide the others": {
			fakeUsage{summary: used(), err: missing}, "/metrics/resource", 200, usedText + scrapeErrorText("1"),
		},
		"without any the scrape works and says so": {
			fakeUsage{summary: empty, err: missing}, "/metrics/resource", 200, scrapeErrorText("1"),
		},
		"a node without pods has no error": {
			fakeUsage{summary: empty}, "/metrics/resource", 200, scrapeErrorText("0"),
		},
		"the summary of a node without pods is empty": {
			fakeUsage{summary: empty}, "/stats/summary", 200, `{"node":{"nodeName":"spillway-heata","startTime":null},"pods":[]}` + "\n",
		},
		"a summary without any figure says why": {
			fakeUsage{summary: empty, err: missing}, "/stats/summary", 503, `target "heata" tells nothing`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			handler := (&Server{options: Options{NodeName: nodeName, Auth: &fakeAuth{}, Locator: fakeLocator{}, Usage: test.usage}}).handler()
			code, body := answerOf(t, handler, test.path)
			assert.Equal(t, test.wantCode, code)
			assert.Equal(t, test.want, body)
		})
	}
}

func TestTheSummaryIsAskedForAsTheCallerDid(t *testing.T) {
	tests := map[string]struct {
		path string
		want bool
	}{
		"all of it":                               {"/stats/summary", false},
		"processor and memory only":               {"/stats/summary?only_cpu_and_memory=true", true},
		"metrics need no more":                    {"/metrics/resource", true},
		"any other value of the parameter is all": {"/stats/summary?only_cpu_and_memory=no", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			asked := make(askedUsage, 1)
			handler := (&Server{options: Options{NodeName: nodeName, Auth: &fakeAuth{}, Locator: fakeLocator{}, Usage: asked}}).handler()
			code, _ := answerOf(t, handler, test.path)
			assert.Equal(t, http.StatusOK, code)
			assert.Equal(t, test.want, <-asked)
		})
	}
}

// askedUsage tells how it was asked.
type askedUsage chan bool

func (a askedUsage) Summary(_ context.Context, onlyCPUAndMemory bool) (*stats.Summary, error) {
	a <- onlyCPUAndMemory
	return &stats.Summary{}, nil
}
