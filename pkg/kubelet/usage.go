package kubelet

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	stats "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
)

// Usage knows what the source pods on the node use.
type Usage interface {
	// Summary tells it as a kubelet does. With an error, which says why figures are missing, come those that there are.
	Summary(ctx context.Context, onlyCPUAndMemory bool) (*stats.Summary, error)
}

// summary answers with what there is, and with an error only when there is nothing.
func (s *Server) summary(w http.ResponseWriter, r *http.Request) {
	summary, err := s.options.Usage.Summary(r.Context(), r.URL.Query().Get("only_cpu_and_memory") == "true")
	if err != nil && len(summary.Pods) == 0 {
		writeText(w, http.StatusServiceUnavailable, "%s", err.Error())
		return
	}
	if summary.Pods == nil {
		summary.Pods = []stats.PodStats{}
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(summary); err != nil {
		logr.FromContextOrDiscard(r.Context()).V(1).Info("Stopped telling the summary", "reason", err.Error())
	}
}

// resourceMetrics answers in any case: missing figures are told by a metric, as a kubelet does.
func (s *Server) resourceMetrics(w http.ResponseWriter, r *http.Request) {
	summary, err := s.options.Usage.Summary(r.Context(), true)
	registry := prometheus.NewRegistry()
	registry.MustRegister(resources{summary, err != nil})
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
}

// The metrics are a real kubelet's, with its words.
var (
	containerLabels = []string{"container", "pod", "namespace"}
	podLabels       = []string{"pod", "namespace"}

	nodeCPU         = desc("node_cpu_usage_seconds_total", "Cumulative cpu time consumed by the node in core-seconds")
	nodeMemory      = desc("node_memory_working_set_bytes", "Current working set of the node in bytes")
	containerCPU    = desc("container_cpu_usage_seconds_total", "Cumulative cpu time consumed by the container in core-seconds", containerLabels...)
	containerMemory = desc("container_memory_working_set_bytes", "Current working set of the container in bytes", containerLabels...)
	containerStart  = desc("container_start_time_seconds", "Start time of the container since unix epoch in seconds", containerLabels...)
	podCPU          = desc("pod_cpu_usage_seconds_total", "Cumulative cpu time consumed by the pod in core-seconds", podLabels...)
	podMemory       = desc("pod_memory_working_set_bytes", "Current working set of the pod in bytes", podLabels...)
	scrapeError     = desc("resource_scrape_error", "1 if there was an error while getting container metrics, 0 otherwise")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, "[STABLE] "+help, labels, nil)
}

// resources are the metrics of one summary.
type resources struct {
	*stats.Summary
	failed bool
}

var _ prometheus.Collector = resources{}

// Describe names no metric: which there are is known when they are collected.
func (resources) Describe(chan<- *prometheus.Desc) {}

// Collect sends a metric for each figure of the summary.
func (m resources) Collect(to chan<- prometheus.Metric) {
	sendCPU(to, nodeCPU, m.Node.CPU)
	sendMemory(to, nodeMemory, m.Node.Memory)
	for _, p := range m.Pods {
		for _, c := range p.Containers {
			labels := []string{c.Name, p.PodRef.Name, p.PodRef.Namespace}
			sendCPU(to, containerCPU, c.CPU, labels...)
			sendMemory(to, containerMemory, c.Memory, labels...)
			if c.StartTime.Unix() > 0 {
				to <- prometheus.MustNewConstMetric(containerStart, prometheus.GaugeValue, seconds(uint64(c.StartTime.UnixNano())), labels...)
			}
		}
		sendCPU(to, podCPU, p.CPU, p.PodRef.Name, p.PodRef.Namespace)
		sendMemory(to, podMemory, p.Memory, p.PodRef.Name, p.PodRef.Namespace)
	}
	failed := 0.0
	if m.failed {
		failed = 1
	}
	to <- prometheus.MustNewConstMetric(scrapeError, prometheus.GaugeValue, failed)
}

func sendCPU(to chan<- prometheus.Metric, desc *prometheus.Desc, cpu *stats.CPUStats, labels ...string) {
	if cpu != nil && cpu.UsageCoreNanoSeconds != nil {
		to <- at(cpu.Time, prometheus.MustNewConstMetric(desc, prometheus.CounterValue, seconds(*cpu.UsageCoreNanoSeconds), labels...))
	}
}

func sendMemory(to chan<- prometheus.Metric, desc *prometheus.Desc, memory *stats.MemoryStats, labels ...string) {
	if memory != nil && memory.WorkingSetBytes != nil {
		to <- at(memory.Time, prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(*memory.WorkingSetBytes), labels...))
	}
}

func at(taken metav1.Time, metric prometheus.Metric) prometheus.Metric {
	return prometheus.NewMetricWithTimestamp(taken.Time, metric)
}

func seconds(nanoseconds uint64) float64 { return float64(nanoseconds) / float64(time.Second) }
